"""What other ways to predict the same songs come to, on the same split.

    python -m benchmarks.baselines --corpus public_domain_songs.csv.xz --minutes 10

Counts (a compressor and n-grams) read the training songs once. Networks are trained for as many minutes
each, on this machine; lyricgen's and the transformer with a schedule that ends just then. All predict the
songs that none of them has read, without their styles, and are asked for the same symbols: characters, and
the end of each song.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import nn

from benchmarks import columns, run
from benchmarks.ngrams import bits_by_order
from benchmarks.trainers import train_for
from benchmarks.transformer import Transformer, bits_per_character
from benchmarks.transformer import train_for as train_transformer
from lyricgen.errors import LyricgenError, OptionError
from train.config import PRESETS, ModelConfig
from train.corpus.encoded import EncodedSongs
from train.corpus.load import Corpus, load_corpus
from train.distributed import choose_device
from train.evaluation import held_out_bits_per_character, pad
from train.model import CharLSTM
from train.session import Session

PPMD_ORDER, PPMD_BYTES = 10, 2**30
MAX_PPMD_SYMBOLS = 256
PADDED_SONGS, PADDED_LEARNING_RATE = 16, 1e-3
_row = columns(34, 15, 9, 21)
WAYS = ("ppmd", "n-grams", "padded", "seed", "transformer", "base")


def main(
    corpus: Annotated[Path, typer.Option(help="The songs.")] = Path("songdata.csv"),
    minutes: Annotated[float, typer.Option(min=0.01, help="Time for each network.")] = 10.0,
    ways: Annotated[str, typer.Option(help=f"Which: of {', '.join(WAYS)}.")] = ",".join(WAYS),
) -> None:
    """Print one line for each way."""
    chosen = ways.split(",")
    for way in chosen:
        if way not in WAYS:
            raise OptionError("ways", way, f"some of {', '.join(WAYS)}, with commas")
    songs = load_corpus(corpus, PRESETS["base"].corpus)
    print(f"{songs.facts.name}: {songs.facts.training_songs:,} songs, {songs.facts.held_out_songs} held out")
    _row("", "size", "seconds", "bits per character")
    with tempfile.TemporaryDirectory() as folder:
        session = Session.create(Path(folder), PRESETS["base"], songs)
        training, held_out = session.songs("training"), session.songs("held_out")
        for way in chosen:
            if way in ("seed", "base"):
                _print_lstm(way, songs, minutes * 60)
            else:
                _OTHERS[way](training, held_out, songs.vocabulary.input_size, minutes * 60)


def _print_ppmd(training: EncodedSongs, held_out: EncodedSongs, size: int, _seconds: float) -> None:
    """PPMd as in 7-Zip: how much longer the code gets by the held-out songs; it goes on learning in them.

    Raises:
        LyricgenError: there are more than 256 different symbols.
    """
    import pyppmd

    if size > MAX_PPMD_SYMBOLS:
        raise LyricgenError(
            f"PPMd reads bytes: at most {MAX_PPMD_SYMBOLS} symbols, found {size}; leave it out with --ways"
        )

    start, encoder = time.monotonic(), pyppmd.Ppmd7Encoder(PPMD_ORDER, PPMD_BYTES)
    encoder.encode(np.asarray(training.tokens).astype(np.uint8).tobytes())
    coded = len(encoder.encode(np.asarray(held_out.tokens).astype(np.uint8).tobytes()) + encoder.flush())
    seconds = time.monotonic() - start
    _print(f"PPMd, order {PPMD_ORDER}", f"{PPMD_BYTES >> 20:,} MB", seconds, 8 * coded / held_out.symbols)


def _print_ngrams(training: EncodedSongs, held_out: EncodedSongs, _size: int, _seconds: float) -> None:
    """All orders in one time: each builds on the one before."""
    start = time.monotonic()
    figures = bits_by_order(training, held_out)
    seconds = time.monotonic() - start
    for order, kept, bits in figures[4:]:
        _print(f"{order}-grams (Witten-Bell)", f"{kept / 1e6:.1f} M n-grams", seconds, bits)


def _print_padded(training: EncodedSongs, held_out: EncodedSongs, size: int, seconds: float) -> None:
    """The usual small recipe: 2 × 128, Adam, whole songs padded with ends that count in the loss, fp32."""
    torch.manual_seed(0)
    device, draw = choose_device("auto"), np.random.default_rng(0)
    model = CharLSTM(size, size - training.eos, ModelConfig(layers=2, hidden_size=128)).to(device)
    for module in (model.lstm, model.output):
        module.reset_parameters()  # PyTorch's own initial weights
    optimizer = torch.optim.Adam(model.parameters(), lr=PADDED_LEARNING_RATE)
    start = time.monotonic()
    batch = min(PADDED_SONGS, len(training))
    while time.monotonic() - start < seconds:
        chosen = draw.choice(len(training), batch, replace=False)
        inputs, targets = (torch.from_numpy(array).to(device) for array in pad(training, chosen))
        logits, _ = model(inputs, model.initial_state(len(chosen)))
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.clamp(min=0).flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    bits = held_out_bits_per_character(model.cpu(), held_out)
    _print("2 × 128, padded songs, Adam", _weights(model), seconds, bits)


def _print_transformer(training: EncodedSongs, held_out: EncodedSongs, size: int, seconds: float) -> None:
    device = choose_device("auto")
    model: Transformer = train_transformer(seconds, training, size, device)
    _print("transformer, 4 × 256", _weights(model), seconds, bits_per_character(model, held_out, device))


def _print_lstm(preset: str, songs: Corpus, seconds: float) -> None:
    config = replace(PRESETS[preset], validations_per_epoch=1e-3)
    result = train_for(seconds, config, songs)
    shape, vocabulary = config.model, songs.vocabulary
    weights = _weights(CharLSTM(vocabulary.input_size, vocabulary.output_size, shape))
    name = f"lyricgen {preset}, {shape.layers} × {shape.hidden_size}"
    _print(name, weights, result.seconds, result.bits_per_character)


_OTHERS: dict[str, Callable[[EncodedSongs, EncodedSongs, int, float], None]] = {
    "ppmd": _print_ppmd,
    "n-grams": _print_ngrams,
    "padded": _print_padded,
    "transformer": _print_transformer,
}


def _weights(model: nn.Module) -> str:
    return f"{sum(weight.numel() for weight in model.parameters()) / 1e6:.2f} M weights"


def _print(name: str, size: str, seconds: float, bits: float) -> None:
    _row(name, size, f"{seconds:.0f}", f"{bits:.4f}")


if __name__ == "__main__":
    run(main)
