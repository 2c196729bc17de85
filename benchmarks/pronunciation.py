"""How well words that the dictionary lacks are pronounced: words of songs, taken out of it and asked for.

    python -m benchmarks.pronunciation cmudict.dict --corpus songs.csv

A tenth of the dictionary's words that occur in the songs are held out: the rest is packed, and the guess
learned from it alone. A word is right if what is found rhymes as one of its true pronunciations does. Words
count once, as often as they occur, or as often as they end a line.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import numpy as np
import pandas as pd
import typer

from benchmarks import columns, run
from lyricgen.song import english
from lyricgen.song.dictionary import Dictionary
from lyricgen.song.phonemes import is_vowel
from lyricgen.song.sound import ending, words
from lyricgen.terminal import command
from train.pronunciation import Pronunciations, align, learn, pack, read_cmudict

_HELD_OUT_SHARE = 0.1
_row = columns(24, 8, 9, 9, 12, 11)


def main(
    dictionary: Annotated[Path, typer.Argument(help="CMUdict's file cmudict.dict.", parser=command.path)],
    corpus: Annotated[Path, typer.Option(help="CSV with a column named text.", parser=command.path)],
) -> None:
    """Measure how words that the dictionary lacks are pronounced."""
    known = read_cmudict(dictionary)
    counts, ends = _count(pd.read_csv(corpus, usecols=["text"])["text"].astype(str).tolist())
    candidates = sorted(counts.keys() & known.keys())
    chosen = np.random.default_rng(0).random(len(candidates)) < _HELD_OUT_SHARE
    held_out = [word for word, is_chosen in zip(candidates, chosen, strict=True) if is_chosen]
    rest = {word: found for word, found in known.items() if word not in set(held_out)}
    with tempfile.TemporaryDirectory() as folder:
        pack(rest, *learn(align(rest)), path := Path(folder, "rest.npz"))
        packed = Dictionary(path)
    typer.echo(f"{len(held_out):,} words of the songs are held out of {len(known):,}")
    _row("right ending", "words", "by word", "by use", "by line end", "syllables")
    with patch("lyricgen.song.english.dictionary", lambda: packed):
        for name, find in (
            ("guessed by spelling", lambda word: (packed.guess(word),)),
            ("found by its parts", english.from_parts),
            ("both", lambda word: english.from_parts(word) or (packed.guess(word),)),
        ):
            _show(name, find, held_out, known, counts, ends)


def _count(texts: list[str]) -> tuple[Counter[str], Counter[str]]:
    """Return how often each word occurs, and how often it ends a line."""
    lines = [found for text in texts for line in text.lower().split("\n") if (found := words(line))]
    return Counter(word for line in lines for word in line), Counter(line[-1] for line in lines)


def _show(
    name: str,
    find: Callable[[str], tuple[str, ...]],
    held_out: list[str],
    known: Pronunciations,
    counts: Counter[str],
    ends: Counter[str],
) -> None:
    found = {word: pronunciations for word in held_out if (pronunciations := find(word))}
    table = pd.DataFrame(
        {
            "right": [not {*map(ending, found[word])}.isdisjoint(map(ending, known[word])) for word in found],
            "counted": [_syllables(found[word][0]) in set(map(_syllables, known[word])) for word in found],
            "uses": [counts[word] for word in found],
            "ends": [ends[word] for word in found],
        }
    )
    shares = [table.right.mean(), *(np.average(table.right, weights=table[of]) for of in ("uses", "ends"))]
    _row(name, f"{len(table):,}", *(f"{share:.1%}" for share in (*shares, table.counted.mean())))


def _syllables(pronunciation: str) -> int:
    return sum(map(is_vowel, pronunciation))


if __name__ == "__main__":
    run(main)
