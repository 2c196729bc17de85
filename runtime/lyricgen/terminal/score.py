"""`lyricgen score`: a reading of a song, line by line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lyricgen.printable import WIDTH, columns, printable, table
from lyricgen.terminal.command import tell
from lyricgen.terminal.song_options import (
    FORMAT,
    JSON,
    MODEL,
    TEXT,
    as_json,
    checked_format,
    open_model,
    text_of,
)

if TYPE_CHECKING:
    from lyricgen.song.score import Score, ScoredLine

_STRESS = 14
"""Columns of the widest stress pattern that stands beside its line."""


def score(
    song: Annotated[str, typer.Argument(help="A file with the song; - reads it from stdin.", metavar="SONG")],
    *,
    model: MODEL = None,
    output_format: FORMAT = TEXT,
) -> None:
    """Read a song of anybody's: syllables, rhyme, stress, what strikes one in each line.

    The first line is the title if an empty line follows; [Chorus] names a
    stanza. Bits per character tell how unexpected the model finds a line.

    \b
    Examples:
      lyricgen score song.txt
      lyricgen score song.txt --format json
      lyricgen-run | lyricgen score -
    """  # noqa: D301 (the backspace keeps typer from joining the lines)
    checked_format(output_format)
    found = open_model(model).score(text_of(song, "song"))
    if found.unread:
        tell(f"the model does not know {' '.join(found.unread)} and reads the song without")
    typer.echo(as_json(found) if output_format == JSON else _shown(found))


def _shown(score: Score) -> str:
    """Return a score as a table of lines, and of what is said of the whole."""
    width = min(_STRESS, max(len(line.stress) for line in score.lines))
    rows = [printable(score.title), ""] if score.title else []
    stanza = 0
    for number, line in enumerate(score.lines, 1):
        rows += [""] * (line.stanza != stanza)
        stanza = line.stanza
        rows.append(_row(number, line, width))
    facts = {
        "form": score.form or "none found",
        "metre": score.metre or "none found",
        "expected": f"{score.bits_per_character:.2f} bits per character",
        **({"nearest style": score.style} if score.style else {}),
        "words": f"{score.words:,}, {score.different_words:,} of them different",
        "lines": f"{len(score.lines):,}, {score.repeated_lines:,} of them heard before",
    }
    return "\n".join([*rows, "", table(facts)])


def _row(number: int, line: ScoredLine, width: int) -> str:
    """Return a line with its number, figures and, behind or below it, marks; in a terminal in colour."""
    stress = line.stress if len(line.stress) <= width else ""
    figures = f"{line.syllables:3} {line.rhyme or ' '} {line.bits_per_character:.2f}"
    head = f"{number:2} {figures}  {stress:{width}}  "
    row = head + printable(line.text)
    if not line.marks:
        return row
    said = printable("; ".join(line.marks))
    shown = typer.style(said, fg=typer.colors.YELLOW) if sys.stdout.isatty() else said
    if columns(row) + 3 + columns(said) <= WIDTH:
        return f"{row}   {shown}"
    return f"{row}\n{' ' * len(head)}^ {shown}"
