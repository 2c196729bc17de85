"""A set of whole numbers in few bytes of text, for a card: about 8.5 bits a number where gaps are 150.

What is kept is the gaps between the numbers in ascending order, a byte each or, for 255 and more, a byte for
each 255; compressed, in base64, behind a figure that says how many were put in.
"""

from __future__ import annotations

import base64
import zlib
from functools import lru_cache

import numpy as np

from lyricgen.engine.record import Integers

SPREAD = 150
"""Numbers are below so many times the figure."""
_ESCAPE = 255
_TEXTS_KEPT = 4
"""Of models that a process has open; a file is checked when it is opened, and used later."""


def pack(numbers: Integers, figure: int) -> str:
    """Return numbers, ascending and distinct, as a text; the inverse of `unpack`."""
    gaps = np.diff(numbers, prepend=0)
    ends = np.cumsum(gaps // _ESCAPE + 1) - 1
    content = np.full(ends[-1] + 1 if len(ends) else 0, _ESCAPE, np.uint8)
    content[ends] = gaps % _ESCAPE
    return f"{figure}:{base64.b64encode(zlib.compress(content.tobytes(), 9)).decode()}"


@lru_cache(_TEXTS_KEPT)
def unpack(packed: str) -> tuple[Integers, int]:
    """Return the numbers in a text (n,), ascending and not to be written to, and its figure.

    Raises:
        ValueError: it is none that `pack` wrote.
    """
    written, _, content = packed.partition(":")
    figure, stream = int(written), zlib.decompressobj()
    try:
        raw = stream.decompress(base64.b64decode(content, validate=True), 2 * figure + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    gaps = np.frombuffer(raw, np.uint8)
    numbers = np.cumsum(gaps, dtype=np.int64)[gaps < _ESCAPE]
    if not stream.eof or len(numbers) > figure or (numbers >= figure * SPREAD).any():
        raise ValueError("they break off, or are too many")
    numbers.flags.writeable = False
    return numbers, figure
