"""How good a model is: bits per character on whole songs, and songs of its own to read.

`bits per character = total nats / ln 2 / predicted symbols`; the end of a song counts, SOS and padding
do not. Each song starts from zero state after SOS, without a style.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from lyricgen.engine.cpus import usable_cpus
from lyricgen.engine.record import Floats64
from lyricgen.engine.sampling import NOT_FINITE, choose
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.vocabulary import SOS, Vocabulary
from train.corpus.encoded import IGNORED, EncodedSongs, IntArray
from train.model import CharLSTM

_SLOTS = 64
_CHUNK = 256
_SEED = 0
_PADDED_POSITIONS = 2**22
"""Most positions that one padded batch may have, so that a song of megabytes does not fill the memory."""


def no_progress(*_progress: object) -> None:
    """Do nothing: the callback of a measurement that nobody watches."""


def summed_nats(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the summed cross entropy of logits (T, B, V_out) against targets (T, B) in nats, a scalar.

    It is float32, whatever the logits are; targets that are `IGNORED` do not count.
    """
    flat = logits.float().flatten(0, 1)  # (T * B, V_out)
    return functional.cross_entropy(flat, targets.flatten(), ignore_index=IGNORED, reduction="sum")


def bits(nats: float, symbols: int) -> float:
    """Turn summed nats into bits per symbol."""
    return nats / math.log(2) / max(symbols, 1)


def held_out_nats(
    model: CharLSTM, songs: EncodedSongs, share: tuple[int, int], cancelled: Callable[[], bool]
) -> float | None:
    """Score whole songs in fp32 and return the sum, in nats; None once `cancelled`, asked often, says so.

    Only the batches are scored that fall to process `rank` of `size`, which is the `share`.
    """
    rank, size = share
    nats = torch.zeros((), dtype=torch.float64, device=model.output.weight.device)
    with _evaluating(model):
        for n, chosen in enumerate(similar_length_batches(songs, _SLOTS)):
            if cancelled():
                return None
            if n % size == rank:
                nats += _batch_nats(model, songs, chosen)
    return float(nats)


def held_out_bits_per_character(
    model: CharLSTM, songs: EncodedSongs, on_progress: Callable[[int], None] = no_progress
) -> float:
    """Return the bits per character of whole songs, in fp32, by a model on the CPU.

    `on_progress` is called after each batch with the number of its symbols.
    """
    with _evaluating(model), without_threads():
        return score_side_by_side(songs, lambda chosen: float(_batch_nats(model, songs, chosen)), on_progress)


def score_side_by_side(
    songs: EncodedSongs, score: Callable[[IntArray], float], on_progress: Callable[[int], None]
) -> float:
    """Score all songs, several batches at a time, and return their bits per character.

    Args:
        songs: each is scored once.
        score: returns the summed nats of the songs with these indices (n,); called by several threads.
        on_progress: called after each batch with the number of its symbols.
    """
    batches = list(similar_length_batches(songs, _SLOTS))
    lengths, nats = songs.lengths(), 0.0
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for chosen, batch_nats in zip(batches, pool.map(score, batches), strict=True):
            nats += batch_nats  # in the order of the batches, so that the sum is the same every time
            on_progress(int(lengths[chosen].sum()))
    return bits(nats, songs.symbols)


def nats_through_file(file: ModelFile, songs: EncodedSongs, chosen: IntArray) -> Floats64:
    """Return what each symbol of whole songs costs in an exported model, (T, B) in nats; 0 beyond their ends.

    Args:
        file: the model.
        songs: each is read from zero state after SOS, without its style.
        chosen: (B,) their indices.
    """
    inputs, targets = pad(songs, chosen)
    steps, nats = StepModel(file, len(chosen)), np.zeros(inputs.shape)
    for position, (tokens, units) in enumerate(zip(inputs, targets, strict=True)):  # (B,) each
        steps.token[:] = tokens
        steps.step()
        logits = torch.from_numpy(steps.logits).double()
        cost = functional.cross_entropy(
            logits, torch.from_numpy(units), ignore_index=IGNORED, reduction="none"
        )
        nats[position] = cost.numpy()
    return nats


class PartBits(NamedTuple):
    """Bits per character of songs in parts; 0 where there is none."""

    titles: float
    """With the empty lines behind them."""
    lyrics: float
    """With the ends of the songs."""


def bits_by_part(file: ModelFile, songs: EncodedSongs, line_end: int | None) -> PartBits:
    """Return how well an exported model predicts titles, and what follows them.

    Args:
        file: the model.
        songs: one or more.
        line_end: token id of the line end, two of which stand behind a title; None if songs have no titles.
    """
    nats, symbols = np.zeros(2), np.zeros(2, np.int64)
    with without_threads():
        for chosen in similar_length_batches(songs, _SLOTS):
            costs = nats_through_file(file, songs, chosen)
            for column, song in enumerate(chosen.tolist()):
                tokens = songs.tokens_of(song)
                end = 0 if line_end is None else _title_symbols(tokens, line_end)
                nats += costs[:end, column].sum(), costs[end:, column].sum()
                symbols += end, len(tokens) - end
    return PartBits(*(bits(float(n), int(count)) for n, count in zip(nats, symbols, strict=True)))


def _title_symbols(tokens: npt.NDArray[np.unsignedinteger], line_end: int) -> int:
    """Return how many symbols a title has, with the empty line behind it; 0 if there is none."""
    ends = np.flatnonzero((tokens[:-1] == line_end) & (tokens[1:] == line_end))
    return int(ends[0]) + 2 if len(ends) else 0


@contextmanager
def without_threads() -> Iterator[None]:
    """Keep PyTorch to the thread that calls it: beside other programs, its own wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def _batch_nats(model: CharLSTM, songs: EncodedSongs, chosen: IntArray) -> Tensor:
    """Return the summed nats of whole songs, float64, on the model's device."""
    device = model.output.weight.device
    nats = torch.zeros((), dtype=torch.float64, device=device)
    inputs, targets = (torch.from_numpy(array) for array in pad(songs, chosen))  # (T, B)
    state = model.initial_state(len(chosen))
    for first in range(0, len(inputs), _CHUNK):
        piece = slice(first, first + _CHUNK)
        logits, state = model(inputs[piece].to(device), state)
        nats += summed_nats(logits, targets[piece].to(device)).double()
    return nats


def sample_songs(
    model: CharLSTM, vocabulary: Vocabulary, count: int, max_length: int, temperature: float
) -> list[str]:
    """Write songs with the runtime's own sampler: always the same ones from the same weights.

    A song that does not end within `max_length` characters breaks off there. One that meets a score
    that is not finite ends before it.
    """
    songs = []
    with _evaluating(model):
        for index in range(count):
            song, state = [SOS], model.initial_state(1)
            for position in range(max_length):
                logits, state = model(torch.tensor([[song[-1]]], device=model.output.weight.device), state)
                unit = choose(logits[0, 0].float().cpu().numpy(), temperature, _SEED, index, position)
                if unit in (0, NOT_FINITE):
                    break
                song.append(unit + vocabulary.eos)
            songs.append(vocabulary.decode(song[1:]))
    return songs


@contextmanager
def _evaluating(model: CharLSTM) -> Iterator[None]:
    """Run the model as it will be used: no dropout, no gradients, full precision."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        model.train(was_training)


def similar_length_batches(songs: EncodedSongs, slots: int) -> Iterator[IntArray]:
    """Yield the indices (n,) of all songs, at most `slots` at a time, those of like length together.

    Long songs come in smaller batches, so that a padded batch stays small.
    """
    lengths = songs.lengths()
    order = np.argsort(lengths, kind="stable")
    while len(order):
        size = min(slots, len(order))
        while size > 1 and lengths[order[size - 1]] * size > _PADDED_POSITIONS:
            size -= 1
        yield order[:size]
        order = order[size:]


def pad(songs: EncodedSongs, chosen: IntArray) -> tuple[IntArray, IntArray]:
    """Return inputs and targets (T, B) of the songs `chosen` (B,), without styles, padded to the longest."""
    lengths = songs.lengths()[chosen]
    inputs = np.zeros((int(lengths.max()), len(chosen)), np.int64)
    targets = np.full_like(inputs, IGNORED)
    for slot, (song, length) in enumerate(zip(chosen, lengths, strict=True)):
        inputs[:length, slot], targets[:length, slot] = songs.piece(int(song), 0, int(length))
    return inputs, targets
