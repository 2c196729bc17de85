"""Which temperature suits a model."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from train.figures import Figures

STEP = 0.05
"""Suggested temperatures are multiples of it."""


def suggest(sweep: Mapping[float, Figures], held_out: Figures) -> float:
    """Return the temperature whose songs put words side by side that are known as often as in real songs.

    Above it they get garbled, below it worn. The share is taken to fall straight from one temperature to
    the next; where it first falls to that of the held-out songs is the answer. If it is lower from the
    beginning, or never falls so far, the nearest end of the sweep is.
    """
    temperatures = sorted(sweep)
    excess = [sweep[temperature].known_pairs - held_out.known_pairs for temperature in temperatures]
    if excess[0] <= 0:
        return temperatures[0]
    for (below, above), (left, right) in zip(pairwise(temperatures), pairwise(excess), strict=True):
        if right <= 0:
            crossing = below + left / (left - right) * (above - below)
            return round(round(crossing / STEP) * STEP, 2)
    return temperatures[-1]
