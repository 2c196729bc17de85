"""A character n-gram model: what counting alone comes to.

Interpolated Witten-Bell smoothing (Witten and Bell 1991, "The zero-frequency problem"): an n-gram's
relative frequency after its context is mixed with the estimate of one character less of context; the more
different characters followed the context, the more the shorter one counts. Songs stand one after the other
with a mark between them, so the first characters of a song have the end of another for a context.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lyricgen.errors import LyricgenError
from train.corpus.encoded import EncodedSongs

BITS = 7
"""Bits of each symbol in a packed n-gram: at most 128 symbols, and nine of them in 63 bits."""
MAX_ORDER = 63 // BITS

Codes = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]


def bits_by_order(training: EncodedSongs, held_out: EncodedSongs) -> list[tuple[int, int, float]]:
    """Return (order, distinct n-grams kept, bits per character on the held-out songs) for orders 1 to 9.

    Raises:
        LyricgenError: there are more than 128 symbols.
    """
    read, unseen = _symbols(training), _symbols(held_out)
    if max(read.max(), unseen.max()) >= 2**BITS:
        raise LyricgenError(f"n-grams are packed: at most {2**BITS} symbols; leave them out with --ways")
    probability = np.full(len(unseen), 1.0 / (int(read.max()) + 1))
    kept, results = 0, []
    for order in range(1, MAX_ORDER + 1):
        grams, counts = np.unique(_packed(read, order), return_counts=True)
        kept += len(grams)
        probability = _mixed(grams, counts, _packed(unseen, order), probability)
        asked = unseen != 0  # SOS is given
        results.append((order, kept, float(-np.log2(probability[asked]).mean())))
    return results


def _symbols(songs: EncodedSongs) -> Codes:
    """Return the songs as one row of symbols, 0 before each."""
    return np.insert(np.asarray(songs.tokens), songs.starts[:-1], 0).astype(np.uint64)


def _packed(symbols: Codes, order: int) -> Codes:
    """Return for each symbol the n-gram that ends with it; before the first song stand zeros."""
    packed = np.zeros(len(symbols), np.uint64)
    for back in range(order):
        shifted = np.concatenate([np.zeros(back, np.uint64), symbols])[: len(symbols)]
        packed |= shifted << np.uint64(BITS * back)
    return packed


def _mixed(grams: Codes, counts: npt.NDArray[np.int64], asked: Codes, shorter: Floats) -> Floats:
    """Return the probability of the last symbol of each n-gram in `asked`, given those of `shorter` ones."""
    shift = np.uint64(BITS)
    contexts, firsts = np.unique(grams >> shift, return_index=True)
    totals = np.add.reduceat(counts, firsts)
    kinds = np.diff(np.append(firsts, len(grams)))
    at, seen = _found(contexts, asked >> shift)
    total, kind = np.where(seen, totals[at], 0), np.where(seen, kinds[at], 1)
    at, seen = _found(grams, asked)
    count = np.where(seen, counts[at], 0)
    mixed: Floats = (count + kind * shorter) / (total + kind)
    return mixed


def _found(table: Codes, codes: Codes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return where each code stands in the sorted table, and whether it does."""
    at = np.minimum(np.searchsorted(table, codes), len(table) - 1)
    return at, table[at] == codes
