"""Where the figures in the README come from; each module is a command: python -m benchmarks.<name>."""

from __future__ import annotations

from collections.abc import Callable

import typer

from lyricgen.terminal import command


def run(main: Callable[..., None]) -> None:
    """Run a benchmark as a command: errors are one line, as everywhere in lyricgen."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    name = main.__globals__["__spec__"].name.removesuffix(".__main__")
    command.run_and_exit(app, f"python -m {name}")
