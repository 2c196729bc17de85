"""What a text copied: the spans, lines and runs of words in it that stand in the songs a model read.

Spans are found with a suffix array of those songs: all their endings in order, so that the longest
beginning of anything that occurs in them is found by bisection.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numba
import numpy as np
import numpy.typing as npt

from lyricgen.engine.cpus import usable_cpus
from lyricgen.song.originality import telling_words
from train.report.wording import WordRuns, lines

RUN_WORDS = 8
_BETWEEN = b"\0"
"""Stands between songs, so that no span runs on into the next; no cleaned text has it."""


class Originals:
    """The songs that a model read, ready to be searched."""

    def __init__(self, texts: Sequence[str]) -> None:
        from pydivsufsort import divsufsort

        self._text = np.frombuffer(bytearray(_BETWEEN.join(text.encode() for text in texts)), np.uint8)
        self._endings: npt.NDArray[np.int32] = divsufsort(self._text)
        self._lines = set(chain.from_iterable(map(_telling_lines, texts)))
        self._runs = WordRuns(texts, RUN_WORDS)

    def longest_spans(self, texts: Sequence[str]) -> list[str]:
        """Return the longest piece of each text that stands, letter by letter, in a song; '' if none does."""
        with ThreadPoolExecutor(usable_cpus()) as pool:
            return list(pool.map(self._longest_span, (text.encode() for text in texts)))

    def _longest_span(self, text: bytes) -> str:
        start, end = _longest_match(self._text, self._endings, np.frombuffer(text, np.uint8))
        return text[start:end].decode()

    def copied_lines(self, texts: Sequence[str]) -> tuple[int, int]:
        """Return how many lines of four words or more stand in the songs, and of how many."""
        found = list(chain.from_iterable(map(_telling_lines, texts)))
        return sum(line in self._lines for line in found), len(found)

    def copied_runs(self, texts: Sequence[str]) -> tuple[int, int]:
        """Return how many runs of eight words stand in the songs, and of how many.

        What stands between the words (spaces, line ends, commas) does not count.
        """
        return self._runs.found(texts)


def _telling_lines(text: str) -> list[str]:
    return list(filter(None, map(telling_words, lines(text))))


@numba.njit(nogil=True)
def _begins_character(byte):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return byte & 0xC0 != 0x80  # in UTF-8


@numba.njit(nogil=True)
def _match(text, ending, query, start):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return how many bytes of `text` from `ending` on are those of `query` from `start` on."""
    most = min(len(text) - ending, len(query) - start)
    length = 0
    while length < most and text[ending + length] == query[start + length]:
        length += 1
    return length


@numba.njit(nogil=True)
def _longest_match(text, endings, query):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return where the span of most characters begins and ends in `query` that occurs in `text`."""
    characters = np.zeros(len(query) + 1, np.int64)  # before each byte
    for n in range(len(query)):
        characters[n + 1] = characters[n] + _begins_character(query[n])
    best_start, best_end, best = 0, 0, 0
    for start in range(len(query)):
        if not _begins_character(query[start]):
            continue
        low, high = 0, len(endings)
        while low < high:
            middle = (low + high) // 2
            ending = endings[middle]
            length = _match(text, ending, query, start)
            end = start + length
            while end > start and end < len(query) and not _begins_character(query[end]):
                end -= 1
            if characters[end] - characters[start] > best:
                best_start, best_end, best = start, end, characters[end] - characters[start]
            if start + length == len(query):
                break  # no longer one begins here
            if ending + length == len(text) or text[ending + length] < query[start + length]:
                low = middle + 1
            else:
                high = middle
    return best_start, best_end
