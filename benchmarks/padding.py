"""What song slots gain over padding: useful characters per second of both ways to fill a batch.

    python -m benchmarks.padding
    python -m benchmarks.padding --corpus songdata.csv

The usual way to batch songs pads each to the longest of its batch, and reads the whole batch at once.
Slots read songs in segments and start the next song where one ends. Both ways train the same model on
the same songs, in turn, and only symbols of songs are counted. Without --corpus the songs are random,
as long as songs are (log-normal, as in 29,000 songs in the public domain).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks import median_seconds, run
from benchmarks.songs import random_corpus
from benchmarks.trainers import endless, new_trainer, step
from train.config import PRESETS
from train.corpus.load import load_corpus
from train.evaluation import pad, summed_nats
from train.loop import Trainer
from train.session import Session

ROUNDS = 9


def main(
    corpus: Annotated[Path | None, typer.Option(help="Songs to read instead of random ones.")] = None,
    preset: Annotated[str, typer.Option(help="The model.")] = "seed",
) -> None:
    """Print one line for each way, and their ratio."""
    config = endless(PRESETS[preset])
    songs = load_corpus(corpus, config.corpus) if corpus else random_corpus(megabytes=4)
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        session = Session.create(Path(folder), config, songs)
        slots, padded = (new_trainer(session) for _ in range(2))
        ways = {"slots": lambda: _as_much_as_a_batch(slots), "padded": lambda: _padded_step(padded, draw)}
        seconds = median_seconds(ways, ROUNDS)
        lengths = slots.training.lengths()
    size = min(config.slots, len(lengths))
    batches = np.stack([draw.choice(lengths, size, replace=False) for _ in range(200)])
    share = batches.sum() / (batches.max(axis=1).sum() * size)
    print(f"{len(lengths):,} songs of {lengths.mean():,.0f} characters on average, {size} at a time;")
    print(f"padded to the longest, {share:.0%} of a batch are songs")
    for way, taken in seconds.items():
        print(f"{way:8} {1 / taken:12,.0f} characters per second")
    print(f"ratio    {seconds['padded'] / seconds['slots']:12.2f}")


def _as_much_as_a_batch(trainer: Trainer) -> int:
    """Train on about as many symbols as one padded batch has, in segments."""
    wanted, done = trainer.config.slots * trainer.training.symbols // len(trainer.training), 0
    while done < wanted:
        done += step(trainer)
    return done


def _padded_step(trainer: Trainer, draw: np.random.Generator) -> int:
    """Train once on a batch of whole songs."""
    songs = len(trainer.training)
    chosen = draw.choice(songs, min(trainer.config.slots, songs), replace=False)
    device = trainer.world.device
    inputs, targets = (torch.from_numpy(array).to(device) for array in pad(trainer.training, chosen))
    with torch.autocast(device.type, torch.bfloat16, enabled=trainer.uses_bf16):
        logits, _ = trainer.model(inputs, trainer.model.initial_state(len(chosen)))
    symbols = int(trainer.training.lengths()[chosen].sum())
    trainer.optimizer.zero_grad()
    torch.autograd.backward(summed_nats(logits, targets) / symbols)
    torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), trainer.config.clip_norm).item()
    trainer.optimizer.step()
    return symbols


if __name__ == "__main__":
    run(main)
