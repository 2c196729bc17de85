"""Which lines stand in the songs that a model read: fingerprints of those lines, in its card.

A fingerprint is a hash of a line's words, below a limit of `SPREAD` times as many numbers as there are lines.
So all lines that were read are found, and one in `SPREAD` of those that were not. What is kept is the gaps
between the fingerprints in ascending order, a byte each or, for 255 and more, a byte for each 255.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from lyricgen.engine.record import Integers
from lyricgen.errors import LyricgenError
from lyricgen.song.sound import words

LINE_WORDS = 4
"""Shorter lines prove nothing: everybody writes "O my love"."""
SPREAD = 150
_ESCAPE = 255
_MODELS_KEPT = 4
_MOST_BYTES = 2**26


def telling_words(line: str) -> str:
    """Return the words of a line in small letters, as they are compared; "" if they are too few to tell."""
    spoken = [word.strip("'’") for word in words(line.lower())]
    return " ".join(spoken) if len(spoken) >= LINE_WORDS else ""


def pack_lines(lines: Iterable[str]) -> str:
    """Return a text by which `KnownLines` finds some lines; those with too few words are left out."""
    found = sorted(set(filter(None, map(telling_words, lines))))
    limit = len(found) * SPREAD
    numbers = np.unique(np.array([_fingerprint(line, limit) for line in found], np.int64))
    gaps = np.diff(numbers, prepend=0)
    ends = np.cumsum(gaps // _ESCAPE + 1) - 1
    content = np.full(ends[-1] + 1 if len(ends) else 0, _ESCAPE, np.uint8)
    content[ends] = gaps % _ESCAPE
    packed = zlib.compress(content.tobytes(), 9)
    return f"{len(found)}:{base64.b64encode(packed).decode()}"


class KnownLines:
    """The lines of the songs that a model read, as far as fingerprints tell.

    Args:
        packed: what `pack_lines` returned.

    Raises:
        ValueError: it is damaged.
    """

    def __init__(self, packed: str) -> None:
        count, _, content = packed.partition(":")
        self._limit, stream = int(count) * SPREAD, zlib.decompressobj()
        try:
            raw = stream.decompress(base64.b64decode(content, validate=True), _MOST_BYTES)
        except zlib.error as error:
            raise ValueError(str(error)) from error
        if not stream.eof:
            raise ValueError("they break off, or are too many")
        gaps = np.frombuffer(raw, np.uint8)
        self._numbers: Integers = np.cumsum(gaps, dtype=np.int64)[gaps < _ESCAPE]

    def __contains__(self, line: str) -> bool:
        """Tell whether a line of four words or more stands in those songs; wrongly for one in `SPREAD`."""
        text = telling_words(line)
        if not text or not self._limit:
            return False
        number = _fingerprint(text, self._limit)
        place = int(np.searchsorted(self._numbers, number))
        return place < len(self._numbers) and int(self._numbers[place]) == number


@lru_cache(_MODELS_KEPT)
def known_lines(packed: str) -> KnownLines:
    """Return the lines that a card's `known_lines` stands for.

    Raises:
        LyricgenError: they are damaged.
    """
    try:
        return KnownLines(packed)
    except ValueError as error:
        problem = f"the lines that the model knows are damaged ({error}); export its session again"
        raise LyricgenError(problem) from error


def _fingerprint(text: str, limit: int) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") % limit
