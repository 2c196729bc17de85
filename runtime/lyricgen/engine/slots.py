"""Songs from SOS to EOS in a batch of slots: the kernel writes, this module starts songs and takes them away.

A slot whose song is over gets the next one, so no song waits for a long one; when no song is left to start,
the batch becomes narrower. A song depends on its seed and index alone (see `sampling`), not on the other
slots: its logits are the same to the last bit, however many are computed in the same call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lyricgen.engine import machine_code
from lyricgen.engine.ort_c_api import OrtCSession
from lyricgen.engine.record import (
    BATCH,
    BROKEN,
    ENDED,
    NOT_RUN,
    RESTING,
    STARTING,
    STOPPED,
    Floats32,
    Floats64,
    Units,
)
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.errors import NonFiniteLogitsError, OrtError
from lyricgen.vocabulary import SOS

STEPS = 64
"""Characters that the kernel writes of each song in one call; streams, stops and Ctrl-C wait for its end."""
_CAPACITY = 2048
"""How many characters fit into a slot at first."""
_WHOLE_SONGS = {"line_end": 0, "word_end": 0, "stem": 0, "song": 0, "attempt": 0}
"""What a batch is told of candidates for a line where it writes none."""


@dataclass(frozen=True)
class SongPlan:
    """All that decides a song, besides the model and the song's index."""

    styles: tuple[int, ...]
    """Token ids of styles, which songs take in turns; none: songs without a style."""
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

    def style(self, index: int) -> int | None:
        """Return the token id of the style of song `index`; None if it has none."""
        return self.styles[(self.seed + index) % len(self.styles)] if self.styles else None


@dataclass(frozen=True)
class Places:
    """Where songs start, or lines within a song: what the network computed from all that stands before."""

    states: Floats32
    """(2, L, P, H) float32: hidden and cell state."""
    logits: Floats32
    """(P, V_out) float32: what the next character is drawn from."""

    def __len__(self) -> int:
        return len(self.logits)


@dataclass(frozen=True)
class WrittenSong:
    """A song as the kernel wrote it, not yet text."""

    index: int
    units: Units
    """(n,) int32 output units of its characters, without those of the prefix."""
    ended: bool
    """Whether it ended with EOS, not at the maximum length."""
    bits: Floats64
    """(n,), or (n + 1,) with EOS, float64: -log2 of the probability that the model gave each character."""


@dataclass(frozen=True)
class WrittenLine(WrittenSong):
    """A candidate for a line that stopped at its end, or at a word's end; that is its last unit."""

    state: Floats32
    """(2, L, H) float32: hidden and cell state before the last unit is read."""
    logits: Floats32
    """(V_out,) float32: what the last unit was drawn from."""


def read_prefix(file: ModelFile, plan: SongPlan) -> Places:
    """Let the network read what songs of a plan start with: song i at place i modulo P, one for each style.

    Raises:
        OrtError: onnxruntime failed.
    """
    places = max(1, len(plan.styles))
    steps = StepModel(file, places)
    styles = [style for place in range(places) if (style := plan.style(place)) is not None]
    for tokens in filter(None, [[SOS], styles, *([token] for token in plan.prefix)]):
        steps.token[:] = tokens
        steps.step()
    return Places(steps.state.copy(), steps.logits.copy())


class Batch:
    """Slots whose songs advance together. Not for two threads at once."""

    def __init__(self, file: ModelFile, plan: SongPlan, places: Places, size: int) -> None:
        self._file, self._plan, self._places = file, plan, places
        self._advance = machine_code.advance()
        self._slots = _Slots(file, size, self._capacity(0))
        self._record = self._describe()

    @property
    def size(self) -> int:
        """B, the number of slots."""
        return self._slots.size

    def start(self, slot: int, index: int) -> None:
        """Let a resting slot begin song `index` with the next `advance`."""
        self._slots.index[slot] = index
        self._slots.length[slot] = len(self._plan.prefix)
        self._slots.phase[slot] = STARTING

    def resting(self) -> list[int]:
        """Return the slots without a song."""
        return [int(slot) for slot in np.flatnonzero(self._slots.phase == RESTING)]

    def advance(self) -> list[WrittenSong]:
        """Write up to `STEPS` characters of each song, fewer if a song is over; return the songs that are.

        Raises:
            NonFiniteLogitsError: the model computed NaN or infinity.
            OrtError: onnxruntime failed.
        """
        longest = int(self._slots.length.max())
        if longest + STEPS >= self._slots.capacity:
            self._move(self.size, self._capacity(longest))
        try:
            if self._record["run"][0] == NOT_RUN:
                self._advance_by_python()
            else:
                self._call(STEPS)
        except OrtError as error:
            raise OrtError(f"{self._file.path}: {error}") from error
        return [self._take(int(slot)) for slot in np.flatnonzero(self._slots.phase >= ENDED)]

    def so_far(self, slot: int) -> Units:
        """Return the units (n,) int32 of an unfinished song, without those of the prefix; not a copy."""
        return self._slots.text[slot, len(self._plan.prefix) : self._slots.length[slot]]

    def narrow(self) -> None:
        """Drop the resting slots, if they are at least half of all."""
        busy = self.size - len(self.resting())
        if 0 < busy <= self.size // 2:
            self._move(busy, self._slots.capacity)

    def _call(self, steps: int) -> None:
        status = self._advance(self._record.ctypes.data, steps)
        if isinstance(self._file.ort_session, OrtCSession):
            self._file.ort_session.check(status)

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
        gaps = slots.gaps[slot, drawn].astype(np.float64)
        bits = gaps / math.log(2) + np.log2(slots.denominators[slot, drawn].astype(np.float64))
        index, units = int(slots.index[slot]), slots.text[slot, start:end].copy()
        if phase != STOPPED:
            return WrittenSong(index, units, ended, bits)
        logits = slots.steps.logits[slot] if end > 1 else self._places.logits[index % len(self._places)]
        state = slots.steps.states[self._record["current"][0]][:, :, slot]
        return WrittenLine(index, units, ended, bits, state.copy(), logits.copy())

    def _capacity(self, longest: int) -> int:
        """Return how many characters should fit into slots that are full with `longest`."""
        wanted = max(_CAPACITY, len(self._plan.prefix) + 2 * STEPS, 2 * longest)
        return min(wanted, int(self._plan.numbers["max_length"]) + 1) + STEPS

    def _move(self, size: int, capacity: int) -> None:
        """Go on in another number of slots, or in larger ones."""
        slots = _Slots(self._file, size, capacity)
        slots.take_over(self._slots, int(self._record["current"][0]))
        self._slots = slots
        self._record = self._describe()

    def _describe(self) -> Any:  # noqa: ANN401 (a record is of no type that numpy knows)
        """Return a record of all that the kernel needs to know."""
        card, slots, session = self._file.card, self._slots, self._file.ort_session
        steps, places = slots.steps, self._places
        facts: dict[str, Any] = {**_WHOLE_SONGS, **self._plan.numbers, "prefix": len(self._plan.prefix)}
        facts |= {"run": NOT_RUN, "ort_session": 0, "run_options": 0}
        if isinstance(session, OrtCSession):
            facts |= {"run": session.run_address, "run_options": session.run_options}
            facts["ort_session"] = session.address
        facts |= {"layers": card.layers, "hidden_size": card.hidden_size}
        facts |= {"outputs": card.vocabulary.output_size, "eos": card.vocabulary.eos}
        facts |= {"size": slots.size, "capacity": slots.capacity, "current": steps.current}
        facts |= {"token": steps.token, "logits": steps.logits, "states": steps.states}
        facts |= {"places": len(places), "first_state": places.states, "first_logits": places.logits}
        facts |= {name: getattr(slots, name) for name in _Slots.ARRAYS}
        values = [facts[name] for name in BATCH.names or ()]
        addresses = [value.ctypes.data if isinstance(value, np.ndarray) else value for value in values]
        return np.array([tuple(addresses)], BATCH)


class _Slots:
    """The arrays of a batch; `record.BATCH` tells what each holds."""

    ARRAYS = ("bindings", "phase", "index", "length", "text", "gaps", "denominators", "numerators", "heap")

    def __init__(self, file: ModelFile, size: int, capacity: int) -> None:
        self.size, self.capacity = size, capacity
        self.steps = StepModel(file, size)
        self.bindings = np.zeros(2, np.int64)
        if isinstance(file.ort_session, OrtCSession):
            self.bindings[:] = [binding.address for binding in self.steps.bindings]
        self.phase, self.length = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.index = np.zeros(size, np.uint64)
        self.text: Units = np.zeros((size, capacity), np.int32)
        self.gaps, self.denominators = (np.zeros((size, capacity), np.float32) for _ in range(2))
        outputs = file.card.vocabulary.output_size
        self.numerators, self.heap = np.zeros(outputs), np.zeros(outputs, np.int64)

    def take_over(self, other: _Slots, current: int) -> None:
        """Copy the songs that other slots hold; `current` is the state set that they read next."""
        busy = np.flatnonzero(other.phase != RESTING)
        here, room = slice(len(busy)), slice(min(self.capacity, other.capacity))
        self.steps.token[here] = other.steps.token[busy]
        self.steps.state[:, :, here] = other.steps.states[current][:, :, busy]
        for name in ("phase", "index", "length"):
            getattr(self, name)[here] = getattr(other, name)[busy]
        for name in ("text", "gaps", "denominators"):
            getattr(self, name)[here, room] = getattr(other, name)[busy, room]
