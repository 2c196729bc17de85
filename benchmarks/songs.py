"""Random songs for benchmarks: words that nobody wrote, lengths as songs have them."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from train.config import CorpusConfig
from train.corpus.load import Corpus, load_corpus

WORDS = 20_000
MEDIAN_LENGTH, SPREAD = 830, 0.86
"""Median length, and standard deviation of its logarithm, as in 29,000 songs in the public domain."""


def random_songs(seed: int = 0) -> Iterator[str]:
    """Yield songs without end."""
    draw = np.random.default_rng(seed)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    weights = 1.0 / np.arange(1, len(letters) + 1)
    lengths = draw.integers(2, 10, WORDS)
    words = np.array(["".join(draw.choice(letters, n, p=weights / weights.sum())) for n in lengths])
    while True:
        length = int(draw.lognormal(np.log(MEDIAN_LENGTH), SPREAD))
        chosen = words[(WORDS * draw.random(max(length // 6, 1)) ** 3).astype(int)]
        lines = (" ".join(chosen[n : n + 7]) for n in range(0, len(chosen), 7))
        yield "\n".join(lines)


def random_corpus(megabytes: float) -> Corpus:
    """Return a corpus of random songs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random_songs.csv"
        write_random_csv(path, round(megabytes * 10**6))
        return load_corpus(path, CorpusConfig())


def write_random_csv(path: Path, size_bytes: int) -> None:
    """Write random songs into a CSV of about `size_bytes`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["artist", "song", "text"])
        for number, text in enumerate(random_songs()):
            writer.writerow(["nobody", f"Song {number}", text])
            if file.tell() > size_bytes:
                return
