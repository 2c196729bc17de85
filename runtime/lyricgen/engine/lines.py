"""Candidates for a line of a song: many are written side by side from one place, or from several."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np

from lyricgen.engine.record import Floats32
from lyricgen.engine.slots import Batch, Places, SongPlan, WrittenLine
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.engine.threads import choose_slots, generate_songs
from lyricgen.vocabulary import SOS

_SIZES = 16
"""Places are read on in batches of a multiple of this many, so that few different ones are made."""


class LineWriter:
    """Writes candidates for the lines of one song, and reads on. Not for two threads at once.

    Args:
        file: the model.
        plan: how characters are drawn; its prefix does not count.
        index: which of the seed's songs this is.
        threads: how many write.
    """

    def __init__(self, file: ModelFile, plan: SongPlan, index: int, threads: int) -> None:
        words = file.card.vocabulary
        self.line_end = words.encode("\n")[0] - words.eos
        """Output unit with which a line ends."""
        self._word_end = words.encode(" ")[0] - words.eos if " " in words.characters else self.line_end
        self._file, self._plan, self._index, self._threads = file, plan, index, threads
        self._eos, self._attempts = words.eos, 0
        self._readers: dict[int, StepModel] = {}

    def start(self, style: int | None) -> Places:
        """Return the place behind SOS and the token of a style."""
        card = self._file.card
        states: Floats32 = np.zeros((2, card.layers, 1, card.hidden_size), np.float32)
        place = self._read(states, [SOS])
        return place if style is None else self._read(place.states, [style])

    def read_text(self, place: Places, tokens: Sequence[int]) -> Places:
        """Return the place that some characters lead to, given as token ids."""
        for token in tokens:
            place = self._read(place.states, [token])
        return place

    def read(self, states: Floats32, units: Sequence[int]) -> Places:
        """Return the places that one output unit each leads to, from states (2, L, P, H)."""
        return self._read(states, [self._eos + unit for unit in units])

    def _read(self, states: Floats32, tokens: Sequence[int]) -> Places:
        count = len(tokens)
        size = 1 if count == 1 else -(-count // _SIZES) * _SIZES
        if size not in self._readers:
            self._readers[size] = StepModel(self._file, size)
        steps = self._readers[size]
        steps.token[:count], steps.state[:, :, :count] = tokens, states
        steps.step()
        return Places(steps.state[:, :, :count].copy(), steps.logits[:count].copy())

    def draw(self, places: Places, count: int, longest: int, stem: int | None = None) -> list[WrittenLine]:
        """Write `count` candidates, candidate n from place n modulo P; return those that came to their end.

        Args:
            places: where they begin.
            count: how many, below 2**22.
            longest: how many characters a candidate may have, its end counted; longer ones are given up.
            stem: stop already with the first space from this many characters on.

        Raises:
            NonFiniteLogitsError: the model computed NaN or infinity.
            OrtError: onnxruntime failed.
        """
        self._attempts += 1
        numbers = {**self._plan.numbers, "max_length": longest, "line_end": self.line_end}
        numbers |= {"song": self._index, "attempt": self._attempts}
        numbers |= {"word_end": -1 if stem is None else self._word_end, "stem": stem or 0}
        plan = replace(self._plan, prefix=[], numbers=numbers)
        written = generate_songs(
            lambda size: Batch(self._file, plan, places, size),
            range(count),
            choose_slots(count, self._threads),
            self._threads,
            in_order=True,
        )
        with closing(written):
            return [line for line in written if isinstance(line, WrittenLine)]
