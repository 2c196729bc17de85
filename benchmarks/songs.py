"""Random songs for benchmarks: words that nobody wrote, lengths as songs have them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lyricgen.vocabulary import Vocabulary
from train.corpus.facts import CorpusFacts
from train.corpus.load import Corpus
from train.corpus.scratch import CorpusSong, Songs

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


def random_corpus(songs: int) -> Corpus:
    """Return a corpus of random songs that was never in a file."""
    texts = [text for text, _ in zip(random_songs(), range(songs), strict=False)]
    training, held_out = (Songs.of(CorpusSong(text, "") for text in part) for part in (texts[2:], texts[:2]))
    facts = CorpusFacts(
        name="random songs",
        sha256="0" * 64,
        licence="none needed",
        training_songs=songs - 2,
        training_characters=sum(map(len, texts[2:])),
        held_out_songs=2,
        held_out_characters=sum(map(len, texts[:2])),
    )
    vocabulary = Vocabulary.of("".join(texts))
    return Corpus(facts, vocabulary, title_line=False, training=training, held_out=held_out)


def write_random_csv(path: Path, size_bytes: int) -> None:
    """Write random songs into a CSV of about `size_bytes`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["artist", "song", "text"])
        for number, text in enumerate(random_songs()):
            writer.writerow(["nobody", f"Song {number}", text])
            if file.tell() > size_bytes:
                return
