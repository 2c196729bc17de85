"""Training for a given time, or step by step, as benchmarks need it."""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from train import loop
from train.callbacks import Callbacks
from train.config import TrainConfig
from train.corpus.load import Corpus
from train.distributed import World, choose_device
from train.loop import Trainer
from train.session import Parent, Session


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    epochs: float
    seconds: float
    bits_per_character: float


def new_trainer(session: Session) -> Trainer:
    """Return a trainer in this process alone, on the best device."""
    return Trainer(session, Callbacks(), World(0, 1, choose_device("auto")))


class _StepDoneError(Exception):
    pass


class _OneStep(Callbacks):
    """Ends a run as soon as the loss of its first step is read, for which a GPU has to be done."""

    def on_progress(self, symbols: int, bits_per_character: float) -> None:
        raise _StepDoneError


def step(trainer: Trainer) -> int:
    """Train on a segment of songs; return how many symbols that were. No validation may be due."""
    before, trainer.callbacks = trainer.progress.symbols, _OneStep()
    with patch.object(loop, "DISPLAY_INTERVAL_STEPS", 1), suppress(_StepDoneError):
        trainer.run()
    return trainer.progress.symbols - before


class _Schedule(Callbacks):
    """Lets a run and its schedule end after so many seconds, at the speed that it has had so far."""

    def __init__(self, trainer: Trainer, seconds: float) -> None:
        self.trainer, self.seconds, self.begun = trainer, seconds, time.monotonic()

    def on_progress(self, symbols: int, bits_per_character: float) -> None:
        total = round(symbols * max(1.0, self.seconds / (time.monotonic() - self.begun)))
        if symbols < self.trainer.total_symbols and abs(total / self.trainer.total_symbols - 1) > 0.02:
            self.trainer.total_symbols = total


def train_for(
    seconds: float | None, config: TrainConfig, songs: Corpus, parent: Parent | None = None
) -> Result:
    """Train for about `seconds`, with a schedule that ends just then; if None, as long as `config` says."""
    if seconds is not None:
        config = replace(config, epochs=1000.0, patience=0)
    with tempfile.TemporaryDirectory() as folder:
        trainer = new_trainer(Session.create(Path(folder), config, songs, parent))
        if seconds is not None:
            trainer.callbacks = _Schedule(trainer, seconds)
        start = time.monotonic()
        trainer.run()
    epochs = trainer.progress.symbols / trainer.training.symbols
    return Result(epochs, time.monotonic() - start, trainer.progress.best_held_out)
