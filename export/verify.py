"""How near an exported file is to the trained model, how well it predicts, how fast it is.

Files are run by the runtime, as users run them. Letters for axes: B songs side by side, T steps, V_out
output units.
"""

from __future__ import annotations

import copy
import math
import statistics
import timeit
from collections.abc import Callable, Mapping
from decimal import ROUND_UP, Context

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import kl_div

from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.errors import LyricgenError
from lyricgen.model_file.card import HeldOut, Parity
from lyricgen.model_file.contract import FP32, INT8
from train.corpus.encoded import EncodedSongs
from train.evaluation import nats_through_file, no_progress, score_side_by_side, without_threads
from train.model import CharLSTM

PARITY_STEPS = 1000
PARITY_SONGS = 4
MAX_DIFFERENCE = 1e-4
"""Largest relative difference of logits and of the final state in fp32."""
MAX_DIVERGENCE = {FP32: 1e-8, INT8: 0.02}
"""Mean divergence in bits per step. int8 was found at 0.0005 to 0.0032."""
MIN_ARGMAX_AGREEMENT = {FP32: 0.999, INT8: 0.9}
"""Share of steps with the same likeliest character. int8 was found at 0.955 to 0.987."""
MAX_COST = {FP32: 0.0005, INT8: 0.005}
"""Held-out bits per character that a file may lose against PyTorch. int8 was found at 0.0002 to 0.0029."""


class ProofError(LyricgenError):
    """The exported file does not compute what the trained model computes."""

    def __init__(self, precision: str, what: str, expected: str, found: str) -> None:
        self.precision, self.what, self.expected, self.found = precision, what, expected, found
        advice = f"; try --precision {FP32}" if precision == INT8 else ""
        super().__init__(
            f"the step in {precision} is too far from the trained model: {what}: expected {expected}, "
            f"found {found}. Nothing was written{advice}"
        )


@torch.no_grad()
def measure_parity(model: CharLSTM, file: ModelFile) -> Parity:
    """Run both over the same random tokens from the same random state, and compare the results.

    Differences are rounded up to two digits. PyTorch computes in float64: its float32 results differ between
    CPUs, and are farther from float64 than those of onnxruntime.
    """
    random = np.random.default_rng(0)
    step_model = StepModel(file, PARITY_SONGS)
    tokens = random.integers(0, file.card.vocabulary.input_size, (PARITY_STEPS, PARITY_SONGS))  # (T, B)
    step_model.state[:] = random.uniform(-0.9, 0.9, step_model.state.shape)
    hidden, cell = torch.from_numpy(step_model.state).double()  # (L, B, H) each
    exact = copy.deepcopy(model).eval().double()
    with without_threads():
        expected, final = exact(torch.from_numpy(tokens), (hidden, cell))  # (T, B, V_out), 2 * (L, B, H)
    found = torch.empty_like(expected)
    for step in range(PARITY_STEPS):
        step_model.token[:] = tokens[step]
        step_model.step()
        found[step] = torch.from_numpy(step_model.logits)
    p, q = expected.log_softmax(dim=-1), found.log_softmax(dim=-1)
    nats = kl_div(q, p, log_target=True, reduction="none").sum(dim=-1).mean().clamp(min=0)
    agreement = (found.argmax(dim=-1) == expected.argmax(dim=-1)).double().mean().item()
    return Parity(
        steps=PARITY_STEPS,
        max_logit_difference=_largest_difference(expected, found),
        max_state_difference=_largest_difference(torch.stack(final), torch.from_numpy(step_model.state)),
        kl_divergence=_rounded_up(nats / math.log(2)),
        argmax_agreement=math.floor(agreement * 1e4) / 1e4,
    )


def _largest_difference(expected: Tensor, found: Tensor) -> float:
    """Return the largest difference as a share of max(1, |value|): logits and cells may be far beyond 1."""
    return _rounded_up(((found - expected).abs() / expected.abs().clamp(min=1)).max())


def _rounded_up(difference: Tensor) -> float:
    return float(Context(prec=2, rounding=ROUND_UP).create_decimal_from_float(difference.item()))


def check_parity(parity: Parity, precision: str) -> None:
    """Refuse a file that is too far from the trained model.

    Raises:
        ProofError: it is too far, or a difference is NaN.
    """
    disagreement, allowed = 1 - parity.argmax_agreement, 1 - MIN_ARGMAX_AGREEMENT[precision]
    limits = [
        ("KL divergence in bits per step", parity.kl_divergence, MAX_DIVERGENCE[precision]),
        ("share of steps with another likeliest character", disagreement, allowed),
    ]
    if precision == FP32:
        limits.append(("relative difference in logits", parity.max_logit_difference, MAX_DIFFERENCE))
        limits.append(("relative difference in the state", parity.max_state_difference, MAX_DIFFERENCE))
    for what, found, limit in limits:
        if not found <= limit:  # also refuses NaN
            raise ProofError(precision, what, f"at most {limit:.1g}", f"{found:.1e}")


def check_cost(held_out: HeldOut, parity: Parity, precision: str) -> None:
    """Refuse a file that predicts songs worse than the trained model.

    If few songs are held out, the scores differ by chance. Under two distributions with a small divergence of
    D nats, the log probabilities of a symbol differ with a variance of 2 D. A difference of up to three
    standard errors of the mean is therefore allowed.

    Raises:
        ProofError: it predicts them worse, or a score is NaN.
    """
    found, in_pytorch = held_out.bits_per_character, held_out.pytorch_bits_per_character
    chance = 3 * math.sqrt(2 * parity.kl_divergence / math.log(2) / held_out.symbols)  # in bits
    allowed = MAX_COST[precision] + chance
    if not found - in_pytorch <= allowed:
        expected = f"at most {allowed:.4f} more than PyTorch's {in_pytorch:.4f}"
        raise ProofError(precision, "held-out bits per character", expected, f"{found:.4f}")


def measure_bits_per_character(
    file: ModelFile, songs: EncodedSongs, on_progress: Callable[[int], None] = no_progress
) -> float:
    """Return the bits per character of whole songs, without styles, each read from zero state after SOS.

    EOS is a symbol to be predicted, SOS is not. `on_progress` gets the number of symbols of each batch.
    """
    with without_threads():
        return score_side_by_side(
            songs, lambda chosen: float(nats_through_file(file, songs, chosen).sum()), on_progress
        )


def median_step_seconds(files: Mapping[str, ModelFile], time_each: float = 0.5) -> dict[str, float]:
    """Return the median time of one song's step through each file; each is timed for `time_each` seconds."""
    models = {name: StepModel(file) for name, file in files.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    end = timeit.default_timer() + time_each * len(files)
    while timeit.default_timer() < end:
        for name, model in models.items():
            seconds[name].append(timeit.timeit(model.step, number=100) / 100)
    return {name: statistics.median(measured) for name, measured in seconds.items()}
