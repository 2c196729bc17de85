"""Compiled by numba: the loop from SOS to EOS over a row of song slots, without the interpreter.

B songs advance side by side through one call of onnxruntime for each character; between two calls the
kernel draws the next character of each, writes it down and notices the end. A slot whose song is over
rests until its text was taken away and another song's index was put there; the kernel then puts the slot
to the state and scores that the beginning of all songs of a run leads to, and goes on.

onnxruntime is called through its C API, by the address of its function RunWithBinding. Where that is not
at hand, the address is 0 and Python takes the step before it calls the kernel: same code, same songs.

Importing this module compiles it; see `machine_code`.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types

from lyricgen.engine.row import BROKEN, CUT, ENDED, NOT_RUN, ROW, STARTING, WRITING
from lyricgen.engine.sampling import (
    NOT_FINITE,
    Filters,
    Floats,
    Integers,
    Scores,
    compiled,
    draw,
    intrinsic,
    summed,
    uniform,
    weigh,
)

Row = Any
"""A record of `ROW`."""
_ENTRY: Any = types.int64(numba.types.CPointer(numba.from_dtype(ROW)), types.int64)  # type: ignore[no-untyped-call]
carray: Any = vars(numba)["carray"]  # numba's types do not export it


@intrinsic
def _pointer(_context: object, address: object) -> object:
    """Return an address as a pointer to no particular type."""

    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), code


@intrinsic
def _run_with_binding(
    _context: object, function: object, ort_session: object, options: object, binding: object
) -> object:
    """Call OrtStatus* RunWithBinding(OrtSession*, const OrtRunOptions*, const OrtIoBinding*)."""

    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        word = ir.IntType(64)
        pointer = builder.inttoptr(arguments[0], ir.FunctionType(word, [word] * 3).as_pointer())
        return builder.call(pointer, arguments[1:])

    return types.int64(*[types.int64] * 4), code


@compiled
def _record(row: Row, slot: int, scores: Scores, unit: int, weights: Floats) -> None:
    """Note how unlikely the model itself found a unit: at temperature 1, unfiltered."""
    shape = (row.songs, row.capacity)
    gaps = carray(_pointer(row.gaps), shape, np.float32)
    totals = carray(_pointer(row.totals), shape, np.float32)
    highest = scores[0]
    for score in scores:
        highest = max(highest, score)
    weigh(scores, np.float64(highest), 1.0, weights)
    position = carray(_pointer(row.length), row.songs, np.int64)[slot]
    gaps[slot, position] = highest - scores[unit]
    totals[slot, position] = summed(weights)


@compiled
def _write(row: Row, slot: int, scores: Scores, weights: Floats, heap: Integers) -> None:
    """Draw the next character of a slot from scores (V_out,), and see whether the song is over."""
    phase = carray(_pointer(row.phase), row.songs, np.int64)
    length = carray(_pointer(row.length), row.songs, np.int64)
    song = carray(_pointer(row.song), row.songs, np.uint64)[slot]
    filters = Filters(row.temperature, row.top_k, row.top_p, row.min_p)
    unit = draw(scores, filters, uniform(row.seed, song, np.uint64(length[slot])), weights, heap)
    if unit == NOT_FINITE:
        phase[slot] = BROKEN
        return
    if unit != 0 and length[slot] == row.max_length:
        phase[slot] = CUT
        return
    _record(row, slot, scores, unit, weights)
    if unit == 0:
        phase[slot] = ENDED
        return
    carray(_pointer(row.text), (row.songs, row.capacity), np.int32)[slot, length[slot]] = unit
    carray(_pointer(row.token), row.songs, np.int64)[slot] = row.eos + unit
    length[slot] += 1


@compiled
def _start(row: Row, slot: int, weights: Floats, heap: Integers) -> None:
    """Put a slot to where the beginning leads, and write the first character after it."""
    shape = (2, 2, row.layers, row.songs, row.hidden_size)
    states = carray(_pointer(row.states), shape, np.float32)
    first_state = carray(_pointer(row.first_state), (2, row.layers, row.hidden_size), np.float32)
    for kind in range(2):
        for layer in range(row.layers):
            for unit in range(row.hidden_size):
                states[row.current, kind, layer, slot, unit] = first_state[kind, layer, unit]
    carray(_pointer(row.phase), row.songs, np.int64)[slot] = WRITING
    carray(_pointer(row.length), row.songs, np.int64)[slot] = row.beginning
    _write(row, slot, carray(_pointer(row.first_scores), row.outputs, np.float32), weights, heap)


@compiled
def _write_all(row: Row, weights: Floats, heap: Integers) -> bool:
    """Write the next character of each song from the scores of the last step; is one over?"""
    phase = carray(_pointer(row.phase), row.songs, np.int64)
    scores = carray(_pointer(row.logits), (row.songs, row.outputs), np.float32)
    over = False
    for slot in range(row.songs):
        if phase[slot] == WRITING:
            _write(row, slot, scores[slot], weights, heap)
            over |= phase[slot] != WRITING
    return over


@compiled
def _start_all(row: Row, weights: Floats, heap: Integers) -> bool:
    """Start the songs that are to start; is one over already?"""
    phase = carray(_pointer(row.phase), row.songs, np.int64)
    over = False
    for slot in range(row.songs):
        if phase[slot] == STARTING:
            _start(row, slot, weights, heap)
            over |= phase[slot] != WRITING
    return over


@numba.cfunc(_ENTRY, error_model="numpy")
def advance(pointer: Any, steps: int) -> Any:  # noqa: ANN401
    """Start the songs that are to start; then take `steps` steps, or fewer if a song is over.

    Args:
        pointer: of the row's record, a `ROW`.
        steps: characters of each song; 0 starts songs only.

    Returns:
        0, or an address of an OrtStatus if a step failed.
    """
    row = carray(pointer, 1)[0]
    weights = carray(_pointer(row.weights), row.outputs, np.float64)
    heap = carray(_pointer(row.heap), row.outputs, np.int64)
    bindings = carray(_pointer(row.bindings), 2, np.int64)
    over = _start_all(row, weights, heap)
    step = 0
    while step < steps and not over:
        if row.run != NOT_RUN:
            status = _run_with_binding(row.run, row.ort_session, row.run_options, bindings[row.current])
            if status != 0:
                return status
        row.current = 1 - row.current
        over = _write_all(row, weights, heap)
        step += 1
    return 0
