"""What a training run is: the numbers that decide its result, as frozen dataclasses.

Each field is the one definition of an option: its type and range, its default, and its text in --help.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal

from lyricgen.errors import OptionError
from lyricgen.options import checked
from lyricgen.schema import Range, annotations_of

MAX_STYLE_WEIGHT = 100
_STYLE_WEIGHT = r"([^,=][^=]*)=(\d+\.?\d*)(?:,(?=.)|$)"
"""A name, which may hold commas, and a number; the next one stands behind a comma."""


class Help(str):
    """The text of --help about a field; among its annotations."""


class Checked:
    """A dataclass that raises an OptionError if a value does not fit the annotation of its field."""

    def __post_init__(self) -> None:
        for name, annotation in annotations_of(type(self)).items():  # type: ignore[arg-type]
            object.__setattr__(self, name, checked(annotation, getattr(self, name), name))


@dataclass(frozen=True)
class CorpusConfig(Checked):
    """How songs are read from files, and which of them are kept for validation."""

    text_column: Annotated[str, Help("Column with the texts.")] = "text"
    style_column: Annotated[str, Help("Column with styles, such as artist.")] = "style"
    """Its values become style tokens, where the column exists."""
    titles: Annotated[bool, Help("Leave out the titles in column song or title, with which texts begin.")] = (
        True
    )
    """Whether texts begin with their title, where a CSV has a column for it."""
    encoding: Annotated[str, Help("Encoding of the files.")] = "utf-8"
    """Python's name for it, such as cp1252."""
    skip_bad_rows: Annotated[bool, Help("Leave out rows that cannot be read, and count them.")] = False
    """The same goes for .txt files. If False, they are errors."""
    held_out_share: Annotated[float, Range(1e-6, 0.5), Help("Share of songs kept for validation.")] = 0.02
    rare_character_share: Annotated[
        float, Range(0, 0.5), Help("Characters rarer than this share are left out.")
    ] = 1e-6
    """A share of all characters of the corpus."""

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            "x".encode(self.encoding)
        except (LookupError, ValueError) as error:  # ValueError: a codec that only fails, a name that is none
            raise OptionError("encoding", self.encoding, "an encoding that Python knows") from error


@dataclass(frozen=True)
class ModelConfig(Checked):
    """The shape of the network."""

    layers: Annotated[int, Range(1, 16), Help("LSTM layers.")] = 2
    hidden_size: Annotated[int, Range(1, 8192), Help("Units per layer.")] = 512
    """H. More units learn more; time and file size grow with the square of their number."""
    dropout: Annotated[float, Range(0, 0.95), Help("Higher memorises less; 0 for large corpora.")] = 0.0
    """Share of units that are silenced between layers in training. Raise it when validation gets worse
    while training still improves."""


@dataclass(frozen=True)
class TrainConfig(Checked):
    """How the network is trained."""

    model: ModelConfig = field(default_factory=ModelConfig)
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    epochs: Annotated[float, Range(1e-6, 10_000), Help("How often every song is read.")] = 4.0
    slots: Annotated[int, Range(1, 65_536), Help("Songs read side by side.")] = 32
    """B. More is faster on a GPU and makes fewer, steadier updates."""
    segment_length: Annotated[int, Range(1, 65_536), Help("Characters between updates.")] = 128
    """How far back gradients reach (T). The state reaches further."""
    learning_rate: Annotated[float, Range(1e-9, 1), Help("Peak step size.")] = 3e-3
    """If it is too high, training diverges; if it is too low, it takes very long."""
    warmup_share: Annotated[float, Range(0, 0.99), Help("Share of the run spent climbing.")] = 0.02
    """The learning rate climbs to its peak from a hundredth of it."""
    final_learning_rate_share: Annotated[float, Range(0, 1), Help("Where the fall ends.")] = 0.02
    """The learning rate falls along a cosine to this share of its peak."""
    weight_decay: Annotated[float, Range(0, 1), Help("Pull of weights towards zero.")] = 0.01
    """It acts on the weight matrices (AdamW). Higher regularises more."""
    clip_norm: Annotated[float, Range(1e-9, 1e9), Help("Longest gradient that is left as it is.")] = 1.0
    """Longer gradients are shortened to it. Lower is safer and slower."""
    style_dropout: Annotated[
        float, Range(0, 1), Help("Share of songs that are read without their style.")
    ] = 0.5
    """They keep the model able to write without a style. Raise it for a better model without styles."""
    style_weights: Annotated[
        str, Help("How often songs of a style are read in an epoch, such as poem=0.5,pop=3.")
    ] = ""
    """Songs of other styles, and those without one, are read once. It balances corpora that were joined."""
    auxiliary_weight: Annotated[
        float, Range(0, 10), Help("Weight of each question for line ends and style; try 0.05.")
    ] = 0.0
    """Beside the next character, the network is asked ten auxiliary questions at each position: how the
    lines around it end, and the style. The weight falls to 0 along the run. More teaches to remember rhyme
    and style, and may cost bits per character."""
    validations_per_epoch: Annotated[
        float, Range(1e-4, 10_000), Help("How often held-out songs are scored.")
    ] = 4.0
    """The held-out songs are scored so often, but never more than 50 times in a run."""
    patience: Annotated[
        int, Range(0, 1_000_000), Help("Stop after so many validations without a better one; 0: never.")
    ] = 10
    precision: Annotated[Literal["auto", "fp32", "bf16"], Help("auto, fp32 or bf16.")] = "auto"
    """Arithmetic of the forward pass; auto takes bf16 where the hardware is fast with it."""
    device: Annotated[Literal["auto", "cpu", "cuda"], Help("auto, cpu or cuda.")] = "auto"
    """auto takes cuda if it is there."""
    seed: Annotated[int, Range(0, 2**32 - 1), Help("Decides split, order and initial weights.")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        is_list = re.fullmatch(f"(?:{_STYLE_WEIGHT})*", self.style_weights)
        if not is_list or not all(0 < weight <= MAX_STYLE_WEIGHT for weight in self.weight_of_style.values()):
            expected = f"such as poem=0.5,pop=3, each above 0 and up to {MAX_STYLE_WEIGHT}"
            raise OptionError("style_weights", self.style_weights, expected)

    @property
    def weight_of_style(self) -> dict[str, float]:
        """How often songs of a style are read in an epoch, by its name; of others: once."""
        found = re.findall(_STYLE_WEIGHT, self.style_weights)
        return {name.strip().casefold(): float(weight) for name, weight in found}


PARTS: dict[str, type[CorpusConfig | ModelConfig]] = {"corpus": CorpusConfig, "model": ModelConfig}
"""Fields of TrainConfig that are dataclasses themselves; as options, all fields lie side by side."""
OPTIONS: dict[str, Any] = {
    name: annotation
    for kind in (*PARTS.values(), TrainConfig)
    for name, annotation in annotations_of(kind).items()  # type: ignore[arg-type]
    if name not in PARTS
}
"""Option → its annotation."""


def configure(config: TrainConfig, overrides: dict[str, Any]) -> TrainConfig:
    """Return the configuration with the values in `overrides` for some options; each is checked."""

    def chosen(kind: type[TrainConfig | CorpusConfig | ModelConfig]) -> dict[str, Any]:
        return {option.name: overrides[option.name] for option in fields(kind) if option.name in overrides}

    parts = {name: replace(getattr(config, name), **chosen(kind)) for name, kind in PARTS.items()}
    return replace(config, **parts, **chosen(TrainConfig))


def option_value(config: TrainConfig, option: str) -> Any:  # noqa: ANN401 (options are of several types)
    """Return the value of an option, whichever part of the configuration it is in."""
    parts = (config, config.corpus, config.model)
    return next(getattr(part, option) for part in parts if hasattr(part, option))


_LARGE = ModelConfig(layers=2, hidden_size=1024)
PRESETS = {
    "tiny": TrainConfig(model=ModelConfig(layers=1, hidden_size=64), epochs=1.0, slots=16, segment_length=64),
    "seed": TrainConfig(model=ModelConfig(layers=2, hidden_size=128)),
    "base": TrainConfig(model=ModelConfig(layers=2, hidden_size=512)),
    "large": TrainConfig(model=_LARGE, epochs=10.0, slots=128, segment_length=256, learning_rate=2e-3),
}
"""Ready-made configurations: tiny runs in seconds, large wants a GPU."""


def fine_tuning(parent: TrainConfig) -> TrainConfig:
    """Return how to adapt a trained model to a small corpus: the same shape, a gentler schedule."""
    titles, style_column = parent.corpus.titles, parent.corpus.style_column
    reading = CorpusConfig(titles=titles, style_column=style_column, held_out_share=0.05)
    shape = replace(parent.model, dropout=0.2)
    return TrainConfig(shape, reading, epochs=3.0, slots=16, learning_rate=1e-3, warmup_share=0.05)
