"""How fast training is on this machine: characters per second of each preset, in fp32 and in bf16.

    python -m benchmarks.training
    python -m benchmarks.training --compiled

Times whole steps of the training loop (batch, forward, backward, clipping, update) on random songs, all
ways in turn, and prints medians. The floor is what a step's multiplications alone would take at the speed
of one large matrix product in bf16, measured in between: 6 operations for each weight and character
(2 forward, 4 backward). --compiled adds a way: bf16 through torch.compile.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks import columns, median_seconds, run
from benchmarks.songs import random_corpus
from benchmarks.trainers import endless, new_trainer, step
from train.config import PRESETS, TrainConfig
from train.corpus.load import Corpus
from train.session import Session

STEPS, SLOW_STEPS = 12, 4
"""Timed steps of each way; fewer where a step has very many characters."""
PRODUCT_SIZES = {"cpu": 2048, "cuda": 8192}
"""Rows and columns of the matrices multiplied for the floor: large enough to keep the device busy."""


def main(
    compiled: Annotated[bool, typer.Option("--compiled", help="Try torch.compile too.")] = False,  # noqa: FBT002
) -> None:
    """Print one line for each preset."""
    corpus = random_corpus(megabytes=1)
    ways = ["fp32", "bf16", "compiled"] if compiled else ["fp32", "bf16"]
    row = columns(8, *[13] * (len(ways) + 2))
    row("preset", *ways, "bf16 / fp32", "of the floor")
    for preset, config in PRESETS.items():
        seconds = _measure(config, corpus, ways)
        speeds = (f"{1 / seconds[way]:,.0f}" for way in ways)
        gain, share = seconds["fp32"] / seconds["bf16"], seconds["floor"] / seconds["bf16"]
        row(preset, *speeds, f"{gain:.2f}", f"{share:.0%}")


def _measure(config: TrainConfig, corpus: Corpus, ways: list[str]) -> dict[str, float]:
    """Return the median seconds per character of each way, and of the floor."""
    trainers = {}
    with tempfile.TemporaryDirectory() as folder:
        for way in ways:
            precise = replace(endless(config), precision="fp32" if way == "fp32" else "bf16")
            trainers[way] = new_trainer(Session.create(Path(folder), precise, corpus))
            if way == "compiled":
                trainers[way].network.compile()
        weights = sum(p.numel() for p in trainers["bf16"].model.parameters())
        device = trainers["bf16"].world.device
        product = torch.randn([PRODUCT_SIZES[device.type]] * 2, device=device, dtype=torch.bfloat16)
        steps: dict[str, Callable[[], int]] = {way: partial(step, t) for way, t in trainers.items()}
        steps["floor"] = lambda: _multiply(product, 6 * weights)
        return median_seconds(steps, STEPS if config.slots < 100 else SLOW_STEPS, warm_up=2)


def _multiply(matrix: torch.Tensor, operations_per_character: int) -> int:
    """Multiply once; return how many characters' worth of operations that is."""
    float((matrix @ matrix)[0, 0])  # waits for the device
    return 2 * len(matrix) ** 3 // operations_per_character


if __name__ == "__main__":
    run(main)
