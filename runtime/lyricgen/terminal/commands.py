"""`lyricgen`: all that a songwriter does in a terminal, a command for each."""

from __future__ import annotations

import sys

import typer

from lyricgen.terminal import command
from lyricgen.terminal.rhymes import rhymes
from lyricgen.terminal.run import run
from lyricgen.terminal.score import score
from lyricgen.terminal.studio import studio
from lyricgen.terminal.suggest import suggest

app = typer.Typer(
    pretty_exceptions_enable=False,
    help="Write songs that rhyme and scan, or work on one of your own; offline, with a model of 5 MB.",
    context_settings=command.SETTINGS,
)
for one in (run, suggest, rhymes, score, studio):
    app.command(context_settings=command.SETTINGS)(one)


def main() -> None:
    """Entry point of `lyricgen`."""
    command.run_and_exit(app, "lyricgen", sys.argv[1:] or ["--help"])
