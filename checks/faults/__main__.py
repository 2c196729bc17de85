"""Entry point of `python -m checks.faults`: deals the cases and counts them."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import columns
from checks import CheckError, run
from checks.faults import songs, training
from checks.faults.case import Case, Fixtures

Fault = Callable[[Case], Iterator[str]]
"""Makes one thing go wrong; yields each promise that was broken."""
FAULTS: dict[str, Fault] = {
    fault.__name__.replace("_", " "): fault for fault in (*songs.FAULTS, *training.FAULTS)
}


@dataclass
class Count:
    """How the cases of one fault went."""

    tried: int = 0
    survived: int = 0
    seconds: float = 0.0


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
    counts = campaign(chosen, cases, seed, first)
    row = columns(max(map(len, counts)), 7, 10, 9)
    print()
    row("", "tried", "survived", "seconds")
    for name, count in counts.items():
        row(name, str(count.tried), str(count.survived), f"{count.seconds:.0f}")
    if failed := sum(count.tried - count.survived for count in counts.values()):
        raise CheckError(f"{failed} of {cases} cases broke a promise")


def campaign(faults: Mapping[str, Fault], cases: int, seed: int, first: int = 0) -> dict[str, Count]:
    """Try so many cases, the faults in turn; print each broken promise.

    A case depends only on the seed, its fault and its number.
    """
    counts = {name: Count() for name in faults}
    with tempfile.TemporaryDirectory(prefix="lyricgen-faults-") as scratch:
        fixtures = Fixtures(Path(scratch))
        for turn in range(cases):
            name = list(faults)[turn % len(faults)]
            number = first + turn // len(faults)
            since = time.monotonic()
            problems = _try(faults[name], fixtures, f"{seed} {name} {number}")
            count = counts[name]
            count.tried, count.survived = count.tried + 1, count.survived + (not problems)
            count.seconds += time.monotonic() - since
            again = f'python -m checks.faults --fault "{name}" --seed {seed} --first {number} --cases 1'
            for problem in problems:
                print(f"{name}: {problem}\n  again: {again}", flush=True)
    return counts


def _try(fault: Fault, fixtures: Fixtures, seed: str) -> list[str]:
    """Try one case in a new folder; return the promises that were broken."""
    folder = Path(tempfile.mkdtemp(dir=fixtures.folder))
    try:
        return list(fault(Case(folder, random.Random(seed), fixtures)))  # noqa: S311
    finally:
        for path in folder.rglob("*"):  # a fault may have made some read-only
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(folder)


if __name__ == "__main__":
    run(main)
