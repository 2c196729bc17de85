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
from benchmarks.transformer import bits_per_character
from benchmarks.transformer import train_for as train_transformer
from lyricgen.errors import LyricgenError, OptionError
from train.config import PRESETS, ModelConfig
from train.corpus.encoded import EncodedSongs
from train.corpus.load import load_corpus
from train.distributed import choose_device
from train.evaluation import held_out_bits_per_character, pad
from train.model import CharLSTM
from train.session import Session

PPMD_ORDER, PPMD_BYTES, MAX_PPMD_SYMBOLS = 10, 2**30, 256
PADDED_SONGS, PADDED_LEARNING_RATE = 16, 1e-3
WAYS = ("ppmd", "n-grams", "padded", "seed", "transformer", "base")
_row = columns(34, 15, 9, 21)


def main(
    corpus: Annotated[Path, typer.Option(help="The songs.")] = Path("songdata.csv"),
    minutes: Annotated[float, typer.Option(min=0.01, help="Time for each network.")] = 10.0,
    ways: Annotated[str, typer.Option(help=f"Which: of {', '.join(WAYS)}.")] = ",".join(WAYS),
) -> None:
    """Print one line for each way."""
    for way in ways.split(","):
        if way not in WAYS:
            raise OptionError("ways", way, f"some of {', '.join(WAYS)}, with commas")
    songs = load_corpus(corpus, PRESETS["base"].corpus)
    print(f"{songs.facts.name}: {songs.facts.training_songs:,} songs, {songs.facts.held_out_songs} held out")
    _row("", "size", "seconds", "bits per character")
    with tempfile.TemporaryDirectory() as folder:
        session = Session.create(Path(folder), PRESETS["base"], songs)
        training, held_out = session.songs("training"), session.songs("held_out")
        size, seconds = songs.vocabulary.input_size, 60 * minutes
        for way in ways.split(","):
            if way == "ppmd":
                _ppmd(training, held_out, size)
            elif way == "n-grams":
                _ngrams(training, held_out)
            elif way == "padded":
                _padded(training, held_out, size, seconds)
            elif way == "transformer":
                device = choose_device("auto")
                model = train_transformer(seconds, training, size, device)
                bits = bits_per_character(model, held_out, device)
                _print("transformer, 4 × 256", _weights(model), seconds, bits)
            else:
                config = replace(PRESETS[way], validations_per_epoch=1e-3)
                progress = train_for(seconds, config, songs)
                weights = _weights(CharLSTM(size, songs.vocabulary.output_size, config.model))
                name = f"lyricgen {way}, {config.model.layers} × {config.model.hidden_size}"
                _print(name, weights, progress.elapsed_seconds, progress.best_held_out)


def _ppmd(training: EncodedSongs, held_out: EncodedSongs, size: int) -> None:
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


def _ngrams(training: EncodedSongs, held_out: EncodedSongs) -> None:
    """All orders in one time: each builds on the one before."""
    start = time.monotonic()
    figures = bits_by_order(training, held_out)
    seconds = time.monotonic() - start
    for order, kept, bits in figures[4:]:
        _print(f"{order}-grams (Witten-Bell)", f"{kept / 1e6:.1f} M n-grams", seconds, bits)


def _padded(training: EncodedSongs, held_out: EncodedSongs, size: int, seconds: float) -> None:
    """The usual small recipe: 2 × 128, Adam, whole songs padded with ends that count in the loss, fp32."""
    torch.manual_seed(0)
    device, draw = choose_device("auto"), np.random.default_rng(0)
    model = CharLSTM(size, size - training.eos, ModelConfig(layers=2, hidden_size=128)).to(device)
    for module in (model.lstm, model.output):
        module.reset_parameters()  # PyTorch's own initial weights
    optimizer = torch.optim.Adam(model.parameters(), lr=PADDED_LEARNING_RATE)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        chosen = draw.choice(len(training), min(PADDED_SONGS, len(training)), replace=False)
        inputs, targets = (torch.from_numpy(array).to(device) for array in pad(training, chosen))
        logits, _ = model(inputs, model.initial_state(len(chosen)))
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.clamp(min=0).flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    bits = held_out_bits_per_character(model.cpu(), held_out)
    _print("2 × 128, padded songs, Adam", _weights(model), seconds, bits)


def _weights(model: nn.Module) -> str:
    return f"{sum(weight.numel() for weight in model.parameters()) / 1e6:.2f} M weights"


def _print(name: str, size: str, seconds: float, bits: float) -> None:
    _row(name, size, f"{seconds:.0f}", f"{bits:.4f}")


if __name__ == "__main__":
    run(main)
