"""Training for a given time, or step by step, as benchmarks need it."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from train import loop
from train.callbacks import Callbacks
from train.config import TrainConfig
from train.corpus.load import Corpus
from train.distributed import World, choose_device
from train.loop import Trainer, TrainingProgress
from train.session import Parent, Session


class _StepDoneError(Exception):
    pass


class _OneStep(Callbacks):
    def on_progress(self, symbols: int, bits_per_character: float) -> None:
        raise _StepDoneError  # the loss is read, for which a GPU has to be done


class _Schedule(Callbacks):
    """Lets a run and its schedule end after so many seconds, at the speed that it has had so far."""

    def __init__(self, trainer: Trainer, seconds: float) -> None:
        self.trainer, self.seconds = trainer, seconds

    def on_progress(self, symbols: int, bits_per_character: float) -> None:
        trainer, elapsed = self.trainer, self.trainer.progress.elapsed_seconds
        total = round(symbols * max(1.0, self.seconds / max(elapsed, 1e-3)))
        if symbols < trainer.total_symbols and abs(total / trainer.total_symbols - 1) > 0.02:
            trainer.total_symbols = total


def endless(config: TrainConfig) -> TrainConfig:
    """Return a configuration for running step by step, without a validation between."""
    return replace(config, epochs=1000.0, validations_per_epoch=1e-3, patience=0)


def new_trainer(session: Session) -> Trainer:
    """Return a trainer in this process alone, on the best device."""
    return Trainer(session, Callbacks(), World(0, 1, choose_device("auto")))


def step(trainer: Trainer) -> int:
    """Train on a segment of songs; return how many symbols that were. Its configuration is `endless`."""
    before, trainer.callbacks = trainer.progress.symbols, _OneStep()
    with patch.object(loop, "DISPLAY_INTERVAL_STEPS", 1), suppress(_StepDoneError):
        trainer.run()
    return trainer.progress.symbols - before


def train_for(
    seconds: float | None, config: TrainConfig, songs: Corpus, parent: Parent | None = None
) -> TrainingProgress:
    """Train for about `seconds`, with a schedule that ends just then; if None, as long as `config` says."""
    if seconds is not None:
        config = replace(config, epochs=1000.0, patience=0)
    with tempfile.TemporaryDirectory() as folder:
        trainer = new_trainer(Session.create(Path(folder), config, songs, parent))
        if seconds is not None:
            trainer.callbacks = _Schedule(trainer, seconds)
        trainer.run()
    return trainer.progress
