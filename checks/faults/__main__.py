"""Entry point of `python -m checks.faults`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from checks import CheckError, run
from checks.faults.campaign import campaign
from checks.faults.kinds import KINDS

NAMES = [share.name for share in KINDS]


def main(
    cases: Annotated[
        int, typer.Option(help="How many in all, by the kinds' shares, at least one each.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="Decides the cases.")] = 0,
    kind: Annotated[str | None, typer.Option(help=f"Only this kind: {'; '.join(NAMES)}.")] = None,
    first: Annotated[int, typer.Option(help="Number of the first case of each kind.")] = 0,
) -> None:
    """Make things go wrong on purpose; print how many cases were tried and survived."""
    if kind not in (None, *NAMES):
        raise CheckError(f"no kind {kind!r}; there are {', '.join(NAMES)}")
    tallies = campaign(
        [share for share in KINDS if kind in (None, share.name)],
        cases,
        seed,
        first,
        partial(print, flush=True),
    )
    width = max(len(tally.name) for tally in tallies)
    print(f"\n{'':{width}}  tried  survived  seconds")
    for tally in tallies:
        print(f"{tally.name:{width}}  {tally.tried:5}  {tally.survived:8}  {tally.seconds:7.0f}")
    tried, survived = (sum(getattr(tally, name) for tally in tallies) for name in ("tried", "survived"))
    print(f"{'all':{width}}  {tried:5}  {survived:8}  {sum(tally.seconds for tally in tallies):7.0f}")
    if survived < tried:
        raise CheckError(f"{tried - survived} of {tried} cases broke a promise")


if __name__ == "__main__":
    run(main)
