"""What commands share: options of songs, made from their definitions; texts and models that options name."""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from lyricgen.errors import LyricgenError, OptionError
from lyricgen.options import definitions
from lyricgen.terminal import command
from lyricgen.terminal.command import tell

if TYPE_CHECKING:
    from lyricgen.generator import Model

MODEL = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="A file made with python -m export.",
        show_default="the bundled model",
        parser=command.path,
        metavar="PATH",
    ),
]
"""The annotation of an option that names a model file."""
THREADS = Annotated[
    int | None, typer.Option(help="How many CPUs write.", show_default="all, if there is work for them")
]
FORMAT = Annotated[str, typer.Option("--format", help="json is for programs.", metavar="text|json")]
"""Of an option that is `TEXT` or `JSON`."""
MAX_BYTES = 2**20
"""Of a text that is read from a file."""
STDIN = "-"
TEXT, JSON = "text", "json"
_SHOWN = 20
"""Unknown characters that are named."""


def with_song_options(function: Callable[..., None], names: Iterable[str]) -> Callable[..., None]:
    """Give a command a parameter for each of some options of a song, in place of its `**options`."""
    written = inspect.signature(function, eval_str=True)
    first, *others = written.parameters.values()
    known, options = definitions(), []
    for name in names:
        annotation, option = known[name]
        shown = typer.Option(
            "--" + name.replace("_", "-"),
            help=option.help,
            show_default=option.shown_default or True,
            autocompletion=_styles if name == "style" else None,
            metavar="PATH" if name == "draft" else None,
        )
        kind = get_args(annotation)[0]
        options.append(
            others[0].replace(
                name=name,
                kind=inspect.Parameter.KEYWORD_ONLY,
                default=option.default,
                annotation=Annotated[kind, shown],
            )
        )
    parameters = sorted([first, *options, *others[:-1]], key=lambda one: one.kind)
    function.__signature__ = written.replace(parameters=parameters)  # type: ignore[attr-defined]
    return function


def open_model(path: Path | None) -> Model:
    """Open a model file, or the bundled one."""
    from lyricgen.generator import load

    return load(path)


def text_of(name: str, option: str) -> str:
    """Return the text in a file, or on stdin if its name is "-", with line ends of one kind.

    Of a song that was written with --format jsonl, it is the song's text.

    Raises:
        OptionError: it cannot be read, is no text in UTF-8, too long, or several songs.
    """
    if name == STDIN and sys.stdin is None:
        raise OptionError(option, name, "a file; stdin is closed")
    try:
        content = sys.stdin.buffer.read(MAX_BYTES + 1) if name == STDIN else _content(Path(name))
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OptionError(option, name, "a text in UTF-8") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        why = getattr(error, "strerror", None) or error
        raise OptionError(option, name, f"a file that can be read ({why})") from None
    if len(content) > MAX_BYTES:
        raise OptionError(option, name, f"a text of at most {MAX_BYTES:,} bytes")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    songs = _songs_in(text)
    if len(songs) > 1:
        raise OptionError(option, name, "a file with one song")
    return songs[0] if songs else text


def _songs_in(text: str) -> list[str]:
    """Return the texts of the songs in lines of JSON, as `output.to_line` writes them; [] if it is none."""
    try:
        found = [json.loads(line)["text"] for line in text.split("\n") if line]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
    return found if all(isinstance(one, str) for one in found) else []


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def same_file(name: str, other: str) -> bool:
    """Tell whether two names are of one file."""
    return name != STDIN and os.path.realpath(name) == os.path.realpath(other)


def compile_loop() -> None:
    """Compile the loop if this machine has not done so before; say why that takes a while."""
    from lyricgen.engine import machine_code

    if machine_code.is_kept():
        return
    tell("compiling for this CPU, which takes some seconds the first time")
    machine_code.advance()
    if not machine_code.is_kept():
        folders = " or ".join(map(str, machine_code.folders()))
        tell(f"the compiled code could not be kept in {folders}; the next run compiles again")


def tell_of_unread(model: Model, draft: str | None) -> None:
    """Say which characters of a draft the model does not know and so does not read."""
    from lyricgen.song.draft import read_draft

    unread = read_draft(draft).unread(model.card.vocabulary) if draft else ""
    if unread:
        shown = " ".join(unread[:_SHOWN]) + " …" * (len(unread) > _SHOWN)
        tell(f"the model does not know {shown} and reads the draft without")


def checked_format(name: str) -> None:
    """Raise an OptionError if a format is neither `TEXT` nor `JSON`."""
    if name not in (TEXT, JSON):
        raise OptionError("format", name, f"{TEXT} or {JSON}")


def as_json(found: object) -> str:
    """Return dataclasses, or lists of them, as JSON for people and programs."""
    return json.dumps(found, default=asdict, ensure_ascii=False, indent=2)


def _styles(context: typer.Context) -> list[str]:
    """Offer the model's styles to a shell that completes a line."""
    with suppress(LyricgenError, OSError):
        styles = open_model(context.params.get("model")).card.vocabulary.styles
        return [style for style in styles if style.isprintable()]
    return []
