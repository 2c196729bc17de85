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

from benchmarks import run
from train.callbacks import Callbacks, Validation
from train.config import PRESETS
from train.corpus.load import Corpus, load_corpus
from train.distributed import World, choose_device
from train.loop import Trainer
from train.model import CharLSTM
from train.session import Session


class Rows(Callbacks):
    """Keeps the validations of a run."""

    def __init__(self) -> None:
        self.held_out: list[float] = []
        self.characters: list[float] = []

    def on_validation(self, validation: Validation, *, best: bool) -> None:
        """Remember a validation."""
        self.held_out.append(validation.held_out_bits_per_character)
        self.characters.append(validation.characters)


def main(
    corpus: Annotated[Path, typer.Option(help="CSV with a column named text.")] = Path("songdata.csv"),
    preset: Annotated[str, typer.Option(help="Shape and schedule.")] = "seed",
    epochs: Annotated[float, typer.Option(help="How often every song is read.")] = 2.0,
) -> None:
    """Compare initial weights by what training makes of them."""
    config = replace(PRESETS[preset], epochs=epochs)
    songs = load_corpus(corpus, config.corpus)
    with tempfile.TemporaryDirectory() as folder:
        ours = _train(Session.create(Path(folder), config, songs))
        with patch.object(CharLSTM, "_initialise", lambda _self: None):
            default = _train(Session.create(Path(folder), config, songs))
    _show(songs, preset, ours, default)


def _train(session: Session) -> Rows:
    rows = Rows()
    Trainer(session, rows, World(0, 1, choose_device("auto"))).run()
    return rows


def _show(songs: Corpus, preset: str, ours: Rows, default: Rows) -> None:
    print(f"{songs.facts.name}, preset {preset}: held-out bits per character")
    print(f"{'characters seen':>16} {'ours':>8} {'default':>8}")
    for characters, left, right in zip(ours.characters, ours.held_out, default.held_out, strict=True):
        print(f"{characters:16,.0f} {left:8.4f} {right:8.4f}")


if __name__ == "__main__":
    run(main)
