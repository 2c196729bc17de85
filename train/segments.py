"""Batches of slots that read encoded songs segment by segment.

Truncated back-propagation: each of B slots reads one song in segments of T characters and carries its
state from one segment to the next; when the song ends, the slot starts another from zero state at the
next segment. Only the rest of a song's last segment is padding.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from train.corpus.encoded import IGNORED, EncodedSongs, IntArray

if TYPE_CHECKING:
    from train.auxiliary import AuxiliaryTasks


_GOLDEN = (5**0.5 - 1) / 2
"""Steps of this size spread evenly over [0, 1), however many there are."""
Weights = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Segment:
    """One step's worth of slots: of all B, or of those that one process trains on."""

    inputs: IntArray
    """(T, B) token ids."""
    targets: IntArray
    """(T, B) output units, `IGNORED` where there is nothing to predict."""
    fresh: npt.NDArray[np.bool_]
    """(B,) True where the slot starts a new song and so needs zero state."""
    symbols: int
    """How many targets are real, over all slots, also those of other processes."""
    answers: IntArray | None = None
    """(T, B, questions) of the auxiliary tasks, if there are any; `IGNORED` where there is none."""


class SegmentLoader:
    """Cuts shuffled songs into segments for B slots, without end.

    Each pass over the songs has its own order, decided by (seed, pass). The position is a small
    dictionary of numbers (`state`), so training can continue exactly where it stopped.

    Args:
        songs: at least one.
        slots: B.
        segment_length: T, in symbols.
        seed: decides the orders, and who is read with a style.
        style_dropout: share of the songs that are read without their style.
        tasks: what else is to be answered, if anything.
        weights: (songs,) above 0, how often each song is read in a pass, in the mean; None: once.
    """

    def __init__(
        self,
        songs: EncodedSongs,
        slots: int,
        segment_length: int,
        seed: int,
        style_dropout: float = 0.0,
        tasks: AuxiliaryTasks | None = None,
        weights: Weights | None = None,
    ) -> None:
        self.songs, self.segment_length, self.seed = songs, segment_length, seed
        self.style_dropout, self.tasks = style_dropout, tasks
        self._answers: dict[int, IntArray] = {}  # slot → answers of the song it reads
        self._lengths = songs.lengths()
        self._weights = np.ones(len(songs)) if weights is None else weights
        self._songs_in_pass = max(1, round(self._weights.sum()))
        self._song = np.full(slots, -1, np.int64)  # (B,) what each slot reads; -1: nothing yet
        self._style = np.zeros(slots, np.int64)  # (B,) the style token it reads it with, or 0
        self._offset = np.zeros(slots, np.int64)  # (B,) how far it has read
        self._drawn = 0
        self._shuffle(0)

    def next_segment(self, columns: slice = slice(None)) -> Segment:
        """Advance every slot by one segment; return it for the slots in `columns`."""
        ended = (self._song < 0) | (self._offset >= self._lengths[self._song] + (self._style > 0))
        for slot in np.flatnonzero(ended).tolist():
            self._song[slot], self._style[slot] = self._draw()
            self._answers.pop(slot, None)
        before = np.where(ended, 0, self._offset)
        total = self._lengths[self._song] + (self._style > 0)
        self._offset = np.minimum(before + self.segment_length, total)
        symbols = int((self._offset - before).sum()) - int((ended & (self._style > 0)).sum())
        chosen = range(*columns.indices(len(before)))
        inputs = np.zeros((self.segment_length, len(chosen)), np.int64)
        targets = np.full_like(inputs, IGNORED)
        for column, slot in enumerate(chosen):
            song, style = int(self._song[slot]), int(self._style[slot])
            piece, expected = self.songs.piece(song, int(before[slot]), self.segment_length, style)
            inputs[: len(piece), column], targets[: len(piece), column] = piece, expected
        answers = self._answers_from(before, chosen, self.tasks) if self.tasks else None
        return Segment(inputs, targets, ended[columns], symbols, answers)

    def _answers_from(self, offsets: IntArray, slots: range, tasks: AuxiliaryTasks) -> IntArray:
        """Return the answers for one segment of `slots`, whose songs are read from `offsets` on."""
        answers = np.full((self.segment_length, len(slots), len(tasks.sizes)), IGNORED)
        for column, slot in enumerate(slots):
            song = int(self._song[slot])
            if slot not in self._answers:
                style = int(self.songs.styles[song])
                self._answers[slot] = tasks.answers(self.songs.tokens_of(song), style)
            first = int(offsets[slot]) - int(self._style[slot] > 0)  # -1 where a style is to come
            own = self._answers[slot][max(first, 0) : first + len(answers)]
            answers[max(-first, 0) :, column][: len(own)] = own
        return answers

    def state(self) -> dict[str, list[int] | int]:
        """Return the position in the songs, as plain numbers."""
        return {
            "song": self._song.tolist(),
            "style": self._style.tolist(),
            "offset": self._offset.tolist(),
            "drawn": self._drawn,
        }

    def restore(self, state: dict[str, list[int] | int]) -> None:
        """Continue from a position that `state` returned; one of other songs or slots raises some error."""
        song, style, offset = (np.array(state[name], np.int64) for name in ("song", "style", "offset"))
        if not song.shape == style.shape == offset.shape == self._song.shape:
            raise ValueError("a position of another number of slots")
        if song.min() < -1 or song.max() >= len(self.songs):
            raise ValueError("a position in other songs")
        has_style = style > 0
        if offset.min() < 0 or (offset > self._lengths[song] + has_style).any():
            raise ValueError("a position beyond a song's end")
        if (style[has_style] != self.songs.styles[song[has_style]]).any() or style.min() < 0:
            raise ValueError("a style that the songs do not have")
        drawn = operator.index(state["drawn"])  # type: ignore[arg-type]
        if not 0 <= drawn < 2**63:
            raise ValueError("no number of songs drawn")
        self._song, self._style, self._offset, self._drawn = song, style, offset, drawn
        self._answers.clear()
        self._shuffle(max(self._drawn - 1, 0) // self._songs_in_pass)

    def _draw(self) -> tuple[int, int]:
        """Return the next song in this pass's order, and the style to read it with."""
        epoch, position = divmod(self._drawn, self._songs_in_pass)
        if position == 0:
            self._shuffle(epoch)
        self._drawn += 1
        song = int(self._order[position])
        return song, int(self.songs.styles[song]) if self._with_style[song] else 0

    def _shuffle(self, epoch: int) -> None:
        draw = np.random.default_rng((self.seed, epoch))
        # Evenly spaced along all weights: a song of weight 2.3 comes twice, or three times.
        ends = np.cumsum(self._weights) * (self._songs_in_pass / self._weights.sum())
        ends[-1] = self._songs_in_pass
        first = (np.random.default_rng((self.seed, 1)).random() + epoch * _GOLDEN) % 1
        times = np.diff(np.ceil(ends - first), prepend=0).astype(np.int64)
        self._order = draw.permutation(np.repeat(np.arange(len(self.songs)), times))
        self._with_style = draw.random(len(self.songs)) >= self.style_dropout
