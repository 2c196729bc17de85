"""Texts as readers see them: stanzas, lines, words; and which words, alone or in a row, a corpus has."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import numpy as np
import numpy.typing as npt
import pandas as pd

from lyricgen.song.originality import plain_words

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Odd and without a pattern: the base of a rolling hash."""


def stanzas(text: str) -> list[list[str]]:
    """Return the lines of each stanza; empty lines stand between stanzas."""
    return [stanza.splitlines() for stanza in text.split("\n\n") if stanza.strip()]


def lines(text: str) -> list[str]:
    """Return the lines that are not empty."""
    return [line for line in text.splitlines() if line.strip()]


class WordRuns:
    """The runs of `length` words side by side, each within one text, that a corpus has."""

    def __init__(self, texts: Iterable[str], length: int) -> None:
        spoken, self._length = list(map(plain_words, texts)), length
        self.words = pd.Index(list(chain.from_iterable(spoken)), dtype=object).unique()
        """The distinct words of the corpus."""
        self._runs = pd.Index(np.unique(self._hashes(spoken)))

    def found(self, texts: Iterable[str]) -> tuple[int, int]:
        """Return how many runs of other texts the corpus has, and of how many."""
        hashes = self._hashes(list(map(plain_words, texts)))
        return int((self._runs.get_indexer(pd.Index(hashes)) >= 0).sum()), len(hashes)

    def _hashes(self, spoken: list[list[str]]) -> npt.NDArray[np.uint64]:
        """Return a hash of each run; one with a word that the corpus lacks has none of its hashes."""
        flat = pd.Index(list(chain.from_iterable(spoken)), dtype=object)
        numbers = (self.words.get_indexer(flat) + 1).astype(np.uint64)  # 0: not in the corpus
        text = np.repeat(np.arange(len(spoken)), [len(those) for those in spoken])
        hashes = np.zeros(max(len(numbers) - self._length + 1, 0), np.uint64)
        for offset in range(self._length):
            hashes = hashes * _FACTOR + numbers[offset : offset + len(hashes)]
        return np.compress(text[: len(hashes)] == text[self._length - 1 :], hashes)
