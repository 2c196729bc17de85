"""How good a model is: bits per character on whole songs, and songs of its own to read.

`bits per character = total nats / ln 2 / predicted symbols`; the end of a song counts, SOS and padding
do not. Each song starts from zero state after SOS, without a style.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lyricgen.engine.sampling import NOT_FINITE, choose
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
    """Score whole songs in fp32 and return the sum, in nats.

    Args:
        model: may be in training; it is put back.
        songs: each is read from zero state after SOS, without a style.
        share: (rank, size): only the batches that fall to process `rank` of `size` are scored.
        cancelled: asked before each batch; None is returned once it says so.
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
    """Return the bits per character of whole songs, in fp32, on the CPU; several batches at a time.

    Args:
        model: on the CPU.
        songs: each is read from zero state after SOS, without a style.
        on_progress: called after each batch with the number of its symbols.
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
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for chosen, batch_nats in zip(batches, pool.map(score, batches), strict=True):
            nats += batch_nats  # in the order of the batches, so that the sum is the same every time
            on_progress(int(lengths[chosen].sum()))
    return bits(nats, songs.symbols)


@contextmanager
def without_threads() -> Iterator[None]:
    """Keep PyTorch to the thread that calls it.

    Its own threads wait for each other in busy loops; next to any other program that takes many times as
    long.
    """
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
    songs: list[list[int]] = [[] for _ in range(count)]
    writing = set(range(count))
    device = model.output.weight.device
    tokens = np.full((1, count), SOS, np.int64)  # (T = 1, B)
    with _evaluating(model):
        state = model.initial_state(count)
        for position in range(max_length):
            scores, state = model(torch.from_numpy(tokens).to(device), state)
            logits = scores[0].float().cpu().numpy()  # (B, V_out)
            for song in tuple(writing):
                unit = choose(logits[song], temperature, _SEED, song, position)
                if unit in (0, NOT_FINITE):
                    writing.remove(song)
                    continue
                tokens[0, song] = unit + vocabulary.eos
                songs[song].append(unit + vocabulary.eos)
            if not writing:
                break
    return [vocabulary.decode(song) for song in songs]


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
    first = 0
    while first < len(order):
        last = min(first + slots, len(order))
        while last > first + 1 and lengths[order[last - 1]] * (last - first) > _PADDED_POSITIONS:
            last -= 1
        yield order[first:last]
        first = last


def pad(songs: EncodedSongs, chosen: IntArray) -> tuple[IntArray, IntArray]:
    """Return inputs and targets (T, B) of whole songs without styles, padded to the longest of them.

    Args:
        songs: to choose from.
        chosen: (B,) their indices.
    """
    lengths = songs.lengths()[chosen]
    inputs = np.zeros((int(lengths.max()), len(chosen)), np.int64)
    targets = np.full_like(inputs, IGNORED)
    for slot, (song, length) in enumerate(zip(chosen, lengths, strict=True)):
        inputs[:length, slot], targets[:length, slot] = songs.piece(int(song), 0, int(length))
    return inputs, targets
