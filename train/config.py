"""What a training run is: the numbers that decide its result, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lyricgen.errors import OptionError


def _check_count(option: str, value: int, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise OptionError(option, value, f"a whole number from {low} to {high}")


def _check_number(option: str, value: float, low: float, high: float) -> None:
    if type(value) not in (int, float) or not low <= value <= high:  # also refuses NaN
        raise OptionError(option, value, f"between {low:g} and {high:g}")


def _check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise OptionError(option, value, f"one of {', '.join(choices)}")


@dataclass(frozen=True)
class ModelConfig:
    """The shape of the network.

    Raises:
        OptionError: a field is out of its range.
    """

    layers: int = 2
    """LSTM layers on top of each other (L)."""
    hidden_size: int = 512
    """Units per layer (H). Bigger learns more; time and file size grow with its square."""
    dropout: float = 0.0
    """Share of units silenced between layers while training. Raise it when validation gets worse
    while training still improves; 0 when the corpus is large for the model."""

    def __post_init__(self) -> None:
        _check_count("layers", self.layers, 1, 16)
        _check_count("hidden_size", self.hidden_size, 1, 8192)
        _check_number("dropout", self.dropout, 0, 0.95)


@dataclass(frozen=True)
class CorpusConfig:
    """How songs are read from files, and which of them are kept for validation.

    Raises:
        OptionError: a field is out of its range.
    """

    text_column: str = "text"
    """Column of a CSV that holds the songs' texts."""
    style_column: str = "style"
    """Column of a CSV whose values become style tokens, where it exists."""
    titles: bool = True
    """Whether texts begin with their title, where the CSV has a column `song`."""
    encoding: str = "utf-8"
    """Encoding of the files, by Python's name for it, such as cp1252."""
    skip_bad_rows: bool = False
    """Leave out rows of a CSV, or .txt files, that cannot be read, and count them; else they are errors."""
    held_out_share: float = 0.02
    """Share of the songs kept for validation and never trained on."""
    rare_character_share: float = 1e-6
    """Characters that make up less than this share of the corpus leave the vocabulary."""

    def __post_init__(self) -> None:
        for option in ("text_column", "style_column", "encoding"):
            if type(getattr(self, option)) is not str:
                raise OptionError(option, getattr(self, option), "a string")
        try:
            "x".encode(self.encoding)
        except (LookupError, ValueError) as error:  # ValueError: a codec that only fails, a name that is none
            raise OptionError("encoding", self.encoding, "an encoding that Python knows") from error
        _check_number("held_out_share", self.held_out_share, 1e-6, 0.5)
        _check_number("rare_character_share", self.rare_character_share, 0, 0.5)


@dataclass(frozen=True)
class TrainConfig:
    """How the network is trained.

    Raises:
        OptionError: a field is out of its range.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    """The shape of the network."""
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    """How the songs are read and split."""
    epochs: float = 4.0
    """How often every song is read. Fractions are fine."""
    slots: int = 32
    """Songs read side by side (B). More is faster on a GPU and makes fewer, steadier updates."""
    segment_length: int = 128
    """Characters between updates, and how far back gradients reach (T). The state reaches further."""
    learning_rate: float = 3e-3
    """Step size at its peak. Too high diverges, too low crawls."""
    warmup_share: float = 0.02
    """Share of the run in which the learning rate climbs to its peak, from a hundredth of it."""
    final_learning_rate_share: float = 0.02
    """The learning rate falls along a cosine to this share of its peak."""
    weight_decay: float = 0.01
    """Pull of the weight matrices towards zero (AdamW). Higher regularises more."""
    clip_norm: float = 1.0
    """Gradients longer than this are shortened to it. Lower is safer and slower."""
    style_dropout: float = 0.5
    """Share of the songs that are read without their style token, so that songs without a style stay
    learned. Raise it for a better model without styles."""
    auxiliary_weight: float = 0.0
    """Weight of each auxiliary question beside the next character; ten are asked at each (how the lines
    around it end, the style). It falls to 0 along the run. More teaches to remember rhyme and style, and
    may cost bits per character."""
    validations_per_epoch: float = 4.0
    """How often the held-out songs are scored; never more than 50 times in a run."""
    patience: int = 10
    """Stop after so many validations in a row without a better one; 0 never stops early."""
    precision: str = "auto"
    """Arithmetic of the forward pass: fp32, bf16 (faster where the hardware has it), or auto."""
    device: str = "auto"
    """cuda, cpu, or auto: cuda when there."""
    seed: int = 0
    """Decides the split, the order of songs and the initial weights."""

    def __post_init__(self) -> None:
        _check_number("epochs", self.epochs, 1e-6, 10_000)
        _check_count("slots", self.slots, 1, 65_536)
        _check_count("segment_length", self.segment_length, 1, 65_536)
        _check_number("learning_rate", self.learning_rate, 1e-9, 1)
        _check_number("warmup_share", self.warmup_share, 0, 0.99)
        _check_number("final_learning_rate_share", self.final_learning_rate_share, 0, 1)
        _check_number("weight_decay", self.weight_decay, 0, 1)
        _check_number("clip_norm", self.clip_norm, 1e-9, 1e9)
        _check_number("style_dropout", self.style_dropout, 0, 1)
        _check_number("auxiliary_weight", self.auxiliary_weight, 0, 10)
        _check_number("validations_per_epoch", self.validations_per_epoch, 1e-4, 10_000)
        _check_count("patience", self.patience, 0, 1_000_000)
        _check_count("seed", self.seed, 0, 2**32 - 1)
        _check_choice("precision", self.precision, ("auto", "fp32", "bf16"))
        _check_choice("device", self.device, ("auto", "cpu", "cuda"))


PRESETS = {
    "tiny": TrainConfig(model=ModelConfig(layers=1, hidden_size=64), epochs=1.0, slots=16, segment_length=64),
    "seed": TrainConfig(model=ModelConfig(layers=2, hidden_size=128)),
    "base": TrainConfig(model=ModelConfig(layers=2, hidden_size=512)),
    "large": TrainConfig(
        model=ModelConfig(layers=2, hidden_size=1024),
        epochs=10.0,
        slots=128,
        segment_length=256,
        learning_rate=2e-3,
    ),
}
"""Ready-made configurations: tiny runs in seconds, seed is the classic 2 × 128, base a good 2 × 512,
large (2 × 1024) wants a GPU."""


def fine_tuning(parent: TrainConfig) -> TrainConfig:
    """Return how to adapt a trained model to a small corpus of its owner's: its shape, a gentler schedule."""
    shape = replace(parent.model, dropout=0.2)
    reading = CorpusConfig(
        titles=parent.corpus.titles, style_column=parent.corpus.style_column, held_out_share=0.05
    )
    return TrainConfig(
        model=shape,
        corpus=reading,
        epochs=3.0,
        slots=16,
        learning_rate=1e-3,
        warmup_share=0.05,
    )
