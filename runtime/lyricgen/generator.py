"""The public face: open a model with `load`, write songs with `Model.generate` or `Model.stream`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lyricgen.card import ModelCard
from lyricgen.engine import SongPlan, write
from lyricgen.options import SongOptions, plan_song
from lyricgen.step_model import ModelFile, StepModel

if TYPE_CHECKING:
    from typing_extensions import Unpack  # in typing itself from Python 3.11 on

BUNDLED_MODEL_PATH = Path(__file__).parent / "assets" / "bundled.onnx"


@dataclass(frozen=True)
class Song:
    """A finished song, and what to ask for to get it again."""

    text: str
    """The whole song, its title and prompt included."""
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
        line = vocabulary.decode(plan.beginning)  # not handed out yet
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

    @property
    def path(self) -> Path:
        """The file that was opened."""
        return self._file.path

    @property
    def size_bytes(self) -> int:
        """How large the file was."""
        return self._file.size_bytes

    def stream(self, **options: Unpack[SongOptions]) -> SongStream:
        """Write a song and hand it out as it grows; the characters are those that `generate` returns.

        Args:
            options: how the song should be, as keyword arguments.
                temperature: divides the scores. Below 1 is safer and more repetitive, above 1
                    wilder; 0 always takes the likeliest character. None: what the model suggests.
                style: one of the styles that the model knows (`card.vocabulary.styles`), in capitals
                    or not. None: no particular one.
                title: one line of text, for a model that writes titles (`card.title_line`); the
                    song begins with it and an empty line. None: such a model invents one.
                prompt: how the song begins, after its title. Without a title, a model that writes
                    titles takes the prompt as the beginning of one.
                max_length: characters after which to stop, those of title and prompt included; the
                    song is then cut back to its last whole line. 6000 if left out.
                seed: from 0 to 2**64 - 1; the same seed gives the same song. None: chosen, see
                    `seed` of the result.
                index: which of the seed's songs to write, from 0 to 2**64 - 1. 0 if left out.

        Raises:
            OptionError: an option is out of its range, or not for this model.
            UnknownCharacterError: title or prompt have characters that the model has never seen.
            NonFiniteLogitsError: while it is read; the model's weights are damaged.
        """
        return SongStream(self, plan_song(self.card, options))

    def generate(self, **options: Unpack[SongOptions]) -> Song:
        """Write a whole song; for the options and errors see `stream`."""
        stream = self.stream(**options)
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
