"""How fast training is on this machine: characters per second of each preset, in fp32 and in bf16.

    python -m benchmarks.training
    python -m benchmarks.training --compiled

Times whole steps of the training loop (batch, forward, backward, clipping, update) on random songs, all
ways in turn, and prints medians. The floor is what a step's multiplications alone would take at the speed
of one large matrix product in bf16, measured in between: 6 operations for each weight and character
(2 forward, 4 backward). --compiled adds a way: bf16 through torch.compile.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, cast

import torch
import typer
from torch import nn

from benchmarks import run
from benchmarks.songs import random_corpus
from train.callbacks import Callbacks
from train.config import PRESETS, TrainConfig
from train.corpus.load import Corpus
from train.distributed import World, choose_device
from train.loop import Trainer
from train.session import Session

STEPS, SLOW_STEPS = 12, 4
"""Timed steps of each way; fewer where a step has very many characters."""
PRODUCT_SIZES = {"cpu": 2048, "cuda": 8192}
"""Rows and columns of the matrices multiplied for the floor: large enough to keep the device busy."""


def main(
    compiled: Annotated[bool, typer.Option("--compiled", help="Try torch.compile too.")] = False,  # noqa: FBT002
) -> None:
    """Print one line for each preset."""
    world = World(0, 1, choose_device("auto"))
    corpus = random_corpus(600)
    ways = ["fp32", "bf16", "compiled"] if compiled else ["fp32", "bf16"]
    print(f"{'preset':8} {' '.join(f'{way:>12}' for way in ways)} {'bf16 / fp32':>12} {'of the floor':>12}")
    for preset, config in PRESETS.items():
        speeds, floor = _measure(config, corpus, world, ways)
        columns = " ".join(f"{speeds[way]:12,.0f}" for way in ways)
        print(f"{preset:8} {columns} {speeds['bf16'] / speeds['fp32']:12.2f} {speeds['bf16'] / floor:12.0%}")


def _measure(
    config: TrainConfig, corpus: Corpus, world: World, ways: list[str]
) -> tuple[dict[str, float], float]:
    """Return the characters per second of each way, and those of the floor."""
    with tempfile.TemporaryDirectory() as folder:
        trainers = {}
        for way in ways:
            precise = replace(config, precision="fp32" if way == "fp32" else "bf16")
            trainers[way] = Trainer(Session.create(Path(folder), precise, corpus), Callbacks(), world)
            if way == "compiled":
                trainers[way]._parallel_network = cast("nn.Module", torch.compile(trainers[way].network))
        weights = sum(p.numel() for p in trainers["bf16"].model.parameters())
        steps: dict[str, Callable[[], int]] = {way: partial(_step, t) for way, t in trainers.items()}
        size = PRODUCT_SIZES[world.device.type]
        product = torch.randn(size, size, device=world.device, dtype=torch.bfloat16)
        steps["floor"] = lambda: _multiply(product, 6 * weights)
        speeds = _in_turn(steps, STEPS if config.slots < 100 else SLOW_STEPS)
    return speeds, speeds["floor"]


def _in_turn(steps: dict[str, Callable[[], int]], count: int) -> dict[str, float]:
    """Do each kind of step in turn; return its median characters per second."""
    speeds: dict[str, list[float]] = {way: [] for way in steps}
    for number in range(count + 2):
        for way, step in steps.items():
            start = time.perf_counter()
            characters = step()
            if number >= 2:  # the first ones warm up
                speeds[way].append(characters / (time.perf_counter() - start))
    return {way: statistics.median(seen) for way, seen in speeds.items()}


def _step(trainer: Trainer) -> int:
    segment = trainer.segments.next_segment()
    trainer._step(segment)
    trainer._read_losses()  # waits for the device
    return segment.symbols


def _multiply(matrix: torch.Tensor, operations_per_character: int) -> int:
    """Multiply once; return how many characters' worth of operations that is."""
    float((matrix @ matrix)[0, 0])  # waits for the device
    return 2 * len(matrix) ** 3 // operations_per_character


if __name__ == "__main__":
    run(main)
