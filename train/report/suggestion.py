"""Which temperature suits a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from train.report.figures import Figures

STEP = 0.05
"""Suggested temperatures are multiples of it."""
MOST = 0.8
"""Share of songs that have to end by themselves, where there is a temperature at which so many do."""


def suggest(sweep: Mapping[float, Figures], held_out: Figures) -> float:
    """Return the temperature whose songs put words side by side that are known as often as in real songs.

    Above it they get garbled, below it worn. The share is taken to fall straight from one temperature to
    the next; where it first falls to that of the held-out songs is the answer. If it is lower from the
    beginning, or never falls so far, the nearest end of the sweep is. Where most songs would not find an
    end, going in circles, the answer is the next temperature of the sweep at which most do; or that at
    which most of all do.
    """
    temperatures = sorted(sweep)
    worn = _where_pairs_are_known_as_often(sweep, temperatures, held_out)
    below, above = max(t for t in temperatures if t <= worn), min(t for t in temperatures if t >= worn)
    if min(sweep[below].ended, sweep[above].ended) >= MOST:
        return worn
    ending = [t for t in temperatures if t > worn and sweep[t].ended >= MOST]
    return ending[0] if ending else max(temperatures, key=lambda t: sweep[t].ended)


def _where_pairs_are_known_as_often(
    sweep: Mapping[float, Figures], temperatures: Sequence[float], held_out: Figures
) -> float:
    excess = [sweep[temperature].known_pairs - held_out.known_pairs for temperature in temperatures]
    if excess[0] <= 0:
        return temperatures[0]
    for (below, above), (left, right) in zip(pairwise(temperatures), pairwise(excess), strict=True):
        if right <= 0:
            crossing = below + left / (left - right) * (above - below)
            return round(round(crossing / STEP) * STEP, 2)
    return temperatures[-1]
