"""Phonemes of English, as CMUdict has them, one character each, so that a pronunciation is a string.

The 15 vowels come first, each three times: without stress (0), with the main stress of a word (1), with a
lesser one (2); then the 24 consonants.
"""

from __future__ import annotations

VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS = (
    *("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N"),
    *("NG", "P", "R", "S", "SH", "T", "TH", "V", "W", "Y", "Z", "ZH"),
)
NAMES = (*(vowel + stress for vowel in VOWELS for stress in "012"), *CONSONANTS)
_FIRST = ord("!")
_FIRST_CONSONANT = chr(_FIRST + 3 * len(VOWELS))
_CHARACTERS = {name: chr(_FIRST + n) for n, name in enumerate(NAMES)}


def pronounced(names: str) -> str:
    """Return the pronunciation that CMUdict writes like "R AY1 M"; the inverse of `spelled`."""
    return "".join(_CHARACTERS[name] for name in names.split())


def spelled(pronunciation: str) -> str:
    """Return a pronunciation as CMUdict writes it."""
    return " ".join(NAMES[ord(phoneme) - _FIRST] for phoneme in pronunciation)


def is_vowel(phoneme: str) -> bool:
    """Tell whether a phoneme is a vowel; each makes a syllable."""
    return phoneme < _FIRST_CONSONANT


def stress(vowel: str) -> int:
    """Return 0, 1 or 2, as in CMUdict."""
    return (ord(vowel) - _FIRST) % 3


def strengths(pronunciation: str) -> tuple[int, ...]:
    """Return how each syllable is stressed: 0 not at all, 1 with a lesser stress, 2 with the main one."""
    return tuple((0, 2, 1)[stress(phoneme)] for phoneme in pronunciation if is_vowel(phoneme))


def with_stress(vowel: str, stress: int) -> str:
    """Return the same vowel, stressed so."""
    number = ord(vowel) - _FIRST
    return chr(_FIRST + number - number % 3 + stress)
