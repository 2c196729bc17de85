"""What ONNX's reference evaluator computes from a model file, against what the runtime computes.

    python -m checks.reference
    python -m checks.reference --model exported_models/session_0_fp32.onnx --steps 200

The reference evaluator follows the definitions of the operators in plain numpy. Both read the same random
tokens, some songs side by side, from a random state. Before each step the reference takes over
onnxruntime's state, so that differences do not build up and each step is judged by itself.

In int8 every layer, and the output too, reads the hidden state below it as whole numbers. Two programs'
tanh and sigmoid differ in the last bit; where a value lies halfway between two whole numbers, that bit
decides which of them is read, and a whole unit moves a score by far more than rounding does. It happens by
chance and is nobody's mistake. So where both read the same whole numbers, results must agree within
`TOLERANCE`; where they do not, which must be rare, within `ONE_UNIT`.

Letters for axes: B songs side by side, T steps, L layers, H hidden size, V_out output units.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import typer
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from checks import CheckError, run
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.generator import BUNDLED_MODEL_PATH
from lyricgen.model_file import contract
from lyricgen.model_file.step_graph import HIDDEN_STEPS

SONGS = 4
SEED = 0
TOLERANCE = {contract.FP32: 1e-4, contract.INT8: 1e-5}
"""Largest difference, as a share of max(1, |value|). fp32 sums hundreds of products, in any order; the sums
of int8 are whole numbers, and only tanh, sigmoid and the cell's sum are rounded."""
ONE_UNIT = 0.1
"""The same where the two programs read different whole numbers."""
MAX_SHARE = 0.01
"""Largest share of the readings of a hidden state, by a layer or the output, in which that may happen."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Steps:
    """What one program computed."""

    tokens: npt.NDArray[np.int64]
    """(T, B) what both read."""
    before: Floats
    """(T, 2, L, B, H) hidden and cell state that each step started from."""
    after: Floats
    """(T, 2, L, B, H) hidden and cell state that each step computed."""
    logits: Floats
    """(T, B, V_out)"""


Limits = list[tuple[str, float, float]]
"""What was compared, what was found, and what is allowed."""


class MatMulIntegerToFloat(OpRun):
    """The operator of int8 models: a product of whole numbers, scaled, plus a bias if there is one."""

    op_domain = "com.microsoft"

    def _run(self, *inputs: npt.NDArray[Any] | None, **_attributes: object) -> tuple[Floats]:
        given = [*inputs, *[None] * (7 - len(inputs))]  # the last ones may be left out
        a, b, a_scale, b_scales, a_zero, b_zero, bias = given
        whole = _shifted(a, a_zero) @ _shifted(b, b_zero)  # (1, B, inputs) @ (inputs, outputs)
        scaled: Floats = whole.astype(np.float32) * (np.asarray(a_scale) * np.asarray(b_scales))
        return (scaled if bias is None else scaled + bias,)


def main(
    model: Annotated[Path | None, typer.Option(help="Model file.", show_default="the bundled model")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps to compare.")] = 50,
) -> None:
    """Compare the runtime's steps with those of ONNX's reference evaluator."""
    file = ModelFile(model or BUNDLED_MODEL_PATH)
    found = run_runtime(file, steps)
    limits = compare(found, run_reference(file.path, found), file.card.precision)
    print(
        f"{file.path.name}, {file.card.precision}: {steps} steps of {SONGS} songs, "
        f"onnxruntime {ort.__version__} against the reference evaluator of onnx {onnx.__version__}"
    )
    for what, difference, allowed in limits:
        print(f"{what} {difference:.1e} (allowed: {allowed:.0e})")
    check(limits)
    print("pass")


def run_runtime(file: ModelFile, steps: int) -> Steps:
    """Run the runtime's own step model over random tokens from a random state."""
    random = np.random.default_rng(SEED)
    model = StepModel(file, SONGS)
    model.state[:] = random.uniform(-0.9, 0.9, model.state.shape)
    tokens = random.integers(0, file.card.vocabulary.input_size, (steps, SONGS))  # (T, B)
    before, after, logits = [], [], []
    for row in tokens:
        before.append(model.state.copy())
        model.token[:] = row
        model.step()
        after.append(model.state.copy())
        logits.append(model.logits.copy())
    return Steps(tokens, np.stack(before), np.stack(after), np.stack(logits))


def run_reference(path: Path, given: Steps) -> Steps:
    """Run the reference evaluator over the same tokens, each step from the state that is `given`."""
    evaluator = ReferenceEvaluator(onnx.load(path), new_ops=[MatMulIntegerToFloat])
    after, logits = [], []
    for row, (hidden, cell) in zip(given.tokens, given.before, strict=True):
        inputs = dict(zip(contract.INPUTS, (row, hidden, cell), strict=True))
        scores, next_hidden, next_cell = evaluator.run(list(contract.OUTPUTS), inputs)
        after.append(np.stack([next_hidden, next_cell]))
        logits.append(scores)
    return Steps(given.tokens, given.before, np.stack(after), np.stack(logits))


def compare(one: Steps, other: Steps, precision: str) -> Limits:
    """Find the largest differences, apart for what was computed from different whole numbers."""
    state = _differences(one.after, other.after).max(axis=(1, 4))  # (T, L, B)
    logits = _differences(one.logits, other.logits).max(axis=2)  # (T, B)
    whole = [np.rint(steps.after[:, 0] / np.float32(1 / HIDDEN_STEPS)) for steps in (one, other)]
    apart = (whole[0] != whole[1]).any(axis=3) & (precision == contract.INT8)  # (T, L, B)
    above = np.roll(apart, 1, axis=1)  # the layer above reads it
    above[:, 0] = False  # the first layer reads a state that was given
    elsewhere = max(logits.max(where=apart[:, -1], initial=0.0), state.max(where=above, initial=0.0))
    limits = [
        ("logits differ by at most", logits.max(where=~apart[:, -1], initial=0.0), TOLERANCE[precision]),
        ("the state differs by at most", state.max(where=~above, initial=0.0), TOLERANCE[precision]),
    ]
    if precision == contract.INT8:
        often = f"different whole numbers in {apart.sum()} of {apart.size} readings, a share of"
        limits += [(often, apart.mean(), MAX_SHARE), ("results there differ by at most", elsewhere, ONE_UNIT)]
    return limits


def check(limits: Limits) -> None:
    """Refuse differences that rounding does not explain.

    Raises:
        CheckError: there are some, or NaN.
    """
    for what, found, allowed in limits:
        if not found <= allowed:  # also refuses NaN
            raise CheckError(f"{what} {found:.1e}; expected at most {allowed:g}")


def _shifted(values: npt.NDArray[Any] | None, zero: npt.NDArray[Any] | None) -> npt.NDArray[np.int32]:
    whole = np.asarray(values).astype(np.int32)
    return whole if zero is None else whole - np.asarray(zero).astype(np.int32)


def _differences(one: Floats, other: Floats) -> npt.NDArray[np.float64]:
    expected = other.astype(np.float64)
    shares: npt.NDArray[np.float64] = np.abs(one - expected) / np.maximum(1, np.abs(expected))
    return shares


if __name__ == "__main__":
    run(main)
