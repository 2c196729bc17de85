"""Compiled by numba: the loop from SOS to EOS over a batch of slots, without the interpreter.

Each step is one call of onnxruntime for the songs of all slots. Between two steps the kernel draws the next
character of each song, writes it down and notices the end. A slot whose song is over rests until Python has
taken the text away and has put another song's index there; that starts from what follows the prefix.

onnxruntime is called through its C API, by the address of its function RunWithBinding. Where that is not
at hand, the address is 0 and Python takes the step before it calls the kernel: same code, same songs.

Importing this module compiles it; see `machine_code`.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types

from lyricgen.engine.record import (
    BATCH,
    BROKEN,
    CUT,
    ENDED,
    NOT_RUN,
    STARTING,
    STOPPED,
    WRITING,
    Floats32,
)
from lyricgen.engine.sampling import (
    NOT_FINITE,
    Filters,
    Word,
    compiled,
    draw,
    emitted,
    ordered_sum,
    softmax_numerators,
    uniform,
    uniform_of_candidate,
)

Batch = Any
"""A record of `BATCH`."""
_ENTRY: Any = types.int64(numba.types.CPointer(numba.from_dtype(BATCH)), types.int64)  # type: ignore[no-untyped-call]
carray: Any = vars(numba)["carray"]  # numba's types do not export it

Arrays = namedtuple(
    "Arrays",
    "token logits states bindings first_state first_logits phase index length text gaps denominators"
    " numerators heap",
)
"""Views of the arrays whose addresses a record holds, which tells more about each."""


def _call(builder: Any, arguments: Any) -> object:  # noqa: ANN401
    """Emit OrtStatus* RunWithBinding(OrtSession*, const OrtRunOptions*, const OrtIoBinding*)."""
    word = ir.IntType(64)
    address, *given = (builder.extract_value(arguments, n) for n in range(4))
    function = builder.inttoptr(address, ir.FunctionType(word, [word] * 3).as_pointer())
    return builder.call(function, given)


_FOUR_WORDS: Any = types.UniTuple(types.int64, 4)  # type: ignore[no-untyped-call]
_run_with_binding = emitted(types.int64, _FOUR_WORDS, _call)
"""Takes addresses (RunWithBinding, session, run options, binding); returns that of an OrtStatus, or 0."""
_pointer = emitted(
    types.voidptr, types.int64, lambda builder, address: builder.inttoptr(address, ir.IntType(8).as_pointer())
)
"""Returns an address as a pointer to no particular type."""


@compiled()
def _view(batch: Batch) -> Arrays:
    size, outputs, room = batch.size, batch.outputs, (batch.size, batch.capacity)
    layers, hidden_size = batch.layers, batch.hidden_size
    return Arrays(
        carray(_pointer(batch.token), size, np.int64),
        carray(_pointer(batch.logits), (size, outputs), np.float32),
        carray(_pointer(batch.states), (2, 2, layers, size, hidden_size), np.float32),
        carray(_pointer(batch.bindings), 2, np.int64),
        carray(_pointer(batch.first_state), (2, layers, batch.places, hidden_size), np.float32),
        carray(_pointer(batch.first_logits), (batch.places, outputs), np.float32),
        carray(_pointer(batch.phase), size, np.int64),
        carray(_pointer(batch.index), size, np.uint64),
        carray(_pointer(batch.length), size, np.int64),
        carray(_pointer(batch.text), room, np.int32),
        carray(_pointer(batch.gaps), room, np.float32),
        carray(_pointer(batch.denominators), room, np.float32),
        carray(_pointer(batch.numerators), outputs, np.float64),
        carray(_pointer(batch.heap), outputs, np.int64),
    )


@compiled()
def _record_cost(arrays: Arrays, slot: int, logits: Floats32, unit: int) -> None:
    """Note how unlikely the model itself found a unit: at temperature 1, unfiltered."""
    highest = logits[0]
    for logit in logits:
        highest = max(highest, logit)
    softmax_numerators(logits, np.float64(highest), 1.0, arrays.numerators)
    position = arrays.length[slot]
    arrays.gaps[slot, position] = highest - logits[unit]
    arrays.denominators[slot, position] = ordered_sum(arrays.numerators)


@compiled()
def _uniform(batch: Batch, index: Word, position: Word) -> float:
    """Return the random number in [0, 1) for a character of a song, or of a candidate for a line."""
    if batch.line_end == 0:
        return uniform(batch.seed, index, position)
    return uniform_of_candidate(batch.seed, batch.song, batch.attempt, index, position)


@compiled()
def _is_stop(batch: Batch, unit: int, length: int) -> Any:  # noqa: ANN401 (a bool)
    """Tell whether a candidate for a line stops with this unit; whole songs do not."""
    if batch.line_end == 0:
        return False
    return unit == batch.line_end or (unit == batch.word_end and length >= batch.stem)


@compiled()
def _write(batch: Batch, arrays: Arrays, slot: int, logits: Floats32) -> bool:
    """Draw the next character of a slot from logits (V_out,); return whether the song is over."""
    length = arrays.length[slot]
    filters = Filters(batch.temperature, batch.top_k, batch.top_p, batch.min_p)
    random = _uniform(batch, arrays.index[slot], np.uint64(length))
    unit = draw(logits, filters, random, arrays.numerators, arrays.heap)
    if unit == NOT_FINITE:
        arrays.phase[slot] = BROKEN
        return True
    if unit != 0 and length == batch.max_length:
        arrays.phase[slot] = CUT
        return True
    _record_cost(arrays, slot, logits, unit)
    if unit == 0:
        arrays.phase[slot] = ENDED
        return True
    arrays.text[slot, length] = unit
    arrays.token[slot] = batch.eos + unit
    arrays.length[slot] += 1
    if _is_stop(batch, unit, length + 1):
        arrays.phase[slot] = STOPPED
        return True
    return False


@compiled()
def _start(batch: Batch, arrays: Arrays, slot: int) -> bool:
    """Give a slot the state of its place, and write its first character; is the song over?"""
    place = arrays.index[slot] % np.uint64(batch.places)
    for kind in range(2):
        for layer in range(batch.layers):
            for unit in range(batch.hidden_size):
                state = arrays.first_state[kind, layer, place, unit]
                arrays.states[batch.current, kind, layer, slot, unit] = state
    arrays.phase[slot] = WRITING
    arrays.length[slot] = batch.prefix
    return _write(batch, arrays, slot, arrays.first_logits[place])


@numba.cfunc(_ENTRY, error_model="numpy")
def advance(pointer: Any, steps: int) -> Any:  # noqa: ANN401
    """Start the songs that are to start; then take `steps` steps, or fewer if a song is over.

    `pointer` is the address of the batch's record, a `BATCH`. Returns 0, or the address of an OrtStatus if a
    step failed.
    """
    batch = carray(pointer, 1)[0]
    arrays = _view(batch)
    over = False
    for slot in range(batch.size):
        if arrays.phase[slot] == STARTING:
            over |= _start(batch, arrays, slot)
    step = 0
    while step < steps and not over:
        if batch.run != NOT_RUN:
            binding = arrays.bindings[batch.current]
            status = _run_with_binding((batch.run, batch.ort_session, batch.run_options, binding))
            if status != 0:
                return status
        batch.current = 1 - batch.current
        for slot in range(batch.size):
            if arrays.phase[slot] == WRITING:
                over |= _write(batch, arrays, slot, arrays.logits[slot])
        step += 1
    return 0
