"""Compiled by numba: the softmax with temperature, its filters, and the draw of one character from it.

Random numbers are counter-based: number n of song i under seed s is a function of (s, i, n) and
nothing else, so a song does not depend on what is written beside it or before it. The generator is
Philox 4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"), whose published
test vectors are in the tests.

Arithmetic is float64, without fast-math, and made of additions, multiplications and divisions alone,
whose results IEEE 754 prescribes to the last bit: nothing is left to a platform's `exp`.

Compiling takes seconds: `machine_code` keeps the result, and songs are written without importing numba.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba import extending, types

from lyricgen.engine.record import Floats32, Floats64, Integers

F = TypeVar("F", bound=Callable[..., Any])
Word = Any
"""An unsigned 64-bit integer inside compiled code; callers pass any int from 0 to 2**64 - 1."""

NOT_FINITE = -1
"""Returned by `draw` where a logit is NaN or infinite."""


class Filters(NamedTuple):
    """How a distribution is changed before a character is drawn from it; in this order."""

    temperature: float
    """Divides the logits; 0 takes the likeliest character."""
    top_k: int
    """So many of the likeliest characters stay; 0: all."""
    top_p: float
    """Of those, the likeliest stay that together reach this share of their probability; 1: all."""
    min_p: float
    """Of those, the ones stay that have at least this share of the likeliest one's probability; 0: all."""


def compiled(signature: str | None = None) -> Callable[[F], F]:
    """Compile a function: now for a signature, or else when it is called.

    Python's ints say too little of unsigned words; functions of these need a signature. Division by zero is
    IEEE's, not an exception: the kernel has no way to raise one. Calls are inlined: they pass many arrays.
    """
    return cast("Callable[[F], F]", numba.njit(signature, error_model="numpy", forceinline=True))


def emitted(returns: types.Type, takes: types.Type, emit: Callable[..., object]) -> Callable[[Any], Any]:
    """Return a function of one argument, for compiled code: the instructions of LLVM that `emit` builds.

    `emit` is given an llvmlite builder and the argument, and returns the result.
    """

    def typed(_context: object, _argument: object) -> object:
        def build(_context: object, builder: object, _signature: object, arguments: Any) -> object:  # noqa: ANN401
            return emit(builder, arguments[0])

        return returns(takes), build

    return cast("Callable[[Any], Any]", extending.intrinsic(typed))


_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _11, _20, _32, _42 = (np.uint64(number) for number in (0xFFFFFFFF, 11, 20, 32, 42))
_ROUNDS = 10


@compiled("UniTuple(uint64, 4)(uint64, uint64, uint64, uint64, uint64, uint64)")
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


@compiled("float64(uint64, uint64, uint64)")
def uniform(seed: Word, song: Word, position: Word) -> float:
    """Return the random number in [0, 1) that decides character `position` of song `song`; 53 bits."""
    high, low, _, _ = philox(
        position & _LOW, position >> _32, song & _LOW, song >> _32, seed & _LOW, seed >> _32
    )
    bits = ((high << _32) | low) >> _11
    return float(bits * (1.0 / 9007199254740992.0))


@compiled("float64(uint64, uint64, uint64, uint64, uint64)")
def uniform_of_candidate(seed: Word, song: Word, attempt: Word, candidate: Word, position: Word) -> float:
    """Return the random number in [0, 1) for a character of a candidate; free songs have none of these.

    Attempts count from 1; they, candidates and positions stay below 2**22, 2**22 and 2**20.
    """
    return uniform(seed, song, (attempt << _42) | (candidate << _20) | position)


_LOG2_E = 1.0 / math.log(2.0)
_LN_2_HIGH = 0.6931471803691238  # ln 2 in two parts: the first has so few bits that n times it is exact
_LN_2_LOW = 1.9082149292705877e-10
_ROUNDING = 1.5 * 2.0**52  # added and taken away again, it rounds to whole numbers
_ONE_BITS = 0x3FF0000000000000
_LOWEST = -708.0  # e to that is about the smallest normal float64
_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12, _C13 = (
    1.0 / math.factorial(n) for n in range(2, 14)
)
_bits = emitted(types.int64, types.float64, lambda builder, x: builder.bitcast(x, ir.IntType(64)))
"""Returns the 64 bits of a float64 as an int64."""
_float = emitted(types.float64, types.int64, lambda builder, bits: builder.bitcast(bits, ir.DoubleType()))
"""Returns the float64 that has the 64 bits of an int64."""


@compiled()
def exp(x: float) -> float:
    """Return e to the power of x, for x at most 0, to about one unit in the last place.

    Below -708 the result stays 3e-308, that of -708. Textbook method (Cody and Waite 1980, "Software Manual
    for the Elementary Functions"): x = n ln 2 + r, a polynomial in r, and n added to the exponent.
    """
    x = _LOWEST if x < _LOWEST else x
    shifted = x * _LOG2_E + _ROUNDING
    n = shifted - _ROUNDING
    r = (x - n * _LN_2_HIGH) - n * _LN_2_LOW  # at most ln 2 / 2
    power = _C9 + r * (_C10 + r * (_C11 + r * (_C12 + r * _C13)))
    power = _C4 + r * (_C5 + r * (_C6 + r * (_C7 + r * (_C8 + r * power))))
    power = 1.0 + r * (1.0 + r * (_C2 + r * (_C3 + r * power)))
    result: float = power * _float((_bits(shifted) << 52) + _ONE_BITS)
    return result


@compiled()
def likeliest(logits: Floats32) -> int:
    """Return the unit with the highest of logits (V_out,), the first of equals, or `NOT_FINITE`."""
    top = 0
    difference = np.float32(0.0)
    for unit in range(logits.size):
        difference += logits[unit] - logits[unit]  # not 0 for NaN and infinity
        if logits[unit] > logits[top]:
            top = unit
    return top if difference == 0.0 else NOT_FINITE


@compiled()
def softmax_numerators(logits: Floats32, highest: float, temperature: float, numerators: Floats64) -> None:
    """Fill numerators (V_out,) with e to the power of (logits - highest) / temperature."""
    for unit in range(logits.size):
        numerators[unit] = exp((np.float64(logits[unit]) - highest) / temperature)


@compiled()
def ordered_sum(numerators: Floats64) -> float:
    """Return the sum of numerators (V_out,), added in order."""
    total = 0.0
    for unit in range(numerators.size):
        total += numerators[unit]
    return total


@compiled()
def _comes_before(numerators: Floats64, unit: int, other: int) -> bool:
    """Tell whether a unit is likelier than another, or as likely and the lower one."""
    difference = numerators[unit] - numerators[other]
    return difference > 0.0 or (difference == 0.0 and unit < other)


@compiled()
def _sift_down(numerators: Floats64, heap: Integers, start: int, size: int) -> None:
    """Restore the heap heap[:size], likeliest first, below place `start`."""
    unit, place = heap[start], start
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and _comes_before(numerators, heap[child + 1], heap[child]):
            child += 1
        if not _comes_before(numerators, heap[child], unit):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = unit


@compiled()
def keep_likeliest(numerators: Floats64, top_k: int, top_p: float, heap: Integers) -> None:
    """Set all numerators to 0 but the `top_k` largest, and of these but the largest that make up `top_p`.

    A `top_k` of 0 and a `top_p` of 1 keep all. Numerators and heap, which is scratch, are (V_out,).
    """
    size = numerators.size
    for unit in range(size):
        heap[unit] = unit
    for place in range(size // 2 - 1, -1, -1):
        _sift_down(numerators, heap, place, size)
    limit = top_k if 0 < top_k < size else size
    needed = top_p * ordered_sum(numerators) if limit == size and top_p < 1.0 else np.inf
    kept, passed = 0, 0.0
    while kept < limit and passed < needed:  # move the likeliest to the end, as heap sort does
        kept += 1
        heap[0], heap[size - kept] = heap[size - kept], heap[0]
        _sift_down(numerators, heap, 0, size - kept)
        passed += numerators[heap[size - kept]]
    if top_p < 1.0 and limit < size:
        kept, needed, passed = 0, top_p * passed, 0.0
        while kept < limit and passed < needed:
            kept += 1
            passed += numerators[heap[size - kept]]
    for place in range(size - kept):
        numerators[heap[place]] = 0.0


@compiled()
def draw(logits: Floats32, filters: Filters, random: float, numerators: Floats64, heap: Integers) -> int:
    """Draw an output unit from softmax(logits / temperature), filtered, or return `NOT_FINITE`.

    The unit is where `random`, in [0, 1), falls in the cumulated distribution. All arrays are (V_out,);
    numerators and heap are scratch.
    """
    top = likeliest(logits)
    if top == NOT_FINITE or filters.temperature == 0.0:
        return top
    softmax_numerators(logits, np.float64(logits[top]), filters.temperature, numerators)
    if filters.top_k > 0 or filters.top_p < 1.0:
        keep_likeliest(numerators, filters.top_k, filters.top_p, heap)
    if filters.min_p > 0.0:
        for unit in range(numerators.size):
            if numerators[unit] < filters.min_p:  # the likeliest one has 1
                numerators[unit] = 0.0
    target, passed = random * ordered_sum(numerators), 0.0
    for unit in range(numerators.size):
        passed += numerators[unit]
        if passed > target:
            return unit
    return top  # only where rounding left the sum at or below the target


def choose(logits: Floats32, temperature: float, seed: int, song: int, position: int) -> int:
    """Draw character `position` of song `song` from logits (V_out,), unfiltered; see `draw`, `uniform`."""
    filters = Filters(temperature, 0, 1.0, 0.0)
    scratch = np.empty(len(logits)), np.empty(len(logits), np.int64)
    return draw(logits, filters, uniform(seed, song, position), *scratch)
