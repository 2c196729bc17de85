"""English words and their pronunciations: CMUdict, packed, and a guess from the spelling.

`python -m train.pronunciation` packs the dictionary and learns the guess from it. The packed file is a
.npz with these arrays:

    words      uint8 (n,)              blocks of lines in UTF-8, sorted, each under zlib: a word written
                                       backwards and, after spaces, its pronunciations, strings of `phonemes`
    ends       int64 (blocks,)         where each block ends
    firsts     uint8 (m,)              lines: the first word of each block, backwards
    letters    int8 (17, 28, H1)       the guess: a network that looks at a letter and 8 on either side
    biases_1   int64 (H1,)
    hidden     int8 (H1, H2)
    biases_2   int64 (H2,)
    output     int8 (H2, chunks)
    biases_3   int64 (chunks,)
    chunks     uint8 (l,)              lines: what a letter may stand for, none to two phonemes

Its arithmetic is in whole numbers, so the guess is the same on every machine (as in Sejnowski and Rosenberg
1987, "Parallel Networks that Learn to Pronounce English Text", but for that).
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, bisect_right
from functools import cache
from pathlib import Path

import numpy as np

from lyricgen.song.phonemes import is_vowel, stress, with_stress

PATH = Path(__file__).parent.parent / "assets" / "english.npz"
SIDE = 8
"""Letters on either side that the guess looks at."""
LETTERS = "_abcdefghijklmnopqrstuvwxyz'"
"""What it tells apart; the first stands beyond the ends of the word."""


class Dictionary:
    """Pronunciations by word. `dictionary()` opens the one that comes with lyricgen."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            self._words: bytes = arrays["words"].tobytes()
            self._ends: list[int] = arrays["ends"].tolist()
            self._firsts = arrays["firsts"].tobytes().split(b"\n")
            self._chunks = arrays["chunks"].tobytes().decode().split("\n")
            self._letters, *self._layers = (
                arrays[name] for name in ("letters", "biases_1", "hidden", "biases_2", "output", "biases_3")
            )
        self._blocks: dict[int, list[bytes]] = {}

    def find(self, word: str) -> tuple[str, ...]:
        """Return the pronunciations of a word in small letters; none if it is not in the dictionary."""
        wanted = word[::-1].encode()
        lines = self._block(max(0, bisect_right(self._firsts, wanted) - 1))
        place = bisect_left(lines, wanted + b" ")
        found, *pronunciations = lines[place].split(b" ") if place < len(lines) else [b""]
        return tuple(map(bytes.decode, pronunciations)) if found == wanted else ()

    def _block(self, n: int) -> list[bytes]:
        if n not in self._blocks:
            start = self._ends[n - 1] if n else 0
            self._blocks[n] = zlib.decompress(self._words[start : self._ends[n]]).split(b"\n")
        return self._blocks[n]

    def guess(self, word: str) -> str:
        """Return how a word of small letters and apostrophes may be pronounced, from its spelling."""
        numbers = [0] * SIDE + [LETTERS.index(letter) for letter in word] + [0] * SIDE
        seen = np.lib.stride_tricks.sliding_window_view(np.array(numbers), 2 * SIDE + 1)  # (letters, 17)
        biases_1, hidden, biases_2, output, biases_3 = self._layers
        values = self._letters[np.arange(2 * SIDE + 1), seen].sum(1, dtype=np.int64) + biases_1
        values = np.maximum(values, 0) @ hidden.astype(np.int64) + biases_2
        scores = np.maximum(values, 0) @ output.astype(np.int64) + biases_3  # (letters, chunks)
        return _stressed([self._chunks[chunk] for chunk in scores.argmax(1)])


@cache
def dictionary() -> Dictionary:
    """Open the dictionary that comes with lyricgen, once."""
    return Dictionary(PATH)


def _stressed(chunks: list[str]) -> str:
    """Return a pronunciation with a stressed vowel: the first, if the network stressed none."""
    pronunciation = "".join(chunks)
    vowels = [n for n, phoneme in enumerate(pronunciation) if is_vowel(phoneme)]
    if vowels and not any(stress(pronunciation[n]) == 1 for n in vowels):
        n = vowels[0]
        pronunciation = pronunciation[:n] + with_stress(pronunciation[n], 1) + pronunciation[n + 1 :]
    return pronunciation
