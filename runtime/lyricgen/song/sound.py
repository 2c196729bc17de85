"""How words and lines sound: syllables and rhymes, in English or, for any other language, by spelling.

A word may be pronounced in more than one way (fire, live, wind): it then has several numbers of syllables,
and several endings that rhyme. All of them count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from itertools import zip_longest
from typing import NamedTuple, Protocol

from lyricgen.song.english import LITTLE_WORDS, WEAK_WORDS, WORDS_KEPT, pronunciations
from lyricgen.song.phonemes import is_vowel, pronounced, strengths, stress, with_stress

_WORD = re.compile(r"['’]?[^\W\d_]+(?:['’][^\W\d_]+)*['’]?|\d+")


def words(line: str) -> list[str]:
    """Return the words and numbers of a line, in order, as they stand there; a hyphen parts two words."""
    return _WORD.findall(line)


class Beat(NamedTuple):
    """How strongly a syllable may be said: 0 without stress, 1 with a lesser one, 2 with the main one."""

    least: int
    most: int


EITHER, _WEAK, _STRONG = Beat(0, 2), Beat(0, 1), Beat(2, 2)
"""Of words of one syllable: stressed or not (you, go), seldom stressed (of, the), saying much (night)."""
METRES: Mapping[str, int] = {"iambic": 1, "trochaic": 0}
"""Which of two syllables is the strong one, by the name of a metre."""


class Sounds(Protocol):
    """What lyricgen knows of the words of a language: `ENGLISH`, or `SPELLING` for all others."""

    def syllables(self, word: str) -> frozenset[int]:
        """Return how many syllables a word may have; at least one number, and never 0."""

    def sounds(self, word: str) -> frozenset[str]:
        """Return how a word may sound as a whole."""

    def endings(self, word: str) -> frozenset[str]:
        """Return what has to be the same in another word for a perfect rhyme, for each way it may sound."""

    def main_ending(self, word: str) -> str:
        """Return what rhymes if a word is said in its commonest way, from its main stress on."""

    def beats(self, word: str) -> tuple[tuple[Beat, ...], ...]:
        """Return the beat of each syllable, for each way a word may be said, the commonest first."""

    def nearness(self, ending: str, other: str) -> float:
        """Return how near two endings are to a rhyme: from 0 to 1, where they are the same."""


class _English:
    """By the pronunciations of `english`. Rhymes from the last stressed vowel on."""

    @lru_cache(WORDS_KEPT)  # noqa: B019 (there is one object)
    def syllables(self, word: str) -> frozenset[int]:
        return frozenset(max(1, sum(map(is_vowel, one))) for one in pronunciations(word)) or frozenset({1})

    @lru_cache(WORDS_KEPT)  # noqa: B019
    def sounds(self, word: str) -> frozenset[str]:
        return frozenset(map(_plain, pronunciations(word)))

    @lru_cache(WORDS_KEPT)  # noqa: B019
    def endings(self, word: str) -> frozenset[str]:
        said = pronunciations(word)
        return frozenset(map(ending, said)) | frozenset(ending(one, main=True) for one in said)

    @lru_cache(WORDS_KEPT)  # noqa: B019
    def main_ending(self, word: str) -> str:
        return next((ending(one, main=True) for one in pronunciations(word)), "")

    @lru_cache(WORDS_KEPT)  # noqa: B019
    def beats(self, word: str) -> tuple[tuple[Beat, ...], ...]:
        one = _WEAK if word.lower() in WEAK_WORDS else EITHER if word.lower() in LITTLE_WORDS else _STRONG
        return tuple(dict.fromkeys(_beats(said, one) for said in pronunciations(word))) or ((one,),)

    def nearness(self, ending: str, other: str) -> float:
        """Vowels must be the same; consonants may be related, or one missing: time, mine; night, ride."""
        likeness = 1.0
        for phoneme, opposite in zip_longest(ending, other, fillvalue=""):
            likeness *= _likeness(phoneme, opposite)
        return likeness


class _Spelling:
    """By letters. A group of vowels is a syllable, and the last one and what follows rhymes."""

    def syllables(self, word: str) -> frozenset[int]:
        return frozenset({max(1, len(_VOWELS.findall(_bare(word))))})

    def sounds(self, word: str) -> frozenset[str]:
        return frozenset({_bare(word)})

    def endings(self, word: str) -> frozenset[str]:
        bare = _bare(word)
        groups = list(_VOWELS.finditer(bare))
        return frozenset({bare[groups[-1].start() :] if groups else bare} - {""})

    def main_ending(self, word: str) -> str:
        return next(iter(self.endings(word)), "")

    def beats(self, word: str) -> tuple[tuple[Beat, ...], ...]:
        """Spelling does not tell."""
        return tuple((EITHER,) * count for count in sorted(self.syllables(word)))

    def nearness(self, ending: str, other: str) -> float:
        return float(ending == other)


ENGLISH: Sounds = _English()
SPELLING: Sounds = _Spelling()
PERFECT = 1.0
"""How well words rhyme, by `rhyme`, in a perfect rhyme."""
NEAR = 0.6
"""In one that is near enough for those who ask for near rhymes: time, mine; night, ride."""
BY_LANGUAGE: Mapping[str, Sounds] = {"en": ENGLISH, "spelling": SPELLING}
"""By what a model's card says of its language."""


def rhyme(sounds: Sounds, word: str, other: str) -> float:
    """Return how well two words rhyme: 1 for a perfect rhyme, less for a near one, 0 for none.

    A word does not rhyme with itself, nor with one that sounds the same (see, sea).
    """
    if not sounds.sounds(word).isdisjoint(sounds.sounds(other)):
        return 0.0
    pairs = [(one, two) for one in sounds.endings(word) for two in sounds.endings(other)]
    return max((sounds.nearness(*pair) for pair in pairs), default=0.0)


def line_syllables(sounds: Sounds, line: str, metre: str = "") -> frozenset[int]:
    """Return how many syllables a line may have, by all ways to pronounce its words; {0} without words.

    With one of the `METRES`, only ways count that keep to it: no strong syllable has less stress than a weak
    one beside it. There may be none.
    """
    if metre:
        ways = {(0, EITHER)}
        for word in words(line):
            after = (_scanned(way, beats, METRES[metre]) for way in ways for beats in sounds.beats(word))
            ways = {way for way in after if way is not None}
        return frozenset(count for count, _ in ways)
    totals = frozenset({0})
    for word in words(line):
        counts = sounds.syllables(word)
        totals = frozenset(total + count for total in totals for count in counts)
    return totals


_VOWELS = re.compile("[aeiouyæœøаеиоуыэюяєіαεηιουω]+")
"""Of words in small letters without accents, in Latin, Cyrillic and Greek script."""
_DULL = pronounced("AH0"), pronounced("IH0")
"""Two vowels without stress that singers do not tell apart."""
_DIPHTHONGS = tuple(pronounced(f"{vowel}0") for vowel in ("AY", "AW", "OY", "IY", "UW"))
_ER, _R = pronounced("ER0"), pronounced("R")
_KIN = (
    *map(pronounced, ("P T K", "B D G", "M N NG", "F TH S SH", "V DH Z ZH", "L R")),
    *map(pronounced, ("P B", "T D", "K G", "F V", "TH DH", "S Z", "CH JH")),
)
"""Consonants that are related: made in the same way, or with and without voice."""
_RELATED, _MISSING = 0.8, 0.6
"""What is left of a rhyme where two consonants are related, and where one is missing."""


def _beats(pronunciation: str, of_one_syllable: Beat) -> tuple[Beat, ...]:
    found = strengths(pronunciation)
    return tuple(Beat(one, one) for one in found) if len(found) > 1 else (of_one_syllable,)


def _scanned(way: tuple[int, Beat], beats: tuple[Beat, ...], strong: int) -> tuple[int, Beat] | None:
    """Return the number of syllables and the last beat after some more; None if these break the metre."""
    count, before = way
    for beat in beats:
        weaker, stronger = (before, beat) if count % 2 == strong else (beat, before)
        if stronger.most < weaker.least:
            return None
        count, before = count + 1, beat
    return count, before


@lru_cache(WORDS_KEPT)
def _plain(pronunciation: str) -> str:
    """Return a pronunciation without stress; "fire" sounds the same with one syllable and with two."""
    plain = "".join(with_stress(one, 0) if is_vowel(one) else one for one in pronunciation)
    for vowel in _DIPHTHONGS:
        plain = plain.replace(vowel + _ER, vowel + _R)
    return plain


@lru_cache(WORDS_KEPT)
def ending(pronunciation: str, *, main: bool = False) -> str:
    """Return what has to be the same in a perfect rhyme: the last stressed vowel and all that follows.

    Args:
        pronunciation: a string of `phonemes`, not empty.
        main: whether only the main stress counts, not those beside it (twi-LIGHT).
    """
    vowels = [n for n, phoneme in enumerate(pronunciation) if is_vowel(phoneme)]
    stressed = [n for n in vowels if stress(pronunciation[n]) in ((1,) if main else (1, 2))] or vowels or [0]
    plain = _plain(pronunciation[stressed[-1] :])
    return plain[0] + plain[1:].replace(*_DULL)


def _likeness(phoneme: str, other: str) -> float:
    """Return how alike two phonemes at the same place of two endings are; "" is none at all."""
    if phoneme == other:
        return 1.0
    if any(map(is_vowel, phoneme + other)):
        return 0.0
    if not (phoneme and other):
        return _MISSING
    return _RELATED if any(phoneme in kin and other in kin for kin in _KIN) else 0.0


def _bare(word: str) -> str:
    """Return a word in small letters, without accents and apostrophes."""
    plain = word.casefold().replace("й", "j")  # a consonant, which is no и with an accent
    return "".join(one for one in unicodedata.normalize("NFD", plain) if one.isalpha())
