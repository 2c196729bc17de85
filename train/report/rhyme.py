"""Rhymes at the ends of lines, as `lyricgen.song.sound` hears them in the language of the songs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lyricgen.song.sound import PERFECT, Sounds, rhyme, words
from train.report.wording import stanzas

REACH = 3
"""A line rhymes if it does with one of so many neighbours on either side: aabb, abab and abba do."""


def line_ends(texts: Sequence[str]) -> list[list[str]]:
    """Return the last words of the lines of each stanza; a line without words has ''."""
    found = (stanza for text in texts for stanza in stanzas(text))
    return [[spoken[-1] if (spoken := words(line.lower())) else "" for line in stanza] for stanza in found]


def rhyming_lines(stanza_ends: Sequence[Sequence[str]], sounds: Sounds) -> tuple[int, int]:
    """Return how many lines rhyme with a neighbour, and of how many that could.

    Rhymes are perfect ones of two words; the same word twice, or one that sounds the same, is none. Lines
    without a word that sounds, and lines without a neighbour that has one, are not counted.
    """
    rhyming = possible = 0
    for ends in stanza_ends:
        for n, word in enumerate(ends):
            if not sounds.endings(word):
                continue
            others = [*ends[max(n - REACH, 0) : n], *ends[n + 1 : n + 1 + REACH]]
            others = [other for other in others if sounds.endings(other)]
            possible += bool(others)
            rhyming += any(rhyme(sounds, word, other) == PERFECT for other in others)
    return rhyming, possible


def rhyming_by_chance(stanza_ends: Sequence[Sequence[str]], sounds: Sounds, seed: int = 0) -> tuple[int, int]:
    """Return the same for stanzas of the same shape whose lines end in each other's words, shuffled."""
    flat = [word for ends in stanza_ends for word in ends]
    order = np.random.default_rng(seed).permutation(len(flat))
    shuffled = iter([flat[n] for n in order])
    return rhyming_lines([[next(shuffled) for _ in ends] for ends in stanza_ends], sounds)
