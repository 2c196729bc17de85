"""Weights in 7 bits, one scale for each column; `step_graph` says what is done with them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lyricgen.model_file.step_graph import HIGHEST_WEIGHT

Floats32 = npt.NDArray[np.float32]

_NOTHING = 1e-20
"""A column of weights no larger than this is all zeros: its scale divides biases."""


def quantize(matrix: Floats32) -> tuple[npt.NDArray[np.int8], Floats32]:
    """Round weights to whole multiples of their column's scale.

    Args:
        matrix: (inputs, outputs) finite weights.

    Returns:
        Whole numbers from -63 to 63 (inputs, outputs), and the scales (outputs,): their product is the
        matrix, up to half a scale.
    """
    highest = np.abs(matrix).max(axis=0)
    scales = np.where(highest > _NOTHING, highest, 1).astype(np.float32) / np.float32(HIGHEST_WEIGHT)
    return np.rint(matrix / scales).astype(np.int8), scales
