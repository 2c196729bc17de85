"""Encoded songs, and the rows of slots that read them segment by segment.

Truncated back-propagation: each of B slots reads one song in segments of T characters and carries its
state from one segment to the next; when the song ends, the slot starts another from zero state at the
next segment. Only the rest of a song's last segment is padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lyricgen.vocabulary import SOS, Vocabulary

IGNORED = -100
"""Target of a padded position: cross entropy skips it."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class EncodedSongs:
    """Songs as token ids, one after the other, each ended by EOS; SOS is implied."""

    tokens: npt.NDArray[np.unsignedinteger]
    """(N,) token ids of all songs. May be a memory map."""
    starts: IntArray
    """(songs + 1,) where each song starts in `tokens`, and their end."""
    eos: int
    """Token id of EOS; subtracted from a token id it gives the output unit."""

    @classmethod
    def encode(cls, songs: Sequence[str], vocabulary: Vocabulary) -> EncodedSongs:
        """Encode `songs` in order."""
        dtype = np.uint8 if vocabulary.input_size <= 256 else np.uint32
        encoded = [np.array([*vocabulary.encode(song), vocabulary.eos], dtype) for song in songs]
        starts = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        return cls(np.concatenate(encoded), starts, vocabulary.eos)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def symbols(self) -> int:
        """How many symbols a model predicts in these songs: their characters and their ends."""
        return int(self.starts[-1])

    def lengths(self) -> IntArray:
        """Return the symbols in each song, its EOS included."""
        return np.diff(self.starts)

    def is_sound(self, input_size: int) -> bool:
        """Check that the arrays fit each other and the vocabulary, as after a damaged copy."""
        starts = self.starts
        if starts.ndim != 1 or self.tokens.ndim != 1 or len(starts) < 2 or starts[0] != 0:
            return False
        if (np.diff(starts) < 1).any() or starts[-1] != len(self.tokens):
            return False
        return bool(self.tokens.max() < input_size and (self.tokens[starts[1:] - 1] == self.eos).all())

    def piece(self, song: int, offset: int, length: int) -> tuple[IntArray, IntArray]:
        """Return up to `length` inputs and targets of a song from `offset` on.

        Inputs are token ids (the first is SOS), targets output units (the last is EOS's, 0).
        """
        start, end = int(self.starts[song]), int(self.starts[song + 1])
        first, last = start + offset, min(start + offset + length, end)
        targets = self.tokens[first:last].astype(np.int64)
        before = [SOS] if offset == 0 else self.tokens[first - 1 : first]
        inputs = np.concatenate([before, targets[:-1]]).astype(np.int64)
        return inputs, targets - self.eos


@dataclass(frozen=True)
class Segment:
    """One step's worth of every slot."""

    inputs: IntArray
    """(T, B) token ids."""
    targets: IntArray
    """(T, B) output units, `IGNORED` where padded."""
    fresh: npt.NDArray[np.bool_]
    """(B,) True where the slot starts a new song and so needs zero state."""

    @property
    def symbols(self) -> int:
        """How many of the targets are real."""
        return int((self.targets != IGNORED).sum())


class SongSlots:
    """Cuts shuffled songs into segments for B slots, without end.

    Each pass over the songs has its own order, decided by (seed, pass). The position is a small
    dictionary of numbers (`state`), so training can continue exactly where it stopped.
    """

    def __init__(self, songs: EncodedSongs, slots: int, segment_length: int, seed: int) -> None:
        self.songs, self.segment_length, self.seed = songs, segment_length, seed
        self._song = np.full(slots, -1, np.int64)  # (B,) what each slot reads; -1: nothing yet
        self._offset = np.zeros(slots, np.int64)  # (B,) how far it has read
        self._drawn = 0
        self._order = self._shuffled(0)

    def next_segment(self) -> Segment:
        """Advance every slot by one segment."""
        slots = len(self._song)
        inputs = np.zeros((self.segment_length, slots), np.int64)
        targets = np.full_like(inputs, IGNORED)
        fresh = np.zeros(slots, np.bool_)
        lengths = self.songs.lengths()
        for slot in range(slots):
            if self._song[slot] < 0 or self._offset[slot] >= lengths[self._song[slot]]:
                self._song[slot], self._offset[slot], fresh[slot] = self._draw(), 0, True
            piece, expected = self.songs.piece(
                int(self._song[slot]), int(self._offset[slot]), self.segment_length
            )
            inputs[: len(piece), slot], targets[: len(piece), slot] = piece, expected
            self._offset[slot] += len(piece)
        return Segment(inputs, targets, fresh)

    def state(self) -> dict[str, list[int] | int]:
        """Return the position in the songs, as plain numbers."""
        return {"song": self._song.tolist(), "offset": self._offset.tolist(), "drawn": self._drawn}

    def restore(self, state: dict[str, list[int] | int]) -> None:
        """Continue from a position returned by `state`.

        Raises:
            ValueError: it is a position of other songs or another number of slots.
        """
        song, offset = np.array(state["song"], np.int64), np.array(state["offset"], np.int64)
        if not song.shape == offset.shape == self._song.shape or song.max() >= len(self.songs):
            raise ValueError("a position of other songs or slots")
        self._song, self._offset = song, offset
        self._drawn = int(state["drawn"])  # type: ignore[arg-type]
        self._order = self._shuffled(self._drawn // len(self.songs))

    def _draw(self) -> int:
        position = self._drawn % len(self.songs)
        if position == 0:
            self._order = self._shuffled(self._drawn // len(self.songs))
        self._drawn += 1
        return int(self._order[position])

    def _shuffled(self, epoch: int) -> IntArray:
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.songs))


def similar_length_batches(songs: EncodedSongs, slots: int) -> Iterator[IntArray]:
    """Yield the indices of all songs, at most `slots` at a time, those of like length together."""
    order = np.argsort(songs.lengths(), kind="stable")
    for first in range(0, len(order), slots):
        yield order[first : first + slots]


def pad(songs: EncodedSongs, chosen: IntArray) -> tuple[IntArray, IntArray]:
    """Return inputs and targets (T, B) of whole songs, padded to the longest of them."""
    lengths = songs.lengths()[chosen]
    inputs = np.zeros((int(lengths.max()), len(chosen)), np.int64)
    targets = np.full_like(inputs, IGNORED)
    for slot, (song, length) in enumerate(zip(chosen, lengths, strict=True)):
        inputs[:length, slot], targets[:length, slot] = songs.piece(int(song), 0, int(length))
    return inputs, targets
