"""Training for a given time, or step by step, as benchmarks need it."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from train.callbacks import Callbacks
from train.config import TrainConfig
from train.corpus.load import Corpus
from train.distributed import World, choose_device
from train.loop import Trainer
from train.session import Parent, Session
from train.signals import StopFlag

TRIAL_SECONDS = 10.0


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    epochs: float
    seconds: float
    bits_per_character: float


def new_trainer(session: Session, progress: Callbacks | None = None) -> Trainer:
    """Return a trainer in this process alone, on the best device."""
    return Trainer(session, progress or Callbacks(), World(0, 1, choose_device("auto")))


def step(trainer: Trainer) -> int:
    """Train on a segment of songs; return how many symbols that were."""
    segment = trainer.segments.next_segment()
    trainer._step(segment)
    return segment.symbols


def train_for(
    seconds: float | None, config: TrainConfig, songs: Corpus, parent: Parent | None = None
) -> Result:
    """Train for about `seconds`, with a schedule that ends just then; if None, as long as `config` says."""
    with tempfile.TemporaryDirectory() as folder:
        if seconds is not None:
            speed = _symbols_per_second(new_trainer(Session.create(Path(folder), config, songs, parent)))
            characters = songs.facts.training_characters
            config = replace(config, epochs=seconds * speed / characters, patience=0)
        trainer = new_trainer(Session.create(Path(folder), config, songs, parent))
        start = time.monotonic()
        trainer.run()
        return Result(config.epochs, time.monotonic() - start, trainer.progress.best_held_out)


def _symbols_per_second(trainer: Trainer) -> float:
    """Train for a moment, validation included, and tell how fast that was."""
    step(trainer)
    start, symbols = time.monotonic(), 0
    while time.monotonic() - start < TRIAL_SECONDS:
        symbols += step(trainer)
    stepping = (time.monotonic() - start) / symbols
    trainer._validate(StopFlag())  # the first one loads what it draws and samples with
    start = time.monotonic()
    trainer._validate(StopFlag())
    validating = (time.monotonic() - start) / trainer.validation_interval
    return 1 / (stepping + validating)
