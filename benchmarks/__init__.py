"""Where the figures in the pages come from; each module is a command: python -m benchmarks.<name>."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import typer

from lyricgen.terminal import command


def run(main: Callable[..., None]) -> None:
    """Run a benchmark as a command: errors are one line, as everywhere in lyricgen."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    name = main.__globals__["__spec__"].name.removesuffix(".__main__")
    command.run_and_exit(app, f"python -m {name}")


def median_seconds(ways: Mapping[str, Callable[[], int]], rounds: int, warm_up: int = 1) -> dict[str, float]:
    """Time several ways to do something, all in turn, round after round.

    Args:
        ways: functions by name; each returns how many units (characters, songs) it did.
        rounds: how often each is timed.
        warm_up: rounds before these that are not timed.

    Returns:
        The median seconds per unit of each way.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(warm_up + rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            units = way()
            if number >= warm_up:
                seconds[name].append((time.perf_counter() - start) / units)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def columns(*widths: int) -> Callable[..., None]:
    """Return a function that prints a row of a table: the first cell on the left, all others on the right."""

    def show(first: str, *others: str) -> None:
        cells = (f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=False))
        print(f"{first:{widths[0]}}{''.join(cells)}".rstrip(), flush=True)

    return show
