"""`lyricgen-run`: write songs in a terminal.

Songs and only songs go to stdout; the seed and everything else to stderr. What is heavy to import
is imported once the options are known to be good, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lyricgen import __version__, command
from lyricgen.contract import DEFAULT_MAX_LENGTH
from lyricgen.errors import OptionError
from lyricgen.files import check_writable, write_atomically, writing_errors_named
from lyricgen.info import describe, to_json

if TYPE_CHECKING:
    from lyricgen.generator import SongStream
    from lyricgen.options import SongOptions

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

TEXT, JSON = "text", "json"
BETWEEN_SONGS = "\n\n"  # two blank lines; songs themselves have single ones


@app.command()
def write_songs(
    temperature: Annotated[
        float | None,
        typer.Option(
            help="Below 1 is safer, above 1 wilder; 0 is the likeliest song.", show_default="the model's own"
        ),
    ] = None,
    style: Annotated[str | None, typer.Option(help="A style that the model knows; see --info.")] = None,
    title: Annotated[
        str | None,
        typer.Option(
            help="The song's title, if the model writes titles.", show_default="such a model invents one"
        ),
    ] = None,
    prompt: Annotated[
        str,
        typer.Option(
            help="How the song begins. Without --title, a model that writes titles begins its title so."
        ),
    ] = "",
    samples: Annotated[int, typer.Option(help="How many songs.")] = 1,
    max_length: Annotated[
        int, typer.Option(help="Characters after which a song is cut to its last whole line.")
    ] = DEFAULT_MAX_LENGTH,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same songs.", show_default="chosen and shown")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="A file made with python -m export.",
            show_default="the bundled model",
            readable=False,  # found out, and said, where it is read
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the songs to this file instead.")] = None,
    info: Annotated[  # noqa: FBT002 (typer reads the default)
        bool, typer.Option("--info", help="Show what the model is and where it comes from, and exit.")
    ] = False,
    output_format: Annotated[
        str, typer.Option("--format", help="text or, with --info, json.", metavar="text|json")
    ] = TEXT,
    self_test: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--self-test", help="Check that the model writes here what it wrote when it was made."),
    ] = False,
    version: Annotated[  # noqa: FBT002
        bool, typer.Option("--version", help="Show the version and exit.")
    ] = False,
) -> None:
    """Write songs, character by character.

    \b
    Examples:
      lyricgen-run --temperature 0.75
      lyricgen-run --prompt "The moon is low" --seed 7
      lyricgen-run --samples 20 --output songs.txt
      lyricgen-run --model my_model.onnx --style folk --title "Low Moon"
      lyricgen-run --model my_model.onnx --info
      lyricgen-run --self-test
    """  # noqa: D301 (the backspace keeps typer from joining the lines)
    if version:
        typer.echo(f"lyricgen {__version__}")
        return
    if output_format not in (TEXT, JSON):
        raise OptionError("format", output_format, f"{TEXT} or {JSON}")
    if output_format == JSON and not info:
        raise OptionError("format", output_format, f"{TEXT}, unless --info is given")
    if info and self_test:
        raise OptionError("self_test", "both", "given without --info")
    if info:
        _show_card(model, output_format)
        return
    if self_test:
        _test(model)
        return
    if samples < 1:
        raise OptionError("samples", samples, "at least 1")
    if output is not None:
        check_writable(output)
    options: SongOptions = {
        "temperature": temperature,
        "style": style,
        "title": title,
        "prompt": prompt,
        "max_length": max_length,
        "seed": seed,
    }
    streams = _start(model, samples, options)
    if output is None:
        _print(streams)
    else:
        _save(streams, output)


def main() -> None:
    """Entry point of `lyricgen-run`."""
    sys.exit(command.run(app, "lyricgen-run"))


def _show_card(model_path: Path | None, output_format: str) -> None:
    from lyricgen.generator import load

    model = load(model_path)
    shown = to_json if output_format == JSON else describe
    typer.echo(shown(model.card, str(model.path), model.size_bytes))


def _test(model_path: Path | None) -> None:
    from lyricgen.generator import load
    from lyricgen.golden import self_test

    song = self_test(load(model_path))
    typer.echo(f"self-test passed: the golden song, {song.characters:,} characters, is the same here")


def _start(model_path: Path | None, samples: int, options: SongOptions) -> Iterator[SongStream]:
    """Open the model, show the seed, and return the songs; they are written while they are read."""
    from lyricgen.generator import load

    model = load(model_path)
    first = model.stream(**options)  # errors come before the seed is shown
    typer.echo(f"seed {first.seed}", err=True)

    def song(index: int) -> SongStream:
        chosen: SongOptions = {**options, "seed": first.seed, "index": index}
        return model.stream(**chosen)

    return chain([first], map(song, range(1, samples)))


def _print(streams: Iterator[SongStream]) -> None:
    for stream in streams:
        if stream.index:
            sys.stdout.write(BETWEEN_SONGS)
        for character in stream:
            sys.stdout.write(character)
            if character == "\n":
                sys.stdout.flush()
        sys.stdout.write("\n")
        sys.stdout.flush()
        _explain_end(stream)


def _save(streams: Iterator[SongStream], path: Path) -> None:
    songs = []
    for stream in streams:
        songs.append("".join(stream) + "\n")
        _explain_end(stream)
    with writing_errors_named(path):
        write_atomically(path, BETWEEN_SONGS.join(songs).encode())
    typer.echo(f"{len(songs)} {'song' if len(songs) == 1 else 'songs'} in {path}", err=True)


def _explain_end(stream: SongStream) -> None:
    if stream.finished == "length":
        typer.echo(f"song {stream.index + 1} was cut at --max-length", err=True)
