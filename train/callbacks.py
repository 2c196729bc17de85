"""What a training tells while it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from lyricgen.schema import AnyFloat


@dataclass(frozen=True)
class Validation:
    """One validation: a line of metrics.csv."""

    step: int
    """Updates so far."""
    characters: int
    """Symbols trained on so far: characters, and one EOS for each song."""
    epoch: float
    learning_rate: float
    training_bits_per_character: AnyFloat
    """Mean since the last validation; NaN before the first update."""
    held_out_bits_per_character: AnyFloat
    elapsed_seconds: float


class Callbacks:
    """Called by a training; these do nothing, so that a subclass overrides only what it needs."""

    def on_progress(self, symbols: int, bits_per_character: float) -> None:
        """So many symbols are done in all; the latest of them scored `bits_per_character`."""

    def on_validation(self, validation: Validation, *, best: bool) -> None:
        """A validation is done; `best` if its score is better than all before it."""

    def on_warning(self, problem: str) -> None:
        """Something went wrong that is not worth the end of the training."""
