"""What Python and the compiled kernel both know of a batch of songs. Letters as in `contract`."""

from __future__ import annotations

import numpy as np

RESTING, STARTING, WRITING, ENDED, CUT, BROKEN = range(6)
"""What a slot does: nothing; a song is to start; it is being written; it ended with EOS; it was about to
go beyond the maximum length; the model computed NaN or infinity."""

NOT_RUN = 0
"""In place of the address of RunWithBinding where Python takes the steps."""

BATCH = np.dtype(
    [
        # addresses of onnxruntime's function and of the objects it takes
        ("run", np.int64),
        ("ort_session", np.int64),
        ("run_options", np.int64),
        ("bindings", np.int64),  # int64 (2,): from state set 0 to 1, and from 1 to 0
        # sizes
        ("songs", np.int64),  # B
        ("layers", np.int64),  # L
        ("hidden_size", np.int64),  # H
        ("outputs", np.int64),  # V_out
        ("eos", np.int64),  # token id; unit u of the output layer is token eos + u
        ("capacity", np.int64),  # characters that a slot has room for
        # addresses of the step's arrays
        ("token", np.int64),  # int64 (B,)
        ("logits", np.int64),  # float32 (B, V_out)
        ("states", np.int64),  # float32 (2, 2, L, B, H): state set, hidden or cell
        ("current", np.int64),  # which state set the next step reads
        # where all songs begin, after SOS, style and prefix were read
        ("first_state", np.int64),  # address of float32 (2, L, H)
        ("first_logits", np.int64),  # address of float32 (V_out,)
        ("prefix", np.int64),  # its characters, which count towards the length
        # how characters are drawn
        ("temperature", np.float64),
        ("top_k", np.int64),
        ("top_p", np.float64),
        ("min_p", np.float64),
        ("seed", np.uint64),
        ("max_length", np.int64),
        # addresses of the slots' arrays
        ("phase", np.int64),  # int64 (B,)
        ("song", np.int64),  # uint64 (B,) index of the song
        ("length", np.int64),  # int64 (B,) characters so far
        ("text", np.int64),  # int32 (B, capacity) output units
        ("gaps", np.int64),  # float32 (B, capacity) highest logit less the one drawn
        ("totals", np.int64),  # float32 (B, capacity) sum of e to the power of logit less highest logit
        ("weights", np.int64),  # float64 (V_out,) scratch
        ("heap", np.int64),  # int64 (V_out,) scratch
    ],
    align=True,
)
