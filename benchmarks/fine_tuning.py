"""What fine-tuning gains: a small corpus learned from a trained session, and from nothing, in equal time.

    python -m benchmarks.fine_tuning --corpus songdata.csv
    python -m benchmarks.fine_tuning --corpus songdata.csv --from 0 --minutes 3

Fine-tunes the session as `python -m train --from N` does, then trains each preset from scratch on the
same songs and the same split for as many seconds, as `python -m train` does, with a schedule that ends
just then. All use the session's vocabulary, so that they predict the same texts. Prints held-out bits per
character on the songs that none of them was trained on.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import run
from train.callbacks import Callbacks
from train.config import PRESETS, TrainConfig, fine_tuning
from train.corpus.load import Corpus, ParentModel, load_corpus
from train.distributed import World, choose_device
from train.loop import Trainer
from train.session import Parent, Session
from train.session_folders import CHECKPOINTS_FOLDER
from train.signals import StopFlag

TRIAL_SECONDS = 10.0


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    epochs: float
    seconds: float
    bits_per_character: float


def main(
    corpus: Annotated[Path, typer.Option(help="The small corpus.")] = Path("songdata.csv"),
    from_session: Annotated[int, typer.Option("--from", help="Session to fine-tune.")] = 0,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="Time for each run; else as long as fine-tuning takes."),
    ] = None,
) -> None:
    """Print one line for each run."""
    begun = Session.open(CHECKPOINTS_FOLDER, from_session)
    config = fine_tuning(begun.config)
    songs = load_corpus(corpus, config.corpus, parent=ParentModel(begun.vocabulary, begun.facts.title_line))
    print(f"{songs.facts.name}: {songs.facts.training_songs:,} songs, {songs.facts.held_out_songs} held out")
    print(f"{'':24} {'epochs':>7} {'seconds':>8} {'bits per character':>20}")
    seconds = minutes and minutes * 60
    tuned = _run(f"from session {from_session}", config, songs, seconds, begun.as_parent())
    scratch = []
    for name in ("seed", "base"):
        preset = replace(PRESETS[name], corpus=config.corpus)
        scratch.append(_run(f"{name} from scratch", preset, songs, seconds or tuned.seconds))
    gain = min(result.bits_per_character for result in scratch) - tuned.bits_per_character
    print(f"gain over the better from scratch: {gain:.4f} bits per character")


def _run(
    name: str, config: TrainConfig, songs: Corpus, seconds: float | None, parent: Parent | None = None
) -> Result:
    """Train for `seconds`, or as long as `config` says, and print the result."""
    result = train_for(seconds, config, songs, parent)
    figures = f"{result.epochs:7.2f} {result.seconds:8.0f} {result.bits_per_character:20.4f}"
    print(f"{name:24} {figures}", flush=True)
    return result


def train_for(
    seconds: float | None, config: TrainConfig, songs: Corpus, parent: Parent | None = None
) -> Result:
    """Train for about `seconds`, with a schedule that ends just then; if None, as long as `config` says."""
    with tempfile.TemporaryDirectory() as folder:
        if seconds is not None:
            speed = _symbols_per_second(Session.create(Path(folder), config, songs, parent))
            characters = songs.facts.training_characters
            config = replace(config, epochs=seconds * speed / characters, patience=0)
        trainer = Trainer(Session.create(Path(folder), config, songs, parent), Callbacks(), _world())
        start = time.monotonic()
        trainer.run()
        return Result(config.epochs, time.monotonic() - start, trainer.progress.best_held_out)


def _symbols_per_second(session: Session) -> float:
    """Train for a moment, validation included, and tell how fast that was."""
    trainer = Trainer(session, Callbacks(), _world())
    trainer._step(trainer.segments.next_segment())
    start, before = time.monotonic(), trainer.progress.symbols
    while time.monotonic() - start < TRIAL_SECONDS:
        trainer._step(trainer.segments.next_segment())
    stepping = (time.monotonic() - start) / (trainer.progress.symbols - before)
    trainer._validate(StopFlag())  # the first one loads what it draws and samples with
    start = time.monotonic()
    trainer._validate(StopFlag())
    validating = (time.monotonic() - start) / trainer.validation_interval
    return 1 / (stepping + validating)


def _world() -> World:
    return World(0, 1, choose_device("auto"))


if __name__ == "__main__":
    run(main)
