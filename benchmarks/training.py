"""How fast training is on this machine: characters per second of each preset, in fp32 and in bf16.

    python -m benchmarks.training

Times whole steps of the training loop (batch, forward, backward, clipping, update) on random songs,
the two precisions in turn, and prints medians and their ratio.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from lyricgen.vocabulary import Vocabulary
from train.config import PRESETS
from train.corpus import Corpus
from train.loop import Trainer
from train.session import Session

STEPS = 15
ALPHABET = "".join(map(chr, range(32, 122)))


class Silence:
    """Hears nothing."""

    def advanced(self, symbols: int, bits_per_character: float) -> None:
        """Nothing to show."""

    def validated(self, row: dict[str, float], *, best: bool) -> None:
        """Nothing to show."""


def main() -> None:
    """Print one line for each preset."""
    draw = random.Random(0)  # noqa: S311 (songs, not secrets)
    songs = ["".join(draw.choices(ALPHABET, k=1200)) for _ in range(200)]
    corpus = Corpus("random", "0" * 64, Vocabulary.of(ALPHABET), songs, songs[:2], {})
    print(f"{'preset':8} {'fp32':>12} {'bf16':>12} {'bf16 / fp32':>12}   characters per second")
    for preset, config in PRESETS.items():
        with tempfile.TemporaryDirectory() as folder:
            trainers = [
                Trainer(
                    Session.create(Path(folder), replace(config, precision=p), corpus, "benchmark"), Silence()
                )
                for p in ("fp32", "bf16")
            ]
            fp32, bf16 = _speeds(trainers)
        print(f"{preset:8} {fp32:12,.0f} {bf16:12,.0f} {bf16 / fp32:12.2f}")


def _speeds(trainers: list[Trainer]) -> list[float]:
    """Step the trainers in turn; return each one's median characters per second."""
    speeds: list[list[float]] = [[] for _ in trainers]
    for step in range(STEPS + 2):
        for trainer, seen in zip(trainers, speeds, strict=True):
            start = time.perf_counter()
            segment = trainer.slots.next_segment()
            trainer._step(segment)
            if step >= 2:  # the first ones warm up
                seen.append(segment.symbols / (time.perf_counter() - start))
    return [statistics.median(seen) for seen in speeds]


if __name__ == "__main__":
    main()
