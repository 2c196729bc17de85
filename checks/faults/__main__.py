"""Entry point of `python -m checks.faults`: deals the cases and counts them."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import pandas
import typer

from checks import CheckError, run
from checks.faults import songs, training
from checks.faults.case import Case, Fixtures

Fault = Callable[[Case], Iterator[str]]
"""Makes one thing go wrong; yields each promise that was broken."""
FAULTS: dict[str, Fault] = {
    fault.__name__.replace("_", " "): fault for fault in (*songs.FAULTS, *training.FAULTS)
}


def main(
    cases: Annotated[int, typer.Option(min=1, help="How many in all; the faults take turns.")] = 100,
    seed: Annotated[int, typer.Option(help="Decides what goes wrong, and when.")] = 0,
    fault: Annotated[str | None, typer.Option(help=f"Only this one: {'; '.join(FAULTS)}.")] = None,
    first: Annotated[int, typer.Option(help="Number of each fault's first case.")] = 0,
) -> None:
    """Make things go wrong on purpose; print how many cases were tried and survived."""
    if fault not in (None, *FAULTS):
        raise CheckError(f"no fault {fault!r}; there are {', '.join(FAULTS)}")
    chosen = {name: function for name, function in FAULTS.items() if fault in (None, name)}
    tries = campaign(chosen, cases, seed, first)
    print(f"\n{tries.groupby('fault', sort=False).sum().round().astype(int)}")
    if failed := cases - tries.survived.sum():
        raise CheckError(f"{failed} of {cases} cases broke a promise")


def campaign(faults: Mapping[str, Fault], cases: int, seed: int, first: int = 0) -> pandas.DataFrame:
    """Try so many cases, the faults in turn; print each broken promise and return a row for each case.

    A case depends only on the seed, its fault and its number.
    """
    tries = []
    with tempfile.TemporaryDirectory(prefix="lyricgen-faults-") as scratch:
        fixtures = Fixtures(Path(scratch))
        for turn in range(cases):
            name = list(faults)[turn % len(faults)]
            number = first + turn // len(faults)
            since = time.monotonic()
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                chance = random.Random(f"{seed} {name} {number}")  # noqa: S311
                problems = list(faults[name](Case(Path(folder), chance, fixtures)))
            tries.append((name, 1, not problems, time.monotonic() - since))
            again = f'python -m checks.faults --fault "{name}" --seed {seed} --first {number} --cases 1'
            for problem in problems:
                print(f"{name}: {problem}\n  again: {again}", flush=True)
    table: pandas.DataFrame = pandas.DataFrame(tries, columns=["fault", "tried", "survived", "seconds"])
    return table


if __name__ == "__main__":
    run(main)
