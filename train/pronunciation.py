"""Packs CMUdict for the runtime, and learns from it to guess how other words are pronounced.

    python -m train.pronunciation cmudict.dict

Writes runtime/lyricgen/assets/english.npz; `lyricgen.song.dictionary` tells what is in it. The dictionary is
that of https://github.com/cmusphinx/cmudict (BSD licence, in assets/CMUDICT_LICENSE).
"""

from __future__ import annotations

import io
import math
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
import typer
from torch import Tensor, nn

from lyricgen.files import write_atomically
from lyricgen.song.dictionary import LETTERS, PATH, SIDE
from lyricgen.song.phonemes import is_vowel, pronounced, with_stress
from lyricgen.terminal import command

Pronunciations = Mapping[str, list[str]]
"""By word, strings of `phonemes`, the usual one first."""
Aligned = list[tuple[str, list[str]]]
"""A word and, for each of its letters, the phonemes that it stands for: none, one or two."""
Cost = Callable[[str, str], float]
"""Of a letter and what it stands for."""

_ROUNDS = 6
_SAMPLED = 12_000
"""Pronunciations by which letters and phonemes are aligned."""
_IMPOSSIBLE = 60.0
"""Cost of an alignment from which nothing can be learned, as of abbreviations."""
_WORDS_IN_A_BLOCK = 2000
_SIZES = 224, 160
_EPOCHS, _BATCH, _LEARNING_RATE = 10, 1024, 3e-3


def read_cmudict(path: Path) -> Pronunciations:
    """Return the words of CMUdict that consist of letters and apostrophes."""
    found = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, names = line.split("#")[0].partition(" ")
        word = re.sub(r"\(\d+\)$", "", word)
        if re.fullmatch("[a-z']+", word):
            found[word].append(pronounced(names))
    return found


def align(words: Pronunciations) -> Aligned:
    """Find out which letters stand for which phonemes, by expectation maximisation of the best alignment."""
    entries = [(word, one) for word, pronunciations in words.items() for one in pronunciations]
    order = np.random.default_rng(0).permutation(len(entries))
    cost: Cost = _first_cost
    for _ in range(_ROUNDS):
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for word, pronunciation in (entries[n] for n in order[:_SAMPLED]):
            for letter, chunk in zip(word, _best(word, pronunciation, cost)[1], strict=False):
                counts[letter][_plain(chunk)] += 1
        cost = _learned_cost(counts)
    best = ((word, *_best(word, one, cost)) for word, one in entries)
    return [(word, chunks) for word, total, chunks in best if total < _IMPOSSIBLE]


def _first_cost(letter: str, chunk: str) -> float:
    vowels = [is_vowel(phoneme) for phoneme in chunk]
    return 3.0 - len(chunk) / 2 + 3 * sum(vowel != (letter in "aeiouy") for vowel in vowels)


def _learned_cost(counts: Mapping[str, Counter[str]]) -> Cost:
    costs = {
        (letter, chunk): -math.log(count / (chunks.total() + 5))
        for letter, chunks in counts.items()
        for chunk, count in chunks.items()
    }
    return lambda letter, chunk: costs.get((letter, chunk), 12.0 + 2 * len(chunk))


def _plain(chunk: str) -> str:
    """Return phonemes without their stress."""
    return "".join(with_stress(phoneme, 0) if is_vowel(phoneme) else phoneme for phoneme in chunk)


def _best(word: str, pronunciation: str, cost: Cost) -> tuple[float, list[str]]:
    """Return the cost of the cheapest alignment of a word, and the phonemes of each letter (Viterbi)."""
    plain = _plain(pronunciation)
    ways: dict[int, tuple[float, list[str]]] = {0: (0.0, [])}  # by how many phonemes are used up
    for letter in word:
        longer: dict[int, tuple[float, list[str]]] = {}
        for start, (total, chunks) in ways.items():
            for end in range(start, min(start + 2, len(plain)) + 1):
                new = total + cost(letter, plain[start:end])
                if end not in longer or new < longer[end][0]:
                    longer[end] = new, [*chunks, pronunciation[start:end]]
        ways = longer
    return ways.get(len(plain), (math.inf, []))


class Guess(nn.Module):
    """From a letter and its neighbours to what it stands for; letters are (B, 17) numbers."""

    def __init__(self, chunks: int) -> None:
        super().__init__()
        self.window = 2 * SIDE + 1
        self.letters = nn.EmbeddingBag(self.window * len(LETTERS), _SIZES[0], mode="sum")
        nn.init.normal_(self.letters.weight, 0, 0.15)
        self.biases = nn.Parameter(torch.zeros(_SIZES[0]))
        self.hidden, self.output = nn.Linear(*_SIZES), nn.Linear(_SIZES[1], chunks)

    def forward(self, letters: Tensor) -> Tensor:
        """Return logits (B, chunks)."""
        places = letters + torch.arange(self.window) * len(LETTERS)
        values = torch.relu(self.letters(places) + self.biases)
        logits: Tensor = self.output(torch.relu(self.hidden(values)))
        return logits


def windows(word: str) -> npt.NDArray[np.int64]:
    """Return for each letter (n, 17) the numbers of the letters around it."""
    numbers = [0] * SIDE + [LETTERS.index(letter) for letter in word] + [0] * SIDE
    return np.lib.stride_tricks.sliding_window_view(np.array(numbers), 2 * SIDE + 1)


def learn(aligned: Aligned) -> tuple[Guess, list[str]]:
    """Train a guess; return it with what its outputs stand for."""
    torch.manual_seed(0)
    chunks = sorted({chunk for _, parts in aligned for chunk in parts})
    number = {chunk: n for n, chunk in enumerate(chunks)}
    letters = torch.tensor(np.concatenate([windows(word) for word, _ in aligned]))
    wanted = torch.tensor([number[chunk] for _, parts in aligned for chunk in parts])
    guess = Guess(len(chunks))
    steps = _EPOCHS * (len(letters) // _BATCH)
    optimizer = torch.optim.AdamW(guess.parameters(), _LEARNING_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps + 1)
    for _ in range(_EPOCHS):
        for batch in torch.split(torch.randperm(len(letters)), _BATCH)[: len(letters) // _BATCH]:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(guess(letters[batch]), wanted[batch])
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    return guess, chunks


def quantized(guess: Guess) -> dict[str, npt.NDArray[np.generic]]:
    """Return the weights of a guess as whole numbers, by the names that the packed file has for them."""
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    scale = 1.0
    layers = (
        ("letters", guess.letters.weight, guess.biases),
        ("hidden", guess.hidden.weight.T, guess.hidden.bias),
        ("output", guess.output.weight.T, guess.output.bias),
    )
    for n, (name, weights, biases) in enumerate(layers, 1):
        values = weights.detach().double().numpy()
        step = np.abs(values).max() / 127
        scale *= step
        arrays[name] = np.rint(values / step).astype(np.int8)
        arrays[f"biases_{n}"] = np.rint(biases.detach().double().numpy() / scale).astype(np.int64)
    arrays["letters"] = arrays["letters"].reshape(2 * SIDE + 1, len(LETTERS), _SIZES[0])
    return arrays


def pack(words: Pronunciations, guess: Guess, chunks: Iterable[str], path: Path) -> None:
    """Write the file that `lyricgen.song.dictionary` reads."""
    lines = sorted(" ".join([word[::-1], *found]).encode() for word, found in words.items())
    parts = [lines[start : start + _WORDS_IN_A_BLOCK] for start in range(0, len(lines), _WORDS_IN_A_BLOCK)]
    blocks = [zlib.compress(b"\n".join(part), 9) for part in parts]
    texts = {
        "words": b"".join(blocks),
        "firsts": b"\n".join(part[0].split(b" ")[0] for part in parts),
        "chunks": "\n".join(chunks).encode(),
    }
    arrays: dict[str, npt.NDArray[Any]] = {
        name: np.frombuffer(text, np.uint8) for name, text in texts.items()
    }
    arrays |= {"ends": np.cumsum([len(block) for block in blocks]), **quantized(guess)}
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    write_atomically(path, content.getvalue())


def main(
    dictionary: Annotated[Path, typer.Argument(help="CMUdict's file cmudict.dict.", parser=command.path)],
) -> None:
    """Pack the dictionary and learn the guess; some five minutes."""
    words = read_cmudict(dictionary)
    pack(words, *learn(align(words)), PATH)
    typer.echo(f"{PATH}: {len(words):,} words, {PATH.stat().st_size:,} bytes")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    command.run_and_exit(app, "python -m train.pronunciation")
