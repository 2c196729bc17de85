"""The loop from SOS to EOS: step, draw, feed the drawn character back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lyricgen.errors import NonFiniteLogitsError
from lyricgen.sampling import NOT_FINITE, choose
from lyricgen.step_model import StepModel
from lyricgen.vocabulary import SOS


@dataclass(frozen=True)
class SongPlan:
    """All that decides a song, besides the model."""

    style: int | None
    """Token id of the style; None for no particular one."""
    beginning: list[int]
    """Token ids of the characters that the song begins with; may be empty."""
    temperature: float
    """Divides the logits; 0 is argmax."""
    max_length: int
    """Characters after which to stop, the beginning's included."""
    seed: int
    """Key of the random numbers."""
    index: int
    """Which of the seed's songs this is."""


def write(model: StepModel, plan: SongPlan) -> Iterator[int]:
    """Yield the token ids of a song after its beginning, until EOS (yielded too) or `max_length`.

    The style is no character: it neither counts towards the length nor moves the random numbers.
    After `max_length` characters the song may still end: only a further character is refused.
    `model` is this song's alone until the end.

    Raises:
        NonFiniteLogitsError: the model computed NaN or infinity.
    """
    eos = model.file.card.vocabulary.eos
    model.reset()
    model.token[0] = SOS
    for token in plan.beginning if plan.style is None else [plan.style, *plan.beginning]:
        model.step()
        model.token[0] = token
    for position in range(len(plan.beginning), plan.max_length + 1):
        model.step()
        unit = choose(model.logits, plan.temperature, plan.seed, plan.index, position)
        if unit == NOT_FINITE:
            raise NonFiniteLogitsError(position)
        if unit == 0:
            yield eos
            return
        if position < plan.max_length:
            model.token[0] = unit + eos
            yield unit + eos
