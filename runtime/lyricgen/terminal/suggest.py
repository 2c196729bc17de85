"""`lyricgen suggest`: lines for the gaps of a draft, to choose from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from lyricgen.options import SongOptions
from lyricgen.printable import printable, shortened, wrapped
from lyricgen.terminal.command import tell
from lyricgen.terminal.interrupt import RAISE, on_interrupt
from lyricgen.terminal.song_options import (
    FORMAT,
    JSON,
    MODEL,
    TEXT,
    THREADS,
    as_json,
    checked_format,
    compile_loop,
    open_model,
    tell_of_unread,
    text_of,
    with_song_options,
)

if TYPE_CHECKING:
    from lyricgen.song.song_line import SongLine
    from lyricgen.song.suggestions import Gap

_OPTIONS = (
    *("title", "style", "form", "rhyme", "syllables", "metre", "about", "near_rhymes", "candidates"),
    *("rewrite", "keep"),
    *("temperature", "top_k", "top_p", "min_p", "seed"),
)


def suggest(
    draft: Annotated[
        str, typer.Argument(help="A file with the song so far; - reads it from stdin.", metavar="DRAFT")
    ],
    *,
    count: Annotated[int, typer.Option("--count", "-n", help="How many lines for each gap.")] = 8,
    lines: Annotated[
        str | None, typer.Option(help="Only for these gaps, such as 6 or 2,9-12.", show_default="all")
    ] = None,
    threads: THREADS = None,
    model: MODEL = None,
    output_format: FORMAT = TEXT,
    **options: Any,  # noqa: ANN401 (those of `SongOptions`)
) -> None:
    """Suggest lines for the gaps of a draft, which rhyme and scan with those that are there.

    A gap is a line of three dots: ... is a whole line, "... lantern" ends with
    that word, "The moon ..." begins so, "... x3" is three lines. The first line
    is the title if an empty line follows; [Chorus] names a stanza.

    \b
    Examples:
      lyricgen suggest draft.txt
      lyricgen suggest draft.txt -n 20 --style ballad --near-rhymes
      lyricgen suggest draft.txt --rhyme ABAB --syllables 8,6,8,6
      lyricgen suggest song.txt --rewrite 3 --lines 3
      lyricgen suggest - --format json < draft.txt
    """  # noqa: D301 (the backspace keeps typer from joining the lines)
    checked_format(output_format)
    options["draft"] = text_of(draft, "draft")
    opened = open_model(model)
    compile_loop()
    on_interrupt(RAISE)
    gaps = opened.suggest(count=count, lines=lines, threads=threads, **cast("SongOptions", options))
    tell_of_unread(opened, options["draft"])
    if output_format == JSON:
        typer.echo(as_json(list(gaps)))
        return
    tell("syllables, bits per character (the fewer, the more expected), line")
    for number, gap in enumerate(gaps):
        typer.echo("\n" * bool(number) + _shown(gap))
        sys.stdout.flush()
        if not all(line.rhymes and line.fits for line in gap.suggestions):
            tell(f"line {gap.line}: nothing fits; this comes nearest (try --near-rhymes, --candidates)")


with_song_options(suggest, _OPTIONS)
_SHOWN = 32
"""Characters of the line before a gap."""


def _shown(gap: Gap) -> str:
    """Return a gap and its suggestions, each with its syllables and its bits per character."""
    low, high = gap.syllables
    asked = [f"{low} syllables" if low == high else f"{low} to {high} syllables"]
    if gap.rhymes_with:
        asked.append("rhymes with " + ", ".join(shortened(word, _SHOWN) for word in gap.rhymes_with))
    place = f"line {gap.line}" + (f', after "{shortened(gap.before, _SHOWN)}"' if gap.before else "")
    rows = [f"{line.syllables:4} {_bits(line):5.2f}  {line.text}" for line in gap.suggestions]
    return "\n".join([wrapped(f"{place}: {', '.join(asked)}"), *map(printable, rows)])


def _bits(line: SongLine) -> float:
    return (line.bits or 0.0) / (len(line.text) + 1)
