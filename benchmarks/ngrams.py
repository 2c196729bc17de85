"""A character n-gram model: what counting alone comes to.

Interpolated Witten-Bell smoothing (Witten and Bell 1991, "The zero-frequency problem"): an n-gram's
relative frequency after its context is mixed with the estimate of one character less of context; the more
different characters followed the context, the more the shorter one counts. Songs stand one after the other
with a mark between them, so the first characters of a song have the end of another for a context.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lyricgen.errors import LyricgenError
from train.corpus.encoded import EncodedSongs

BITS = 7
"""Bits of each symbol in a packed n-gram: at most 128 symbols, and nine of them in 63 bits."""
MAX_ORDER = 63 // BITS


def bits_by_order(training: EncodedSongs, held_out: EncodedSongs) -> list[tuple[int, int, float]]:
    """Return (order, distinct n-grams kept, bits per character on the held-out songs) for orders 1 to 9.

    Raises:
        LyricgenError: there are more than 128 symbols.
    """
    parts = [
        np.insert(np.asarray(songs.tokens), songs.starts[:-1], 0).astype(np.uint64)  # 0 before each song
        for songs in (training, held_out)
    ]
    highest = [int(symbols.max()) for symbols in parts]
    if max(highest) >= 2**BITS:
        raise LyricgenError(f"n-grams are packed: at most {2**BITS} symbols; leave them out with --ways")
    probability = np.full(len(parts[1]), 1.0 / (highest[0] + 1))
    read, asked = (np.zeros_like(symbols) for symbols in parts)  # the n-gram that ends with each symbol
    shift, kept, results = np.uint64(BITS), 0, []
    for order in range(1, MAX_ORDER + 1):
        for symbols, grams in zip(parts, (read, asked), strict=True):
            grams[order - 1 :] |= symbols[: max(len(symbols) - order + 1, 0)] << np.uint64(BITS * (order - 1))
        counts = pd.Series(read).value_counts()
        kept += len(counts)
        contexts = counts.groupby(counts.index.to_numpy() >> shift).agg(["sum", "size"])
        context = contexts.reindex(asked >> shift).fillna({"sum": 0, "size": 1})
        total, kinds = context["sum"].to_numpy(), context["size"].to_numpy()
        probability = (counts.reindex(asked).fillna(0).to_numpy() + kinds * probability) / (total + kinds)
        results.append((order, kept, float(-np.log2(probability[parts[1] != 0]).mean())))
    return results
