"""Which lines stand in the songs that a model read: fingerprints of those lines, in its card.

A fingerprint is a hash of a line's words, below `SPREAD` times as many numbers as there are lines. So all
lines that were read are found, and one in `SPREAD` of those that were not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from lyricgen.model_file.fingerprints import SPREAD, pack, unpack
from lyricgen.song.sound import words

LINE_WORDS = 4
"""Shorter lines prove nothing: everybody writes "O my love"."""


def plain_words(text: str) -> list[str]:
    """Return the words and numbers in order, in lower case; only an apostrophe inside belongs to its word."""
    return [word.strip("'’") for word in words(text.lower())]


def telling_words(line: str) -> str:
    """Return the words of a line in small letters, as they are compared; "" if they are too few to tell."""
    spoken = plain_words(line)
    return " ".join(spoken) if len(spoken) >= LINE_WORDS else ""


def pack_lines(lines: Iterable[str]) -> str:
    """Return a text by which `KnownLines` finds some lines; those with too few words are left out."""
    found = set(filter(None, map(telling_words, lines)))
    limit = len(found) * SPREAD
    return pack(np.unique(np.array([_fingerprint(line, limit) for line in found], np.int64)), len(found))


class KnownLines:
    """The lines of the songs that a model read, as far as fingerprints tell.

    Args:
        packed: what `pack_lines` returned.

    Raises:
        ValueError: it is damaged.
    """

    def __init__(self, packed: str) -> None:
        self._numbers, count = unpack(packed)
        self._limit = count * SPREAD

    def __contains__(self, line: str) -> bool:
        """Tell whether a line of four words or more stands in those songs; wrongly for one in `SPREAD`."""
        text = telling_words(line)
        if not text or not self._limit:
            return False
        number = _fingerprint(text, self._limit)
        place = int(np.searchsorted(self._numbers, number))
        return place < len(self._numbers) and int(self._numbers[place]) == number


def known_lines(packed: str) -> KnownLines | tuple[()]:
    """Return the lines that a card's `known_lines` stands for; "" for none."""
    return KnownLines(packed) if packed else ()


def _fingerprint(text: str, limit: int) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") % limit
