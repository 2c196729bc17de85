"""The public face: open a model with `load`, write songs with `Model.generate` or `Model.stream`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

from lyricgen.contract import DEFAULT_MAX_LENGTH, MAX_TEMPERATURE, ModelCard
from lyricgen.engine import SongPlan, write
from lyricgen.errors import OptionError
from lyricgen.step_model import ModelFile, StepModel

BUNDLED_MODEL_PATH = Path(__file__).parent / "assets" / "bundled.onnx"
MAX_LENGTH_LIMIT = 10_000_000


@dataclass(frozen=True)
class Song:
    """A finished song, and what to ask for to get it again."""

    text: str
    """The whole song, its prompt included."""
    finished: str
    """"eos" if the model ended the song, "length" if it was cut at the maximum length."""
    seed: int
    """The seed given or chosen."""
    index: int
    """Which of the seed's songs this is."""


class SongStream(Iterator[str]):
    """A song as it is written, character by character.

    A line is handed out once it is whole, because a song that reaches its maximum length is cut
    back to its last whole line.
    """

    def __init__(self, model: Model, plan: SongPlan) -> None:
        self.seed, self.index = plan.seed, plan.index
        self.finished: str | None = None
        """None while the song goes on; then "eos" or "length"."""
        self._characters = self._run(model, plan)

    def __next__(self) -> str:
        return next(self._characters)

    def _run(self, model: Model, plan: SongPlan) -> Iterator[str]:
        vocabulary = model.card.vocabulary
        line = vocabulary.decode(plan.prompt)  # not handed out yet
        first_line = True
        for token in write(model.new_step_model(), plan):
            if token == vocabulary.eos:
                yield from line
                self.finished = "eos"
                return
            character = vocabulary.decode([token])
            if character == "\n" and line.strip("\n"):
                yield from line
                line, first_line = "", False
            line += character
        if first_line:  # no whole line to cut back to
            yield from line
        self.finished = "length"


class Model:
    """A model file, opened. Make one with `load`.

    Threads may share it: every song has its own state.
    """

    def __init__(self, file: ModelFile) -> None:
        self._file = file

    @property
    def card(self) -> ModelCard:
        """What the file says about itself: vocabulary, provenance, measured quality."""
        return self._file.card

    def stream(
        self,
        *,
        temperature: float | None = None,
        prompt: str = "",
        max_length: int = DEFAULT_MAX_LENGTH,
        seed: int | None = None,
        index: int = 0,
    ) -> SongStream:
        """Write a song and hand it out as it grows; the characters are those that `generate` returns.

        Args:
            temperature: divides the scores. Below 1 is safer and more repetitive, above 1 wilder;
                0 always takes the likeliest character. None: what the model suggests.
            prompt: how the song begins.
            max_length: characters after which to stop, the prompt's included; the song is then
                cut back to its last whole line.
            seed: from 0 to 2**64 - 1; the same seed gives the same song. None: chosen, see `seed`
                of the result.
            index: which of the seed's songs to write, from 0 to 2**64 - 1.

        Raises:
            OptionError: an option is out of its range.
            UnknownCharacterError: the prompt has characters that the model has never seen.
            NonFiniteLogitsError: while it is read; the model's weights are damaged.
        """
        plan = SongPlan(
            prompt=self.card.vocabulary.encode(prompt),
            temperature=_temperature(self.card.suggested_temperature if temperature is None else temperature),
            max_length=_whole("max_length", max_length, 1, MAX_LENGTH_LIMIT),
            seed=choose_seed() if seed is None else _whole("seed", seed, 0, 2**64 - 1),
            index=_whole("index", index, 0, 2**64 - 1),
        )
        if len(plan.prompt) > max_length:
            raise OptionError(
                "max_length", max_length, f"at least the prompt's {len(plan.prompt)} characters"
            )
        return SongStream(self, plan)

    def generate(
        self,
        *,
        temperature: float | None = None,
        prompt: str = "",
        max_length: int = DEFAULT_MAX_LENGTH,
        seed: int | None = None,
        index: int = 0,
    ) -> Song:
        """Write a whole song; for the arguments and errors see `stream`."""
        stream = self.stream(
            temperature=temperature, prompt=prompt, max_length=max_length, seed=seed, index=index
        )
        text = "".join(stream)
        return Song(text, stream.finished or "length", stream.seed, stream.index)

    def new_step_model(self) -> StepModel:
        """Return the model's single step with buffers of its own, for one song."""
        return StepModel(self._file)


def load(path: str | Path | None = None) -> Model:
    """Open a model file, or the bundled model if no path is given.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelFormatError: it is not a model that this version reads.
    """
    return Model(ModelFile(BUNDLED_MODEL_PATH if path is None else Path(path)))


def choose_seed() -> int:
    """Return a seed that nobody chose, short enough to type again."""
    return secrets.randbelow(10**9)


def _temperature(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= MAX_TEMPERATURE:
        raise OptionError("temperature", value, f"a number from 0 to {MAX_TEMPERATURE:g}")
    return float(value)


def _whole(name: str, value: int, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= value <= high:
        raise OptionError(name, value, f"a whole number from {low} to {high}")
    return int(value)
