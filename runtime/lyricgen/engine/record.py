"""The record that Python and the compiled kernel share: a batch of slots, each of which holds a song.

The kernel knows numpy's arrays by their addresses, so most fields are addresses. Letters as in `contract`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats32 = npt.NDArray[np.float32]
Floats64 = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Units = npt.NDArray[np.int32]

RESTING, STARTING, WRITING, ENDED, CUT, STOPPED, BROKEN = range(7)
"""Phases of a slot: it has no song; a song is to start; it is being written; it ended with EOS; it reached
the maximum length; it is a line and reached its end; the model computed NaN or infinity."""

NOT_RUN = 0
"""In place of the address of RunWithBinding where Python takes the steps."""

BATCH = np.dtype(
    [
        # the call of onnxruntime: addresses of its function and of the objects that this takes
        ("run", np.int64),
        ("ort_session", np.int64),
        ("run_options", np.int64),
        ("bindings", np.int64),  # int64 (2,): one reads state set 0 and fills 1, the other the reverse
        # sizes
        ("size", np.int64),  # B, the number of slots
        ("layers", np.int64),  # L
        ("hidden_size", np.int64),  # H
        ("outputs", np.int64),  # V_out
        ("eos", np.int64),  # token id of EOS; output unit u is token eos + u
        ("capacity", np.int64),  # how many characters fit into a slot
        # addresses of the arrays that the network reads and fills
        ("token", np.int64),  # int64 (B,)
        ("logits", np.int64),  # float32 (B, V_out)
        ("states", np.int64),  # float32 (2, 2, L, B, H): state set, hidden or cell, ...
        ("current", np.int64),  # not an address: which state set the next step reads
        # where songs start: after SOS, style and prefix; lines of a song: each at one of several places
        ("places", np.int64),  # P, the number of places; song n starts at place n modulo P
        ("first_state", np.int64),  # address of float32 (2, L, P, H)
        ("first_logits", np.int64),  # address of float32 (P, V_out)
        ("prefix", np.int64),  # number of the prefix's characters; they count towards the length
        # how characters are drawn: see `slots.SongPlan`
        ("temperature", np.float64),
        ("top_k", np.int64),
        ("top_p", np.float64),
        ("min_p", np.float64),
        ("seed", np.uint64),
        ("max_length", np.int64),
        # for a batch of candidates for a line of a song with a form; their index is the candidate's
        ("line_end", np.int64),  # output unit that ends a line; 0: these are whole songs
        ("word_end", np.int64),  # output unit that ends a stem, the beginning of a line, if it has ...
        ("stem", np.int64),  # ... at least this many characters
        ("song", np.uint64),  # which of the seed's songs the line belongs to
        ("attempt", np.uint64),  # counts the batches of the song, from 1; random numbers depend on it
        # addresses of arrays with a row for each slot
        ("phase", np.int64),  # int64 (B,)
        ("index", np.int64),  # uint64 (B,): which of the seed's songs
        ("length", np.int64),  # int64 (B,): characters so far
        ("text", np.int64),  # int32 (B, capacity): output units
        # what each character cost at temperature 1, as -ln p = gap + ln denominator
        ("gaps", np.int64),  # float32 (B, capacity): the highest logit less that of the character
        ("denominators", np.int64),  # float32 (B, capacity): of the softmax, if the highest logit counts as 0
        # addresses of scratch
        ("numerators", np.int64),  # float64 (V_out,)
        ("heap", np.int64),  # int64 (V_out,)
    ],
    align=True,
)
