"""Rhymes at the ends of lines, by the sounds of a pronouncing dictionary.

Two words rhyme if they sound alike from their last stressed vowel on, and are spelled differently. English
only; what the dictionary (CMU's, of North American speech) does not have, is left out of the count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np

from train.report.wording import stanzas, words

REACH = 3
"""A line rhymes if it does with one of so many neighbours on either side: aabb, abab and abba do."""


def dictionary_words() -> frozenset[str]:
    """Return all words of the pronouncing dictionary."""
    import pronouncing

    pronouncing.init_cmu()
    return frozenset(pronouncing.lookup)


def line_ends(texts: Sequence[str]) -> list[list[str]]:
    """Return the last words of the lines of each stanza; a line without words has ''."""
    found = (stanza for text in texts for stanza in stanzas(text))
    return [[spoken[-1] if (spoken := words(line)) else "" for line in stanza] for stanza in found]


def rhyming_lines(stanza_ends: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Return how many lines rhyme with a neighbour, and of how many that could.

    Lines whose last word the dictionary lacks, and lines without a neighbour whose last word it has, are
    not counted.
    """
    rhyming = possible = 0
    for ends in stanza_ends:
        for n, word in enumerate(ends):
            if not sounds(word):
                continue
            others = [*ends[max(n - REACH, 0) : n], *ends[n + 1 : n + 1 + REACH]]
            others = [other for other in others if sounds(other)]
            possible += bool(others)
            rhyming += any(rhyme(word, other) for other in others)
    return rhyming, possible


def rhyming_by_chance(stanza_ends: Sequence[Sequence[str]], seed: int = 0) -> tuple[int, int]:
    """Return the same for stanzas of the same shape whose lines end in each other's words, shuffled."""
    flat = [word for ends in stanza_ends for word in ends]
    order = np.random.default_rng(seed).permutation(len(flat))
    shuffled = iter([flat[n] for n in order])
    return rhyming_lines([[next(shuffled) for _ in ends] for ends in stanza_ends])


def rhyme(word: str, other: str) -> bool:
    """Tell whether two words rhyme; the same word twice is a repetition and no rhyme."""
    return word != other and not sounds(word).isdisjoint(sounds(other))


@cache
def sounds(word: str) -> frozenset[str]:
    """Return how a word can sound from its last stressed vowel on; nothing if nobody noted it."""
    import pronouncing

    parts = map(pronouncing.rhyming_part, pronouncing.phones_for_word(word))
    return frozenset(re.sub(r"\d", "", part) for part in parts)  # "butterfly" is stressed twice
