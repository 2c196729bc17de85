"""Pronunciations of any English word: from the dictionary, from its parts, or guessed from its spelling."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from lyricgen.song.dictionary import LETTERS, dictionary
from lyricgen.song.phonemes import pronounced

_SPOKEN = {
    "o'er": "AO1 R",
    "e'er": "EH1 R",
    "ne'er": "N EH1 R",
    "e'en": "IY1 N",
    "ta'en": "T EY1 N",
    "th'": "DH AH0",
    "wi'": "W IH1 DH",
    "o'": "AH0",
    "ol'": "OW1 L",
    "gonna": "G AA1 N AH0",
    "hm": "HH AH1 M",
    "hmm": "HH AH1 M",
    "mm": "AH1 M",
    "mmm": "AH1 M",
    "sh": "SH AH1",
    "shh": "SH AH1",
}
"""What the dictionary lacks and no rule makes."""
_ENDINGS = {
    "s": "Z",
    "es": "Z",
    "'s": "Z",
    "s'": "Z",
    "ed": "D",
    "'d": "D",
    "ing": "IH0 NG",
    "in'": "IH0 N",
    "eth": "AH0 TH",
    "ly": "L IY0",
    "ness": "N AH0 S",
    "less": "L AH0 S",
    "ful": "F AH0 L",
    "ment": "M AH0 N T",
    "able": "AH0 B AH0 L",
    "like": "L AY2 K",
    "some": "S AH0 M",
    "ward": "W ER0 D",
    "man": "M AH0 N",
    "men": "M IH0 N",
    "e'er": "EH1 R",
    "'ll": "AH0 L",
    "'ve": "AH0 V",
    "'re": "ER0",
    "n't": "AH0 N T",
    "'st": "S T",
}
"""Endings and what they add."""
_BEGINNINGS = {
    "un": "AH0 N",
    "re": "R IY0",
    "be": "B IH0",
    "a": "AH0",
    "in": "IH0 N",
    "mis": "M IH0 S",
    "dis": "D IH0 S",
    "non": "N AA2 N",
    "en": "EH0 N",
}
_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven")
_TEENS = ("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_RESPELLED = (("our", "or"), ("is(e|ed|es|ing)$", r"iz\1"), ("^'", ""), ("'", ""))
"""Spellings that the dictionary lacks, and what it may have in their place."""
LITTLE_WORDS = frozenset(
    """
    a about again ah all alone always am an and any are as at away be because been before being both
    but by can can't come comes could did didn't do does doesn't don't down each even ever every few
    for from get gets go goes going gone gonna good got had has have he he's her here him his how i
    i'd i'll i'm i've if in into is isn't it it's its just know let let's like little made make makes
    many may me mine more most much must my never no nor not nothing now o of off oh old on once one
    only or other our ours out over own said say says set shall she she's should so some song still
    such take tell than that that's the thee their them then there there's these they they're thine
    this those thou thy till to too under until up upon us very was way we we're we've well were what
    what's when where which while who whose why will with without won't would ye yes yet you you'll
    you're you've your yours
    """.split()  # noqa: SIM905 (a list would take a page)
)
"""English words that say little of what a song is about."""
WEAK_WORDS = frozenset(
    """
    a am an and are as at be been but by for from had has have her his if in is it its my nor of on or our
    than that the their them this thy till to upon us was were when where which while with your
    """.split()  # noqa: SIM905
)
"""Those of one syllable that are seldom stressed."""
_HISSING, _VOICELESS = (frozenset(pronounced(p)) for p in ("S Z SH ZH CH JH", "P T K F TH S SH CH"))
_T_D = frozenset(pronounced("T D"))
_DULL = frozenset(pronounced("AH0 IH0"))
_S, _Z, _T, _D, _IH, _ER, _R = (pronounced(p) for p in ("S", "Z", "T", "D", "IH0", "ER0", "R"))
_SHORTEST_STEM, _SHORTEST_REST = 3, 4
"""Letters that must be left without an ending, and without a beginning."""
_LONGEST = 40
"""Letters of the longest word whose parts are looked for."""
WORDS_KEPT = 2**14
"""What was found out of so many words is kept: some 20 MB. More did not make songs come sooner."""


@lru_cache(WORDS_KEPT)
def pronunciations(word: str) -> tuple[str, ...]:
    """Return the pronunciations of a word, each a string of `phonemes`; none if there is no way to say it.

    Capitals, accents and typographic apostrophes do not matter. Numbers are read as years are, in pairs of
    digits.
    """
    if word.isdecimal():
        return (_number(word),)
    plain = unicodedata.normalize("NFKD", word.replace("’", "'").lower())
    letters = "".join(letter for letter in plain if letter in LETTERS[1:])
    if not letters.strip("'"):
        return ()
    return tuple(filter(None, _known(letters) or (dictionary().guess(letters),)))


def _known(word: str) -> tuple[str, ...]:
    return dictionary().find(word) or from_parts(word)


def from_parts(word: str) -> tuple[str, ...]:
    """Return the pronunciations of a word in small letters that the dictionary lacks, from one that it has.

    None if there is no such word: walkin' comes from walk, heav'n from heaven, colour from color.
    """
    if word in _SPOKEN:
        return (pronounced(_SPOKEN[word]),)
    if len(word) > _LONGEST:
        return ()
    return _with_ending(word) or _elided(word) or _respelled(word) or _with_beginning(word)


def _with_ending(word: str) -> tuple[str, ...]:
    for ending, added in _ENDINGS.items():
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _SHORTEST_STEM and (ending != "s" or stem[-1] not in "su"):
            for form in _stems(stem, ending):
                if found := _known(form):
                    return tuple(_joined(one, pronounced(added)) for one in found)
    return ()


def _stems(stem: str, ending: str) -> Iterator[str]:
    """Yield how a word may be written without its ending: tak(e)ing, hop(p)ing, happi(y)ness."""
    vowel_follows = ending[0] in "ae'" or ending[:2] == "in"
    if vowel_follows and ending != "e'er" and re.search("[^aeiou][aeiou][^aeiouwxy]$", stem):
        yield stem + "e"
    yield stem
    if vowel_follows:
        yield stem + "e"
        if stem[-1] == stem[-2]:
            yield stem[:-1]
    if stem[-1] == "i":
        yield stem[:-1] + "y"


def _joined(stem: str, ending: str) -> str:
    """Return a stem and its ending; those of one consonant sound as what stands before them has it."""
    last = stem[-1]
    if ending == _Z:
        return stem + (_IH + _Z if last in _HISSING else _S if last in _VOICELESS else _Z)
    if ending == _D:
        return stem + (_IH + _D if last in _T_D else _T if last in _VOICELESS else _D)
    return stem + ending


def _elided(word: str) -> tuple[str, ...]:
    """Return the pronunciations of a word with an apostrophe for a vowel, such as heav'n."""
    for letter in "eiou" if word[1:-1].count("'") == 1 else "":
        if found := _known(word[0] + word[1:].replace("'", letter, 1)):
            return tuple(map(_shorter, found))
    return ()


def _shorter(pronunciation: str) -> str:
    """Leave out the last dull vowel before the end."""
    for n in range(len(pronunciation) - 2, 0, -1):
        if pronunciation[n] in _DULL:
            return pronunciation[:n] + pronunciation[n + 1 :]
    return pronunciation[:-1] + _R if pronunciation[-1] == _ER else pronunciation


def _respelled(word: str) -> tuple[str, ...]:
    for pattern, plain in _RESPELLED:
        other = re.sub(pattern, plain, word)
        if other != word and len(other) > 1 and (found := dictionary().find(other)):
            return found
    return ()


def _with_beginning(word: str) -> tuple[str, ...]:
    for beginning, added in _BEGINNINGS.items():
        rest = word.removeprefix(beginning)
        if rest != word and len(rest) >= _SHORTEST_REST and (found := dictionary().find(rest)):
            return tuple(pronounced(added) + one for one in found)
    return ()


def _number(digits: str) -> str:
    """Return how a number is read: 24 as twenty-four, 1999 as nineteen ninety-nine, 500 as five hundred."""
    for zeros, name in (("000", "thousand"), ("00", "hundred")):
        if len(zeros) < len(digits) <= 6 and digits.endswith(zeros):
            return _number(digits.removesuffix(zeros)) + pronunciations(name)[0]
    names: list[str] = []
    while digits:
        size = 1 if digits[0] == "0" else len(digits) % 2 or 2
        names += _below_100(int(digits[:size]))
        digits = digits[size:]
    return "".join(pronunciations(name)[0] for name in names)


def _below_100(number: int) -> list[str]:
    if number < 20:
        return [(*_ONES, *_TEENS)[number]]
    return [_TENS[number // 10 - 2], *([_ONES[number % 10]] if number % 10 else [])]
