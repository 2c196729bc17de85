"""Texts as readers see them: a title, stanzas, lines, words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt
import pandas as pd

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def words(text: str) -> list[str]:
    """Return the words in order, in lower case; an apostrophe inside belongs to its word."""
    return _WORD.findall(text.lower())


def stanzas(text: str) -> list[list[str]]:
    """Return the lines of each stanza; empty lines stand between stanzas."""
    return [stanza.splitlines() for stanza in text.split("\n\n") if stanza.strip()]


def lines(text: str) -> list[str]:
    """Return the lines that are not empty."""
    return [line for line in text.splitlines() if line.strip()]


def numbers_of(spoken: pd.Series[str], known: pd.Index[str]) -> npt.NDArray[np.int64]:
    """Return the number (words,) of each word among those known; for all others the number after the last.

    What is made of a word that a corpus lacks is therefore never found among what is made of the corpus.
    """
    numbers: npt.NDArray[np.int64] = known.get_indexer(pd.Index(spoken))
    return np.where(numbers < 0, len(known), numbers)


def count_found(values: npt.NDArray[np.generic], table: npt.NDArray[np.generic]) -> int:
    """Return how many of the values (n,) stand in an ascending table (m,); np.isin would sort both."""
    if not len(table):
        return 0
    at = np.minimum(np.searchsorted(table, values), len(table) - 1)
    return int((table[at] == values).sum())


class Language:
    """The words, and the pairs of words side by side, that a corpus or a dictionary has."""

    def __init__(self, texts: Iterable[str], dictionary: Iterable[str]) -> None:
        spoken = [words(line) for text in texts for line in lines(text)]
        flat = pd.Series(list(chain.from_iterable(spoken)), dtype=object)
        ids, uniques = pd.factorize(flat)
        self._ids = pd.Index(uniques)
        self._pairs = np.unique(_pairs(ids, [len(line) for line in spoken]))
        self._words = frozenset(uniques).union(dictionary)

    def known_words(self, texts: Iterable[str]) -> tuple[int, int]:
        """Return how many words of the texts are known, and of how many."""
        spoken = [word for text in texts for word in words(text)]
        return sum(word in self._words for word in spoken), len(spoken)

    def known_pairs(self, texts: Iterable[str]) -> tuple[int, int]:
        """Return how many pairs of neighbours within lines occur in the corpus, and of how many."""
        spoken = [words(line) for text in texts for line in lines(text)]
        flat = pd.Series(list(chain.from_iterable(spoken)), dtype=object)
        ids = numbers_of(flat, self._ids)
        pairs = _pairs(ids, [len(line) for line in spoken])
        return count_found(pairs, self._pairs), len(pairs)


def _pairs(ids: npt.NDArray[np.int64], lengths: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return a number for each pair of words side by side in one line."""
    line = np.repeat(np.arange(len(lengths)), lengths)
    within = line[:-1] == line[1:]
    pairs: npt.NDArray[np.int64] = ((ids[:-1] << 32) | ids[1:])[within]
    return pairs
