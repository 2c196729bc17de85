"""How likely a model finds a text that somebody else wrote, character by character."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lyricgen.engine.record import Floats32, Floats64
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.vocabulary import SOS


def surprises(logits: Floats32) -> Floats64:
    """Return -log2 of the softmax of logits (P, V_out): what each unit costs, in bits."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    bits: Floats64 = (np.log(np.exp(shifted).sum(axis=1, keepdims=True)) - shifted) / math.log(2)
    return bits


def bits_of(file: ModelFile, tokens: Sequence[int], styles: Sequence[int | None] = (None,)) -> Floats64:
    """Return what each character of a text costs in each of some styles, (T, S) float64, in bits.

    Args:
        file: the model.
        tokens: the text's token ids, T of them, from the beginning of a song.
        styles: token ids of styles, S of them; None: the text is read without a style.

    Raises:
        OrtError: onnxruntime failed.
    """
    steps, eos = StepModel(file, len(styles)), file.card.vocabulary.eos
    steps.token[:] = SOS
    steps.step()
    bare = (steps.logits.copy(), steps.state.copy())
    steps.token[:] = [SOS if style is None else style for style in styles]
    steps.step()
    for column in (n for n, style in enumerate(styles) if style is None):
        steps.logits[column], steps.state[:, :, column] = bare[0][column], bare[1][:, :, column]
    logits = np.zeros((len(tokens), *steps.logits.shape), np.float32)  # (T, S, V_out)
    for position, token in enumerate(tokens):
        logits[position] = steps.logits
        steps.token[:] = token
        steps.step()
    costs = surprises(logits.reshape(-1, logits.shape[2])).reshape(logits.shape)
    units = np.array(tokens, np.int64)[:, np.newaxis, np.newaxis] - eos
    return np.take_along_axis(costs, units, axis=2)[:, :, 0]
