"""Compiled by numba: the loop from SOS to EOS over a batch of songs, without the interpreter.

B songs advance side by side through one call of onnxruntime for each character; between two calls the
kernel draws the next character of each, writes it down and notices the end. A slot whose song is over
rests until its text was taken away and another song's index was put there; the kernel then puts the slot
to the state and logits that the prefix of all songs of a run leads to, and goes on.

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

from lyricgen.engine.record import BATCH, BROKEN, CUT, ENDED, NOT_RUN, STARTING, WRITING
from lyricgen.engine.sampling import (
    NOT_FINITE,
    Filters,
    Floats64,
    Integers,
    Logits,
    compiled,
    draw,
    intrinsic,
    ordered_sum,
    softmax_numerators,
    uniform,
)

Batch = Any
"""A record of `BATCH`."""
_ENTRY: Any = types.int64(numba.types.CPointer(numba.from_dtype(BATCH)), types.int64)  # type: ignore[no-untyped-call]
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
def _record(batch: Batch, slot: int, logits: Logits, unit: int, weights: Floats64) -> None:
    """Note how unlikely the model itself found a unit: at temperature 1, unfiltered."""
    shape = (batch.songs, batch.capacity)
    gaps = carray(_pointer(batch.gaps), shape, np.float32)
    totals = carray(_pointer(batch.totals), shape, np.float32)
    highest = logits[0]
    for logit in logits:
        highest = max(highest, logit)
    softmax_numerators(logits, np.float64(highest), 1.0, weights)
    position = carray(_pointer(batch.length), batch.songs, np.int64)[slot]
    gaps[slot, position] = highest - logits[unit]
    totals[slot, position] = ordered_sum(weights)


@compiled
def _write(batch: Batch, slot: int, logits: Logits, weights: Floats64, heap: Integers) -> None:
    """Draw the next character of a slot from logits (V_out,), and see whether the song is over."""
    phase = carray(_pointer(batch.phase), batch.songs, np.int64)
    length = carray(_pointer(batch.length), batch.songs, np.int64)
    song = carray(_pointer(batch.song), batch.songs, np.uint64)[slot]
    filters = Filters(batch.temperature, batch.top_k, batch.top_p, batch.min_p)
    unit = draw(logits, filters, uniform(batch.seed, song, np.uint64(length[slot])), weights, heap)
    if unit == NOT_FINITE:
        phase[slot] = BROKEN
        return
    if unit != 0 and length[slot] == batch.max_length:
        phase[slot] = CUT
        return
    _record(batch, slot, logits, unit, weights)
    if unit == 0:
        phase[slot] = ENDED
        return
    carray(_pointer(batch.text), (batch.songs, batch.capacity), np.int32)[slot, length[slot]] = unit
    carray(_pointer(batch.token), batch.songs, np.int64)[slot] = batch.eos + unit
    length[slot] += 1


@compiled
def _start(batch: Batch, slot: int, weights: Floats64, heap: Integers) -> None:
    """Put a slot to where the prefix leads, and write the first character after it."""
    shape = (2, 2, batch.layers, batch.songs, batch.hidden_size)
    states = carray(_pointer(batch.states), shape, np.float32)
    first_state = carray(_pointer(batch.first_state), (2, batch.layers, batch.hidden_size), np.float32)
    for kind in range(2):
        for layer in range(batch.layers):
            for unit in range(batch.hidden_size):
                states[batch.current, kind, layer, slot, unit] = first_state[kind, layer, unit]
    carray(_pointer(batch.phase), batch.songs, np.int64)[slot] = WRITING
    carray(_pointer(batch.length), batch.songs, np.int64)[slot] = batch.prefix
    _write(batch, slot, carray(_pointer(batch.first_logits), batch.outputs, np.float32), weights, heap)


@compiled
def _write_all(batch: Batch, weights: Floats64, heap: Integers) -> bool:
    """Write the next character of each song from the logits of the last step; is one over?"""
    phase = carray(_pointer(batch.phase), batch.songs, np.int64)
    logits = carray(_pointer(batch.logits), (batch.songs, batch.outputs), np.float32)
    over = False
    for slot in range(batch.songs):
        if phase[slot] == WRITING:
            _write(batch, slot, logits[slot], weights, heap)
            over |= phase[slot] != WRITING
    return over


@compiled
def _start_all(batch: Batch, weights: Floats64, heap: Integers) -> bool:
    """Start the songs that are to start; is one over already?"""
    phase = carray(_pointer(batch.phase), batch.songs, np.int64)
    over = False
    for slot in range(batch.songs):
        if phase[slot] == STARTING:
            _start(batch, slot, weights, heap)
            over |= phase[slot] != WRITING
    return over


@numba.cfunc(_ENTRY, error_model="numpy")
def advance(pointer: Any, steps: int) -> Any:  # noqa: ANN401
    """Start the songs that are to start; then take `steps` steps, or fewer if a song is over.

    Args:
        pointer: of the batch's record, a `BATCH`.
        steps: characters of each song; 0 starts songs only.

    Returns:
        0, or an address of an OrtStatus if a step failed.
    """
    batch = carray(pointer, 1)[0]
    weights = carray(_pointer(batch.weights), batch.outputs, np.float64)
    heap = carray(_pointer(batch.heap), batch.outputs, np.int64)
    bindings = carray(_pointer(batch.bindings), 2, np.int64)
    over = _start_all(batch, weights, heap)
    step = 0
    while step < steps and not over:
        if batch.run != NOT_RUN:
            status = _run_with_binding(
                batch.run, batch.ort_session, batch.run_options, bindings[batch.current]
            )
            if status != 0:
                return status
        batch.current = 1 - batch.current
        over = _write_all(batch, weights, heap)
        step += 1
    return 0
