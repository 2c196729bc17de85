"""What the first weights are worth: the same training from ours and from torch's default ones.

    python -m benchmarks.initialisation --corpus songdata.csv

Prints held-out bits per character at equal characters seen, as one table.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import typer

from benchmarks import columns, run
from benchmarks.trainers import new_trainer
from train.callbacks import Callbacks, Validation
from train.config import PRESETS
from train.corpus.load import load_corpus
from train.model import CharLSTM
from train.session import Session


class Validations(Callbacks):
    """Keeps the characters seen and the bits per character of each validation of a run."""

    def __init__(self) -> None:
        self.found: list[tuple[float, float]] = []

    def on_validation(self, validation: Validation, *, best: bool) -> None:
        """Remember a validation."""
        self.found.append((validation.characters, validation.held_out_bits_per_character))


def main(
    corpus: Annotated[Path, typer.Option(help="CSV with a column named text.")] = Path("songdata.csv"),
    preset: Annotated[str, typer.Option(help="Shape and schedule.")] = "seed",
    epochs: Annotated[float, typer.Option(help="How often every song is read.")] = 2.0,
) -> None:
    """Compare initial weights by what training makes of them."""
    config = replace(PRESETS[preset], epochs=epochs)
    songs, ours, default = load_corpus(corpus, config.corpus), Validations(), Validations()
    with tempfile.TemporaryDirectory() as folder:
        new_trainer(Session.create(Path(folder), config, songs), ours).run()
        with patch.object(CharLSTM, "_initialise", lambda _self: None):
            new_trainer(Session.create(Path(folder), config, songs), default).run()
    print(f"{songs.facts.name}, preset {preset}: held-out bits per character")
    row = columns(0, 16, 9, 9)
    row("", "characters seen", "ours", "default")
    for (characters, left), (_, right) in zip(ours.found, default.found, strict=True):
        row("", f"{characters:,.0f}", f"{left:.4f}", f"{right:.4f}")


if __name__ == "__main__":
    run(main)
