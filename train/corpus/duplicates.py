"""Versions of one song (covers, reprints, a chorus twice), found by the spans of words that they share.

Source: Broder 1997, "On the resemblance and containment of documents" (MinHash), by datasketch; the
look-up of equal bands is done by sorting, which for a million songs needs a tenth of the memory of
tables of them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from itertools import chain

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray

NEAR_DUPLICATE_SIMILARITY = 0.4
"""Songs whose sets of four-word spans overlap by this share (Jaccard) count as versions of one song."""

_SPAN_WORDS = 4
_SKETCH_SIZE = 128
_BANDS = 64
"""64 bands of 2 numbers: a pair just at the threshold is compared with probability 0.99999, an
unrelated pair hardly ever."""
_NEIGHBOURS = 16
_COMPARED_AT_ONCE = 2**16
_CACHED_WORDS = 2**20
_SPANS_AT_ONCE = 2**14
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, kana and Han."""
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


def near_duplicate_labels(texts: Iterable[str], count: int) -> NDArray[np.int64]:
    """Label `count` texts so that versions of one song (covers, reprints) share the number of the first.

    Returns:
        The labels (count,).
    """
    sketches = _sketch(texts, count)  # (N, 128)
    labels = np.arange(len(sketches))
    for band in range(_BANDS):
        low, high = sketches[:, 2 * band].astype(np.uint64), sketches[:, 2 * band + 1].astype(np.uint64)
        pairs = _pairs_with_equal_keys(low | high << np.uint64(32))
        for begin in range(0, len(pairs), _COMPARED_AT_ONCE):
            some = pairs[begin : begin + _COMPARED_AT_ONCE]
            some = some[labels[some[:, 0]] != labels[some[:, 1]]]
            similarity = (sketches[some[:, 0]] == sketches[some[:, 1]]).mean(axis=1)
            _unite(labels, some[similarity >= NEAR_DUPLICATE_SIMILARITY])
    return labels


def versions_of(
    others: Iterable[str], count: int, texts: Iterable[str], text_count: int
) -> NDArray[np.bool_]:
    """Tell of each of the texts whether one of the others is a version of it.

    Args:
        others: texts, so many as `count`.
        count: of the others.
        texts: so many as `text_count`.
        text_count: of the texts.

    Returns:
        (text_count,).
    """
    labels = near_duplicate_labels(chain(others, texts), count + text_count)
    found: NDArray[np.bool_] = np.isin(labels[count:], labels[:count])
    return found


def _pairs_with_equal_keys(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pair each number with its next neighbours of equal key, and with the first of them: (P, 2)."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[begins, len(keys)])
    order, ordered = order[np.repeat(sizes > 1, sizes)], ordered[np.repeat(sizes > 1, sizes)]
    firsts = np.repeat(np.cumsum(sizes[sizes > 1]) - sizes[sizes > 1], sizes[sizes > 1])
    far = np.flatnonzero(np.arange(len(order)) - firsts > _NEIGHBOURS)
    pairs = [np.column_stack((order[firsts[far]], order[far]))]
    for distance in range(1, min(_NEIGHBOURS, int(sizes.max(initial=1)) - 1) + 1):
        equal = ordered[distance:] == ordered[:-distance]
        pairs.append(np.column_stack((order[:-distance][equal], order[distance:][equal])))
    return np.concatenate(pairs)


def _unite(labels: NDArray[np.int64], pairs: NDArray[np.int64]) -> None:
    """Give the groups of each pair one label, the smaller."""
    parent: dict[int, int] = {}

    def root(label: int) -> int:
        passed = []
        while label in parent:
            passed.append(label)
            label = parent[label]
        parent.update(dict.fromkeys(passed, label))
        return label

    for one, other in labels[pairs].tolist():
        low, high = sorted((root(one), root(other)))
        if low != high:
            parent[high] = low
    if parent:
        renamed = np.arange(len(labels))
        for label in tuple(parent):
            renamed[label] = root(label)
        labels[:] = renamed[labels]


def _sketch(texts: Iterable[str], count: int) -> NDArray[np.uint32]:
    """Return the MinHash sketches of `count` texts: (N, 128)."""
    hashes = _WordHashes()
    sketches = np.empty((count, _SKETCH_SIZE), np.uint32)
    empty = MinHash(_SKETCH_SIZE, seed=1, hashfunc=_itself, scheme="affine32")
    for n, text in enumerate(texts):
        spans, sketch = _span_hashes(text, hashes), empty.copy()
        for first in range(0, len(spans), _SPANS_AT_ONCE):  # each takes 128 numbers
            sketch.update_batch(spans[first : first + _SPANS_AT_ONCE])
        sketches[n] = sketch.hashvalues
    return sketches


def _itself(number: int) -> int:
    return number


class _WordHashes(dict[str, int]):
    """CRC-32 of words, computed once for each; a fixed function, so that a split never changes."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _CACHED_WORDS:
            self.clear()
        self[word] = zlib.crc32(word.encode())
        return self[word]


def _span_hashes(text: str, hashes: Mapping[str, int]) -> list[int]:
    """Return the hashes of the text's distinct spans of four words; texts without words count characters."""
    text = text.casefold()
    words = _WORD.findall(text) or [character for character in text if not character.isspace()]
    words += [""] * (_SPAN_WORDS - len(words))
    numbers = np.fromiter(map(hashes.__getitem__, words), np.uint64, len(words))
    spans = numbers[: len(words) - _SPAN_WORDS + 1].copy()
    for n in range(1, _SPAN_WORDS):
        spans *= np.uint64(0x9E3779B97F4A7C15)  # wraps around, as a hash may
        spans += numbers[n : len(words) - _SPAN_WORDS + 1 + n]
    spans ^= spans >> np.uint64(29)
    spans *= np.uint64(0xBF58476D1CE4E5B9)
    return (np.unique(spans) >> np.uint64(32)).tolist()  # type: ignore[no-any-return]
