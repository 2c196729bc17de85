"""Compiled by numba: the softmax with temperature, and the draw of one character from it.

Random numbers are counter-based: number n of song i under seed s is a function of (s, i, n) and
nothing else, so a song does not depend on what is written beside it or before it. The generator is
Philox 4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"), whose published
test vectors are in the tests.

Arithmetic is float64, without fast-math. Importing this module compiles its functions, or loads them
from numba's cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

F = TypeVar("F", bound=Callable[..., Any])
Logits = npt.NDArray[np.float32]
Word = Any
"""An unsigned 64-bit integer inside compiled code; callers pass any int from 0 to 2**64 - 1."""

_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_ROUNDS = 10

NOT_FINITE = -1
"""Returned by `draw` where a logit is NaN or infinite."""


def _compiled(*signatures: str) -> Callable[[F], F]:
    """Compile ahead of the first call, cached on disk where a folder for that is writable."""

    def compile_now(function: F) -> F:
        try:
            compiled = numba.njit(list(signatures), cache=True)(function)
        except RuntimeError:  # numba found no writable folder for its cache
            compiled = numba.njit(list(signatures))(function)
        return cast("F", compiled)

    return compile_now


@_compiled("UniTuple(uint64, 4)(uint64, uint64, uint64, uint64, uint64, uint64)")
def philox(
    counter_0: Word, counter_1: Word, counter_2: Word, counter_3: Word, key_0: Word, key_1: Word
) -> tuple[Word, Word, Word, Word]:
    """Return four random 32-bit words for a counter of four words and a key of two (Philox 4x32-10)."""
    for _ in range(_ROUNDS):
        product_0 = _MULTIPLIER_0 * counter_0
        product_1 = _MULTIPLIER_1 * counter_2
        counter_0, counter_1, counter_2, counter_3 = (
            (product_1 >> _32) ^ counter_1 ^ key_0,
            product_1 & _LOW,
            (product_0 >> _32) ^ counter_3 ^ key_1,
            product_0 & _LOW,
        )
        key_0 = (key_0 + _WEYL_0) & _LOW
        key_1 = (key_1 + _WEYL_1) & _LOW
    return counter_0, counter_1, counter_2, counter_3


@_compiled("float64(uint64, uint64, uint64)")
def uniform(seed: Word, song: Word, position: Word) -> float:
    """Return the random number in [0, 1) that decides character `position` of song `song`; 53 bits."""
    high, low, _, _ = philox(
        position & _LOW, position >> _32, song & _LOW, song >> _32, seed & _LOW, seed >> _32
    )
    bits = ((high << _32) | low) >> np.uint64(11)
    return float(bits * (1.0 / 9007199254740992.0))


@_compiled("int64(float32[::1], float64, float64)")
def draw(logits: Logits, temperature: float, random: float) -> int:
    """Draw an output unit from softmax(logits / temperature).

    Args:
        logits: (V_out,) float32 scores.
        temperature: at least 0; 0 takes the highest score, the first of equals.
        random: in [0, 1); the unit is where it falls in the cumulated distribution.

    Returns:
        The unit, or `NOT_FINITE` if a logit is NaN or infinite.
    """
    top = 0
    for unit in range(logits.size):
        if not np.isfinite(logits[unit]):
            return NOT_FINITE
        if logits[unit] > logits[top]:
            top = unit
    if temperature == 0.0:
        return top
    highest = np.float64(logits[top])
    total = 0.0
    for unit in range(logits.size):
        total += np.exp((logits[unit] - highest) / temperature)
    target, passed = random * total, 0.0
    for unit in range(logits.size):
        passed += np.exp((logits[unit] - highest) / temperature)
        if passed > target:
            return unit
    return top  # only where rounding left the sum at or below the target


@_compiled("int64(float32[:, ::1], float64, uint64, uint64, uint64)")
def choose(logits: Logits, temperature: float, seed: Word, song: Word, position: Word) -> int:
    """Draw character `position` of song `song` from logits (1, V_out); see `draw` and `uniform`."""
    return draw(logits[0], temperature, uniform(seed, song, position))
