"""Which temperature suits a model."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from train.report.figures import SongFigures

STEP = 0.05
"""Suggested temperatures are multiples of it."""
MOST = 0.8
"""Share of songs that should end by themselves, if there is a temperature at which so many do."""


class Suggestion(NamedTuple):
    """A temperature, and sentences that say which figures were compared."""

    temperature: float
    reason: str


def suggest(sweep: Mapping[float, SongFigures], held_out: SongFigures) -> Suggestion:
    """Suggest the temperature at which pairs of neighbouring words are as often known as in real songs.

    Songs written at higher temperatures are garbled, at lower ones worn. If too few songs end by themselves
    at that temperature, because they go in circles, the suggestion is the next higher temperature of the
    sweep at which enough do; if there is none, the one at which most songs end.
    """
    balanced, reason = _balance(sweep, held_out.known_pairs)
    below, above = max(t for t in sweep if t <= balanced), min(t for t in sweep if t >= balanced)
    ended = min(sweep[below].ended, sweep[above].ended)
    if ended >= MOST:
        return Suggestion(balanced, f"{reason}.")
    reason += f". But around {balanced:g}, only {ended:.1%} of songs end by themselves"
    enough = [t for t in sorted(sweep) if t > balanced and sweep[t].ended >= MOST]
    if enough:
        reason += f"; {enough[0]:g} is the next temperature at which {MOST:.0%} do."
        return Suggestion(enough[0], reason)
    best = max(sorted(sweep), key=lambda t: sweep[t].ended)
    found = f"{best:g} is the temperature at which most songs end, {sweep[best].ended:.1%}"
    return Suggestion(best, f"{reason}, and at no higher temperature {MOST:.0%} do; {found}.")


def _balance(sweep: Mapping[float, SongFigures], real: float) -> tuple[float, str]:
    """Return where the share of known pairs falls to that of real songs, and what was found.

    The share is taken to fall in a straight line from one temperature to the next. If it is lower from the
    beginning, or never falls so far, the temperature is the nearest end of the sweep.
    """
    known = {temperature: sweep[temperature].known_pairs for temperature in sorted(sweep)}
    lowest, highest = min(known), max(known)
    compared = "pairs of neighbouring words that are known from the training"
    if known[lowest] <= real:
        return lowest, (
            f"Even at {lowest:g}, the lowest temperature tried, songs have no more {compared} "
            f"({known[lowest]:.1%}) than real songs ({real:.1%})"
        )
    for below, above in pairwise(known):
        if known[above] <= real:
            crossing = below + (known[below] - real) / (known[below] - known[above]) * (above - below)
            return round(round(crossing / STEP) * STEP, 2), (
                f"From {below:g} to {above:g}, the share of {compared} falls from {known[below]:.1%} to "
                f"{known[above]:.1%}; in real songs it is {real:.1%}"
            )
    return highest, (
        f"Even at {highest:g}, the highest temperature tried, songs have more {compared} "
        f"({known[highest]:.1%}) than real songs ({real:.1%})"
    )
