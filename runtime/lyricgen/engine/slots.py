"""Songs from SOS to EOS in a batch of slots: the kernel writes, this module starts songs and takes them away.

A batch advances its songs side by side, as fast as one call of onnxruntime for all of them allows. A slot
whose song is over gets the next one, so a long song keeps nobody waiting; when no song is left to start,
the batch becomes narrower. What a song is depends on its seed and index alone (see `sampling`), not on its
neighbours: each song's logits are the same to the last bit however many are computed beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lyricgen.engine import machine_code
from lyricgen.engine.ort_c_api import OrtCSession
from lyricgen.engine.record import BATCH, BROKEN, ENDED, NOT_RUN, RESTING, STARTING
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.errors import NonFiniteLogitsError, OrtError
from lyricgen.vocabulary import SOS

STEPS = 64
"""Characters of each song between two looks at the songs: what streams, stops and Ctrl-C wait for."""
_CAPACITY = 2048
"""Characters that a slot has room for at first."""

Floats32 = npt.NDArray[np.float32]
Units = npt.NDArray[np.int32]


@dataclass(frozen=True)
class SongPlan:
    """All that decides a song, besides the model and the song's index."""

    style: int | None
    """Token id of the style; None for no particular one."""
    prefix: list[int]
    """Token ids of the characters that the song begins with; may be empty."""
    exact_length: bool
    """Whether a song that reaches `max_length` is left as it is, not cut back to its last whole line."""
    numbers: Mapping[str, float]
    """The options of a song that are numbers, by name: fields of `record.BATCH`."""

    @property
    def seed(self) -> int:
        """Key of the random numbers."""
        return int(self.numbers["seed"])

    @property
    def max_length(self) -> int:
        """Characters after which to stop, the prefix's included."""
        return int(self.numbers["max_length"])


@dataclass(frozen=True)
class Prefix:
    """Where all songs of a plan start from: SOS, style and given characters have been read."""

    state: Floats32
    """(2, L, H) float32 hidden and cell state."""
    logits: Floats32
    """(V_out,) float32 for the first character to draw."""


@dataclass(frozen=True)
class WrittenSong:
    """A song as the kernel left it."""

    index: int
    units: Units
    """(n,) int32 output units of its characters, without those of the prefix."""
    ended: bool
    """Whether it ended with EOS, not at the maximum length."""
    bits: npt.NDArray[np.float64]
    """(n,), or (n + 1,) if it ended, float64: what each character cost, and EOS: -log2 of its probability
    in the model."""


def read_prefix(file: ModelFile, plan: SongPlan) -> Prefix:
    """Read, once for all songs, what they start with.

    Raises:
        OrtError: onnxruntime failed.
    """
    steps = StepModel(file)
    style = [] if plan.style is None else [plan.style]
    for token in [SOS, *style, *plan.prefix]:
        steps.token[0] = token
        steps.step()
    return Prefix(steps.state[:, :, 0].copy(), steps.logits[0].copy())


class Batch:
    """`songs` slots beside each other. Not for two threads at once."""

    def __init__(self, file: ModelFile, plan: SongPlan, prefix: Prefix, songs: int) -> None:
        self._file, self._plan, self._prefix = file, plan, prefix
        self._advance = machine_code.advance()
        outputs = file.card.vocabulary.output_size
        self._scratch = np.zeros(outputs, np.float64), np.zeros(outputs, np.int64)
        self._slots = _Slots(file, songs, self._room(0))
        self._record = self._describe()

    @property
    def songs(self) -> int:
        """B, the number of slots."""
        return self._slots.songs

    def start(self, slot: int, index: int) -> None:
        """Let a resting slot begin song `index` with the next `advance`."""
        self._slots.song[slot] = index
        self._slots.length[slot] = len(self._plan.prefix)
        self._slots.phase[slot] = STARTING

    def resting(self) -> list[int]:
        """Return the slots without a song."""
        return [int(slot) for slot in np.flatnonzero(self._slots.phase == RESTING)]

    def advance(self) -> list[WrittenSong]:
        """Write on until a song is over, for `STEPS` characters at most; take away what is over.

        Raises:
            NonFiniteLogitsError: the model computed NaN or infinity.
            OrtError: onnxruntime failed.
        """
        longest = int(self._slots.length.max())
        if longest + STEPS >= self._slots.capacity:
            self._move(self.songs, self._room(longest))
        try:
            if self._record["run"][0] == NOT_RUN:
                self._advance_by_python()
            else:
                self._call(STEPS)
        except OrtError as error:
            raise OrtError(f"{self._file.path}: {error}") from error
        return [self._take(int(slot)) for slot in np.flatnonzero(self._slots.phase >= ENDED)]

    def so_far(self, slot: int) -> Units:
        """Return the units (n,) int32 of a song that goes on, without those of the prefix; not a copy."""
        return self._slots.text[slot, len(self._plan.prefix) : self._slots.length[slot]]

    def narrow(self) -> None:
        """Drop the resting slots, if they are at least half of all."""
        busy = self.songs - len(self.resting())
        if 0 < busy <= self.songs // 2:
            self._move(busy, self._slots.capacity)

    def _call(self, steps: int) -> None:
        status = self._advance(self._record.ctypes.data, steps)
        if status and isinstance(self._file.ort_session, OrtCSession):
            raise self._file.ort_session.error(status)

    def _advance_by_python(self) -> None:
        self._call(0)  # start what is to start
        for _ in range(STEPS):
            if (self._slots.phase >= ENDED).any():
                return
            self._slots.steps.step()
            self._call(1)

    def _take(self, slot: int) -> WrittenSong:
        slots, phase, end = self._slots, self._slots.phase[slot], int(self._slots.length[slot])
        if phase == BROKEN:
            raise NonFiniteLogitsError(end)
        slots.phase[slot] = RESTING
        start, ended = len(self._plan.prefix), bool(phase == ENDED)
        drawn = slice(start, end + ended)
        gaps, totals = (array[slot, drawn].astype(np.float64) for array in (slots.gaps, slots.totals))
        bits = gaps / math.log(2) + np.log2(totals)
        return WrittenSong(int(slots.song[slot]), slots.text[slot, start:end].copy(), ended, bits)

    def _room(self, longest: int) -> int:
        """Return how many characters slots should have room for if they are full with `longest`."""
        wanted = max(_CAPACITY, len(self._plan.prefix) + 2 * STEPS, 2 * longest)
        return min(wanted, self._plan.max_length + 1) + STEPS

    def _move(self, songs: int, capacity: int) -> None:
        """Go on in another number of slots, or in larger ones."""
        slots = _Slots(self._file, songs, capacity)
        slots.take_over(self._slots, int(self._record["current"][0]))
        self._slots = slots
        self._record = self._describe()

    def _describe(self) -> npt.NDArray[np.void]:
        """Return all that the kernel is told."""
        card, plan, slots, session = self._file.card, self._plan, self._slots, self._file.ort_session
        numbers: dict[str, float] = {
            "songs": slots.songs,
            "layers": card.layers,
            "hidden_size": card.hidden_size,
            "outputs": card.vocabulary.output_size,
            "eos": card.vocabulary.eos,
            "capacity": slots.capacity,
            "current": slots.steps.current,
            "prefix": len(plan.prefix),
            "run": NOT_RUN,
        }
        numbers |= plan.numbers
        if isinstance(session, OrtCSession):
            numbers |= {"run": session.run_address, "ort_session": session.address}
            numbers["run_options"] = session.run_options
        arrays: dict[str, npt.NDArray[Any]] = {
            "bindings": slots.bindings,
            "token": slots.steps.token,
            "logits": slots.steps.logits,
            "states": slots.steps.states,
            "first_state": self._prefix.state,
            "first_logits": self._prefix.logits,
            "phase": slots.phase,
            "song": slots.song,
            "length": slots.length,
            "text": slots.text,
            "gaps": slots.gaps,
            "totals": slots.totals,
            "weights": self._scratch[0],
            "heap": self._scratch[1],
        }
        record = np.zeros(1, BATCH)
        for name, value in (numbers | {name: array.ctypes.data for name, array in arrays.items()}).items():
            record[name] = value
        return record


class _Slots:
    """The arrays of a batch; what they hold says `record.BATCH`."""

    def __init__(self, file: ModelFile, songs: int, capacity: int) -> None:
        self.songs, self.capacity = songs, capacity
        self.steps = StepModel(file, songs)
        self.bindings: npt.NDArray[np.int64] = np.zeros(2, np.int64)
        if isinstance(file.ort_session, OrtCSession):
            self.bindings[:] = [binding.address for binding in self.steps.bindings]
        self.phase: npt.NDArray[np.int64] = np.zeros(songs, np.int64)
        self.song: npt.NDArray[np.uint64] = np.zeros(songs, np.uint64)
        self.length: npt.NDArray[np.int64] = np.zeros(songs, np.int64)
        self.text: Units = np.zeros((songs, capacity), np.int32)
        self.gaps: Floats32 = np.zeros((songs, capacity), np.float32)
        self.totals: Floats32 = np.zeros((songs, capacity), np.float32)

    def take_over(self, other: _Slots, current: int) -> None:
        """Copy the songs that another batch's slots hold; `current` is the state set that it reads next."""
        busy = np.flatnonzero(other.phase != RESTING)
        here, room = slice(len(busy)), slice(min(self.capacity, other.capacity))
        self.steps.token[here] = other.steps.token[busy]
        self.steps.state[:, :, here] = other.steps.states[current][:, :, busy]
        for name in ("phase", "song", "length"):
            getattr(self, name)[here] = getattr(other, name)[busy]
        for name in ("text", "gaps", "totals"):
            getattr(self, name)[here, room] = getattr(other, name)[busy, room]
