"""Versions of one song (covers, reprints, a chorus twice), found by the spans of words that they share.

Source: Broder 1997, "On the resemblance and containment of documents" (MinHash), as datasketch computes it.
Equal bands are found by sorting, which needs a tenth of the memory of datasketch's tables.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from itertools import chain

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray

NEAR_DUPLICATE_SIMILARITY = 0.4
"""Songs whose sets of four-word spans overlap by this share (Jaccard) count as versions of one song."""

_SPAN_WORDS = 4
_SKETCH_SIZE = 128
"""64 bands of 2 numbers: a pair just at the threshold is compared with probability 0.99999, an unrelated
pair hardly ever."""
_NEIGHBOURS = 16
_COMPARED_AT_ONCE = 2**16
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, kana and Han."""
_COMPARED_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
"""A word as songs are compared by; a change would change every split."""


def near_duplicate_labels(texts: Iterable[str], count: int) -> NDArray[np.int64]:
    """Label each of `count` texts with the number of the first version of the same song: (count,)."""
    sketches, labels = np.empty((count, _SKETCH_SIZE), np.uint32), np.arange(count)
    empty = MinHash(_SKETCH_SIZE, seed=1, hashfunc=int, scheme="affine32")  # spans are hashes already
    for n, text in enumerate(texts):
        sketch = empty.copy()
        sketch.update_batch(_span_hashes(text))
        sketches[n] = sketch.hashvalues
    for keys in sketches.view(np.uint64).T:  # a band of two numbers is one key
        pairs = _pairs_with_equal_keys(keys)
        for begin in range(0, len(pairs), _COMPARED_AT_ONCE):
            some = pairs[begin : begin + _COMPARED_AT_ONCE]
            some = some[labels[some[:, 0]] != labels[some[:, 1]]]
            similarity = (sketches[some[:, 0]] == sketches[some[:, 1]]).mean(axis=1)
            _unite(labels, some[similarity >= NEAR_DUPLICATE_SIMILARITY])
    return labels


def versions_of(
    others: Iterable[str], count: int, texts: Iterable[str], text_count: int
) -> NDArray[np.bool_]:
    """Tell which of `text_count` texts are versions of one of `count` others: (text_count,)."""
    labels = near_duplicate_labels(chain(others, texts), count + text_count)
    return np.isin(labels[count:], labels[:count])


def _pairs_with_equal_keys(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pair each index with the next few, and with the first, that have the same key: (P, 2)."""
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
    """Give both groups of each pair the smaller of their labels; a label numbers its first song."""
    for pair in pairs.tolist():
        for n, song in enumerate(pair):
            while labels[song] != song:
                song = labels[song]
            pair[n] = song
        labels[max(pair)] = min(pair)
    while (labels != labels[labels]).any():
        labels[:] = labels[labels]


def _span_hashes(text: str) -> list[int]:
    """Return the hashes of a text's distinct spans of four words, or characters if it has no words.

    Words are hashed by CRC-32, a fixed function, so that a split never changes.
    """
    text = text.casefold()
    words = _COMPARED_WORD.findall(text) or [character for character in text if not character.isspace()]
    words += [""] * (_SPAN_WORDS - len(words))
    numbers = np.fromiter((zlib.crc32(word.encode()) for word in words), np.uint64, len(words))
    spans = numbers[: len(words) - _SPAN_WORDS + 1].copy()
    for n in range(1, _SPAN_WORDS):
        spans *= np.uint64(0x9E3779B97F4A7C15)  # wraps around, as a hash may
        spans += numbers[n : len(words) - _SPAN_WORDS + 1 + n]
    spans ^= spans >> np.uint64(29)
    spans *= np.uint64(0xBF58476D1CE4E5B9)
    return (np.unique(spans) >> np.uint64(32)).tolist()  # type: ignore[no-any-return]
