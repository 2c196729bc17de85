"""The proof: an exported file computes what the trained model computes, and how well it predicts.

Both measurements run the file through the runtime's own step model, the code that users run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from lyricgen.errors import LyricgenError
from lyricgen.step_model import ModelFile, StepModel
from train.batches import IGNORED, EncodedSongs, pad, similar_length_batches
from train.model import CharLSTM

PARITY_STEPS = 200
PARITY_SONGS = 4
MAX_DIFFERENCE = 1e-4
_SONGS_SIDE_BY_SIDE = 64


class ParityError(LyricgenError):
    """The exported file computes something else than the trained model."""

    def __init__(self, parity: Parity) -> None:
        self.parity = parity
        super().__init__(
            f"the exported step differs from PyTorch: logits by {parity.logits:.1e}, the final state by "
            f"{parity.state:.1e}, over {parity.steps} steps; expected at most {MAX_DIFFERENCE:.0e}. "
            "Nothing was written"
        )


@dataclass(frozen=True)
class Parity:
    """Largest differences between file and PyTorch."""

    logits: float
    """Absolute, over all steps."""
    state: float
    """Of the hidden and cell state after the last step, as a share of max(1, |value|): a cell may
    count far beyond 1."""
    steps: int
    """Steps with carried state."""


@torch.no_grad()
def measure_parity(model: CharLSTM, file: ModelFile, steps: int = PARITY_STEPS, seed: int = 0) -> Parity:
    """Run both over the same random tokens from the same random, non-zero state.

    Raises:
        ParityError: they differ by more than `MAX_DIFFERENCE`, or by NaN.
    """
    random = np.random.default_rng(seed)
    step_model = StepModel(file, PARITY_SONGS)
    tokens = random.integers(0, file.card.vocabulary.input_size, (steps, PARITY_SONGS))  # (T, B)
    step_model.state[:] = random.uniform(-0.9, 0.9, step_model.state.shape)
    hidden, cell = (torch.from_numpy(part.copy()) for part in step_model.state)  # (L, B, H)
    logits, (hidden, cell) = model.eval()(torch.from_numpy(tokens), (hidden, cell))
    differences = []
    for n in range(steps):
        step_model.token[:] = tokens[n]
        step_model.step()
        differences.append(np.abs(step_model.logits - logits[n].numpy()).max())
    final = torch.stack([hidden, cell]).numpy()  # (2, L, B, H)
    state_difference = (np.abs(step_model.state - final) / np.maximum(1, np.abs(final))).max()
    parity = Parity(float(np.max(differences)), float(state_difference), steps)
    if not (parity.logits <= MAX_DIFFERENCE and parity.state <= MAX_DIFFERENCE):  # also catches NaN
        raise ParityError(parity)
    return parity


def measure_bits_per_character(file: ModelFile, songs: EncodedSongs) -> float:
    """Score whole songs through the file, each from zero state after SOS.

    Returns total nats / ln 2 / predicted symbols; EOS counts, SOS and padding do not.
    """
    nats = 0.0
    for chosen in similar_length_batches(songs, _SONGS_SIDE_BY_SIDE):
        step_model = StepModel(file, len(chosen))
        inputs, targets = pad(songs, chosen)  # (T, B)
        for tokens, units in zip(inputs, targets, strict=True):
            step_model.token[:] = tokens
            step_model.step()
            nats += _summed_nats(step_model.logits, units)
    return nats / math.log(2) / songs.symbols


def _summed_nats(logits: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]) -> float:
    real = np.flatnonzero(targets != IGNORED)
    scores = logits[real].astype(np.float64)  # (B, V_out)
    highest = scores.max(axis=1)
    log_total = highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1))
    return float((log_total - scores[np.arange(len(real)), targets[real]]).sum())
