"""Encoded songs: token ids on disk, mapped into memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from lyricgen.model_file.contract import split_title
from lyricgen.vocabulary import SOS, Vocabulary
from train.corpus.files import hash_contents
from train.corpus.scratch import CorpusSong

IntArray = npt.NDArray[np.int64]
IGNORED = -100
"""Target of a position that is not to be predicted (padding, a style token): cross entropy skips it."""
_CHECKED_AT_ONCE = 2**22
_CODE_POINTS = 0x110000


@dataclass(frozen=True)
class EncodedSongs:
    """Songs as token ids, one after the other, each ended by EOS; SOS is implied."""

    tokens: npt.NDArray[np.unsignedinteger]
    """(N,) token ids of all songs, perhaps a memory map."""
    starts: IntArray
    """(songs + 1,) where each song starts in `tokens`, and their end."""
    styles: IntArray
    """(songs,) token id of each song's style, 0 for none."""
    eos: int
    """Token id of EOS; subtracted from a token id it gives the output unit."""

    @classmethod
    def open(cls, folder: Path, part: str, vocabulary: Vocabulary) -> EncodedSongs:
        """Open what `save_songs` wrote; the tokens stay in the file and are mapped into memory.

        Raises:
            OSError, ValueError, EOFError: files are missing, or are not those of songs in `vocabulary`.
        """
        paths = song_paths(folder, part)
        tokens, starts, styles = (np.load(path, mmap_mode="r", allow_pickle=False) for path in paths)
        for found, kinds in ((tokens, "u"), (starts, "i"), (styles, "iu")):
            if not isinstance(found, np.ndarray) or found.ndim != 1 or found.dtype.kind not in kinds:
                raise ValueError("not arrays of songs")
        songs = cls(tokens, np.array(starts, np.int64), np.array(styles, np.int64), vocabulary.eos)
        songs._check(vocabulary)
        return songs

    def _check(self, vocabulary: Vocabulary) -> None:
        """Check what all other methods rely on; if it is not so, raise a ValueError."""
        starts, styles, eos = self.starts, self.styles, vocabulary.eos
        if len(starts) < 2 or starts[0] != 0 or not starts[-1] == starts.max() == len(self.tokens):
            raise ValueError("songs must fill their file")
        if (np.diff(starts) < 1).any():
            raise ValueError("songs must lie one behind the other")
        if len(styles) != len(self) or styles.min() < 0 or styles.max() >= eos:
            raise ValueError("every song must have a style that there is, or none")
        ends = 0
        for first in range(0, len(self.tokens), _CHECKED_AT_ONCE):
            piece = self.tokens[first : first + _CHECKED_AT_ONCE]
            if piece.min() < eos or piece.max() >= vocabulary.input_size:
                raise ValueError("a token id that means nothing")
            ends += int((piece == eos).sum())
        if ends != len(self) or (self.tokens[starts[1:] - 1] != eos).any():
            raise ValueError("each song must end once, at its end")

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def symbols(self) -> int:
        """How many symbols a model predicts in these songs: their characters and their ends."""
        return int(self.starts[-1])

    def lengths(self) -> IntArray:
        """Return the symbols in each song, its EOS included: (songs,)."""
        return np.diff(self.starts)

    def tokens_of(self, song: int) -> npt.NDArray[np.unsignedinteger]:
        """Return the token ids of a song, EOS included: (n,), not a copy."""
        return self.tokens[self.starts[song] : self.starts[song + 1]]

    def of_style(self, style: int) -> EncodedSongs:
        """Return the songs with this style token, in memory."""
        chosen = np.flatnonzero(self.styles == style)
        pieces = [self.tokens_of(song) for song in chosen.tolist()]
        starts = np.cumsum([0, *map(len, pieces)])
        tokens = np.concatenate([self.tokens[:0], *pieces])
        return EncodedSongs(tokens, starts, self.styles[chosen], self.eos)

    def bodies(self, vocabulary: Vocabulary, *, titles: bool) -> Iterator[str]:
        """Yield the songs' texts one by one; if `titles`, without the titles that `split_title` finds."""
        for song in range(len(self)):
            text = vocabulary.decode(self.tokens_of(song)[:-1].tolist())
            yield split_title(text)[1] if titles else text

    def piece(self, song: int, offset: int, length: int, style: int = 0) -> tuple[IntArray, IntArray]:
        """Return up to `length` inputs and targets of a song from position `offset` on, (n,) int64 each.

        Inputs are token ids: SOS, then `style` unless it is 0, then characters. Targets are output units
        (the last is EOS's, 0); after SOS a style is not to be predicted, but given.
        """
        head = [SOS, style] if style else [SOS]
        tokens = np.concatenate([head, self.tokens_of(song)]).astype(np.int64)[offset : offset + length + 1]
        targets = tokens[1:] - self.eos
        if style and offset == 0:
            targets[0] = IGNORED
        return tokens[:-1], targets


def song_paths(folder: Path, part: str) -> tuple[Path, Path, Path]:
    """Return the files of a part ("training" or "held_out"): tokens, starts, styles."""
    return folder / f"{part}.npy", folder / f"{part}_starts.npy", folder / f"{part}_styles.npy"


def save_songs(folder: Path, part: str, songs: Iterable[CorpusSong], vocabulary: Vocabulary) -> None:
    """Encode `songs` into files, one song at a time: a large corpus needs little memory.

    Raises:
        OSError: `folder` cannot be written.
        UnknownCharacterError: a text has a character that the vocabulary lacks.
    """
    dtype = np.min_scalar_type(vocabulary.input_size - 1)
    style_ids = {style: token for token, style in enumerate(vocabulary.styles, SOS + 1)}
    id_of = np.zeros(_CODE_POINTS, dtype)  # code point → token id
    id_of[list(map(ord, vocabulary.characters))] = range(vocabulary.eos + 1, vocabulary.input_size)
    starts, styles = array("q", [0]), array("q")
    tokens_path, starts_path, styles_path = song_paths(folder, part)
    with tokens_path.open("wb") as file:
        _write_header(file, dtype, 0)
        for song in songs:
            tokens = id_of[np.frombuffer(song.text.encode("utf-32-le"), np.uint32)]
            if not tokens.all():  # 0 is SOS, which no character has
                vocabulary.encode(song.text)  # raises an error that names the characters
            file.write(np.append(tokens, dtype.type(vocabulary.eos)).tobytes())
            starts.append(starts[-1] + len(tokens) + 1)
            styles.append(style_ids.get(song.style, 0))
        file.seek(0)
        _write_header(file, dtype, starts[-1])
    np.save(starts_path, np.array(starts, np.int64))
    np.save(styles_path, np.array(styles, np.int64))


def _write_header(file: BinaryIO, dtype: np.dtype[Any], size: int) -> None:
    """Write the beginning of a .npy of a vector; it is as long for any size."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (size,)}
    np.lib.format.write_array_header_1_0(file, header)


def hash_songs(folder: Path, part: str) -> str:
    """Return the sha256 over the files of a part, in hexadecimal digits.

    Raises:
        OSError: they cannot be read.
    """
    return hash_contents(*song_paths(folder, part))
