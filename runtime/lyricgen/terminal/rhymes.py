"""`lyricgen rhymes`: the words that rhyme with one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from lyricgen.printable import printable, wrapped
from lyricgen.terminal.command import tell
from lyricgen.terminal.song_options import FORMAT, JSON, MODEL, TEXT, as_json, checked_format, open_model

if TYPE_CHECKING:
    from lyricgen.song.rhyming import RhymeWord


def rhymes(
    word: Annotated[str, typer.Argument(help="A word, in the dictionary or not.", metavar="WORD")],
    *,
    after: Annotated[
        str,
        typer.Option(help="The line so far: words that the model expects at its end come first."),
    ] = "",
    syllables: Annotated[
        str | None, typer.Option(help="How many they have, such as 2 or 1-2.", show_default="any number")
    ] = None,
    near: Annotated[bool, typer.Option("--near-rhymes", help="Also words that nearly rhyme.")] = False,
    count: Annotated[int, typer.Option("--count", "-n", help="How many words at most.")] = 60,
    model: MODEL = None,
    output_format: FORMAT = TEXT,
) -> None:
    """Find words that rhyme with one, among those that end lines of the model's songs.

    \b
    Examples:
      lyricgen rhymes lantern
      lyricgen rhymes night --after "The stars are burning"
      lyricgen rhymes time --near-rhymes --syllables 1
    """  # noqa: D301 (the backspace keeps typer from joining the lines)
    checked_format(output_format)
    found = open_model(model).rhymes(word, after=after, syllables=syllables, near_rhymes=near, count=count)
    if output_format == JSON:
        typer.echo(as_json(found))
        return
    perfect = [one for one in found if one.rhyme == 1]
    if perfect:
        typer.echo(_shown(perfect))
    if len(found) > len(perfect):
        typer.echo("\n" * bool(perfect) + "near rhymes:\n" + _shown(one for one in found if one.rhyme < 1))
    if not found:
        tell("no word that rhymes" + ("" if near else "; --near-rhymes is less strict"))


def _shown(found: Iterable[RhymeWord]) -> str:
    return wrapped(printable(" ".join(one.word for one in found)))
