"""Many cases, counted by kind."""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from checks.faults.kinds import Share
from checks.faults.place import Place


@dataclass
class Tally:
    """How the cases of one kind went."""

    name: str
    tried: int = 0
    survived: int = 0
    seconds: float = 0.0


def campaign(
    shares: Sequence[Share], cases: int, seed: int, first: int, say: Callable[[str], None]
) -> list[Tally]:
    """Try so many cases of the kinds or a few more, by their shares; say what broke a promise.

    A case depends on the seed, its kind and its number alone.
    """
    whole = sum(share.percent for share in shares)
    with tempfile.TemporaryDirectory(prefix="lyricgen-faults-") as folder:
        place = Place(Path(folder), random.Random())  # noqa: S311
        return [
            _try(place, share, math.ceil(cases * share.percent / whole), seed, first, say) for share in shares
        ]


def _try(place: Place, share: Share, cases: int, seed: int, first: int, say: Callable[[str], None]) -> Tally:
    tally, began = Tally(share.name), time.monotonic()
    for number in range(first, first + cases):
        place.draw.seed(f"{seed} {share.name} {number}")
        problems = list(share.kind(place))
        tally.tried += 1
        tally.survived += not problems
        again = f'python -m checks.faults --kind "{share.name}" --seed {seed} --first {number} --cases 1'
        for problem in problems:
            say(f"{share.name}, case {number}: {problem}\n  again: {again}")
    tally.seconds = time.monotonic() - began
    return tally
