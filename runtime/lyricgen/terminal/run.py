"""`lyricgen-run`: write songs in a terminal.

Songs and only songs go to stdout; the seed and everything else to stderr. What is heavy to import
is imported once the options are known to be good, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence, Set
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lyricgen import __version__
from lyricgen.errors import LyricgenError, OptionError
from lyricgen.files import check_writable, writing_errors_named
from lyricgen.model_file.contract import DEFAULT_MAX_LENGTH, MAX_INDEX, MAX_THREADS
from lyricgen.terminal import command
from lyricgen.terminal.command import tell
from lyricgen.terminal.info import describe, to_json
from lyricgen.terminal.interrupt import importing
from lyricgen.terminal.output import JSONL, TEXT, Output, in_form, open_output, recorded_seed

if TYPE_CHECKING:
    from lyricgen.generator import Model, Song
    from lyricgen.options import SongOptions

app = typer.Typer(pretty_exceptions_enable=False)

JSON = "json"
"""The format of --info for programs."""

Temperature = Annotated[
    float | None,
    typer.Option(
        help="Below 1 is safer, above 1 wilder; 0 is the likeliest song.", show_default="the model's own"
    ),
]
TopK = Annotated[
    int, typer.Option(help="Choose among so many of the likeliest characters.", show_default="0: all")
]
TopP = Annotated[
    float,
    typer.Option(
        help="Choose among the likeliest that together are so probable, up to 1.", show_default="all"
    ),
]
MinP = Annotated[
    float,
    typer.Option(
        help="Choose among those at least so probable, as a share of the likeliest.", show_default="all"
    ),
]


def _styles(context: typer.Context) -> list[str]:
    """Offer the model's styles to a shell that completes a line."""
    with suppress(LyricgenError, OSError):
        styles = _open(context.params.get("model")).card.vocabulary.styles
        return [style for style in styles if style.isprintable()]
    return []


Style = Annotated[
    str | None,
    typer.Option(help="A style that the model knows; see --info.", autocompletion=_styles),
]
Title = Annotated[
    str | None,
    typer.Option(
        help="The song's title, if the model writes titles.", show_default="such a model invents one"
    ),
]
Prompt = Annotated[
    str,
    typer.Option(
        help="How the song begins. Without --title, a model that writes titles begins its title so."
    ),
]
MaxLength = Annotated[int, typer.Option(help="Characters after which a song is cut to its last whole line.")]
ExactLength = Annotated[
    bool, typer.Option("--exact-length", help="Cut at exactly --max-length, even within a line.")
]
Seed = Annotated[
    int | None, typer.Option(help="The same seed gives the same songs.", show_default="chosen and shown")
]
First = Annotated[int, typer.Option(help="Index of the first song; the seed's songs are numbered from 0.")]
Samples = Annotated[int, typer.Option(help="How many songs.")]
Threads = Annotated[
    int | None, typer.Option(help="How many CPUs write songs.", show_default="all, if the songs are many")
]
ModelPath = Annotated[
    Path | None,
    typer.Option(
        help="A file made with python -m export.",
        show_default="the bundled model",
        parser=command.path,
        metavar="PATH",
    ),
]
OutputPath = Annotated[
    str | None,  # a Path would lose the slash at its end
    typer.Option(
        help="Write the songs to this file or, if it ends with a slash, each to a file in this folder. "
        "After an interruption, the same command goes on.",
        metavar="PATH",
    ),
]
Info = Annotated[
    bool, typer.Option("--info", help="Show what the model is and where it comes from, and exit.")
]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        help="jsonl has a line for each song, with its figures. json is for --info.",
        metavar="text|jsonl|json",
        autocompletion=lambda: [TEXT, JSONL, JSON],
    ),
]
SelfTest = Annotated[
    bool, typer.Option("--self-test", help="Check that the model writes here what it wrote when it was made.")
]
Version = Annotated[bool, typer.Option("--version", help="Show the version and exit.")]


@dataclass(frozen=True)
class _Run:
    """Which songs to write, and how and where to."""

    model_path: Path | None
    options: SongOptions
    indexes: range
    threads: int | None
    output_format: str
    output: str | None


@app.command(context_settings=command.SETTINGS)
def run(
    context: typer.Context,
    temperature: Temperature = None,
    top_k: TopK = 0,
    top_p: TopP = 1.0,
    min_p: MinP = 0.0,
    style: Style = None,
    title: Title = None,
    prompt: Prompt = "",
    max_length: MaxLength = DEFAULT_MAX_LENGTH,
    exact_length: ExactLength = False,  # noqa: FBT002 (typer reads the defaults)
    seed: Seed = None,
    samples: Samples = 1,
    first: First = 0,
    threads: Threads = None,
    model: ModelPath = None,
    output: OutputPath = None,
    output_format: Format = TEXT,
    info: Info = False,  # noqa: FBT002
    self_test: SelfTest = False,  # noqa: FBT002
    version: Version = False,  # noqa: FBT002
) -> None:
    """Write songs, character by character.

    \b
    Examples:
      lyricgen-run --temperature 0.75
      lyricgen-run --prompt "The moon is low" --seed 7
      lyricgen-run --samples 20 --output songs.txt
      lyricgen-run --samples 1000 --format jsonl --output songs.jsonl
      lyricgen-run --model my_model.onnx --style folk --title "Low Moon"
      lyricgen-run --model my_model.onnx --info
      lyricgen-run --self-test
    """  # noqa: D301 (the backspace keeps typer from joining the lines)
    if version:
        typer.echo(f"lyricgen {__version__}")
        return
    _check_format(output_format, info=info)
    if info:
        _only(context, "--info", {"info", "model", "output_format"})
        _show_card(model, output_format)
        return
    if self_test:
        _only(context, "--self-test", {"self_test", "model"})
        _test(model)
        return
    options: SongOptions = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "style": style,
        "title": title,
        "prompt": prompt,
        "max_length": max_length,
        "exact_length": exact_length,
        "seed": seed,
    }
    _write(_Run(model, options, _indexes(first, samples), threads, output_format, output))


def main() -> None:
    """Entry point of `lyricgen-run`."""
    command.run_and_exit(app, "lyricgen-run")


def _only(context: typer.Context, option: str, sensible: Set[str]) -> None:
    """Refuse what `option`, which writes no song, would ignore."""
    for name, value in context.params.items():
        source = context.get_parameter_source(name)
        if name not in sensible and source is not None and source.name == "COMMANDLINE":
            shown = {"output_format": "format"}.get(name, name)
            raise OptionError(shown, value, f"left out with {option}, which writes no song")


def _check_format(output_format: str, *, info: bool) -> None:
    if output_format not in (TEXT, JSONL, JSON):
        raise OptionError("format", output_format, f"{TEXT}, {JSONL} or, with --info, {JSON}")
    if output_format == JSON and not info:
        raise OptionError("format", output_format, f"{TEXT} or {JSONL}, unless --info is given")
    if output_format == JSONL and info:
        raise OptionError("format", output_format, f"{TEXT} or {JSON} where --info is given")


def _indexes(first: int, samples: int) -> range:
    if samples < 1:
        raise OptionError("samples", samples, "at least 1")
    if samples > sys.maxsize:
        raise OptionError("samples", samples, f"at most {sys.maxsize}")
    if not 0 <= first <= MAX_INDEX + 1 - samples:
        raise OptionError("first", first, f"a whole number from 0 to {MAX_INDEX}, less the number of songs")
    return range(first, first + samples)


def _open(path: Path | None) -> Model:
    with importing():
        from lyricgen.generator import load
    return load(path)


def _show_card(model_path: Path | None, output_format: str) -> None:
    model = _open(model_path)
    shown = to_json if output_format == JSON else describe
    typer.echo(shown(model.card, str(model.path), model.size_bytes))


def _test(model_path: Path | None) -> None:
    model = _open(model_path)
    from lyricgen.golden import self_test

    _compile()
    song = self_test(model)
    typer.echo(f"self-test passed: the golden song, {song.characters:,} characters, is the same here")
    typer.echo(model.runs_on)


def _write(run: _Run) -> None:
    with importing():
        from lyricgen.options import plan_song, whole

    if run.threads is not None:
        whole("threads", run.threads, 1, MAX_THREADS)
    if run.output in ("", "-"):
        expected = "the name of a file or, with a slash at its end, of a folder; left out, songs go to stdout"
        raise OptionError("output", run.output, expected)
    model, options = _open(run.model_path), run.options
    if options["seed"] is None and run.output is not None:
        options = {**options, "seed": recorded_seed(Path(run.output))}
    plan = plan_song(model.card, options)  # errors come before anything is made or shown
    options = {**options, "seed": plan.seed, "temperature": plan.temperature}
    if run.output is not None and (not (path := Path(run.output)).exists() or path.is_file()):
        check_writable(path)
    _compile()  # before a file is opened: Ctrl-C ends it at once
    if run.output is not None:
        path = _output_path(run.output)
        order = {**options, "model": model.card.tensors_sha256}
        with open_output(path, run.output_format, order, run.indexes) as output:
            tell(f"seed {plan.seed}")
            _save(model, run, options, output)
        return
    tell(f"seed {plan.seed}")
    if run.output_format == JSONL or len(run.indexes) > 1:
        _print(model, run, options)
        return
    _stream(model, options, run.indexes[0])
    if run.options["seed"] is None and sys.stdout.isatty() and sys.stderr.isatty():
        again = f"--seed {plan.seed} writes this song again"
        tell(f"\nnext: {again}; --samples 20 --output songs/ writes twenty to keep")


def _output_path(typed: str) -> Path:
    """Return where songs are to go; make a folder if its name ends with a slash."""
    path = Path(typed)
    if typed.endswith(("/", os.sep)) and not path.is_dir():
        if os.path.lexists(path):
            raise LyricgenError(f"{path}: is a file or a broken link; leave out the slash, or name a folder")
        check_writable(path)
        with writing_errors_named(path):
            path.mkdir(exist_ok=True)  # another shard may have made it
    return path


def _stream(model: Model, options: SongOptions, index: int) -> None:
    stream = model.stream(index=index, **options)
    for character in stream:
        sys.stdout.write(character)
        if character == "\n":
            sys.stdout.flush()
    sys.stdout.write("\n")
    sys.stdout.flush()
    if stream.finished == "length":
        tell("the song was cut at --max-length")


def _print(model: Model, run: _Run, options: SongOptions) -> None:
    shown, written = not sys.stdout.isatty(), 0
    try:
        with closing(_songs(model, run, options, run.indexes, show_progress=shown)) as songs:
            for song in songs:
                sys.stdout.write(in_form(song, run.output_format, written))
                sys.stdout.flush()
                written += 1
    except KeyboardInterrupt:
        tell(
            f"interrupted; {written:,} of {len(run.indexes):,} songs were written "
            "(with --output, no finished song is lost, and the same command goes on)"
        )
        raise


def _save(model: Model, run: _Run, options: SongOptions, output: Output) -> None:
    missing, samples = output.missing, len(run.indexes)
    if len(missing) < samples:
        there = f"{samples - len(missing):,} of {samples:,} songs are there already"
        more = f"; --first {output.following} writes more songs of this seed"
        tell(there + ("" if missing else more))
    added = 0
    try:
        with closing(
            _songs(model, run, options, missing, show_progress=True, in_order=output.in_order)
        ) as songs:
            for song in songs:
                output.add(song)
                added += 1
    except KeyboardInterrupt:
        done = samples - len(missing) + added
        same = f"--seed {options['seed']}"
        kept = f"{done:,} of {samples:,} songs are kept: the same command, with {same}, goes on"
        none = f"no song was finished yet: the same command, with {same}, writes the same"
        tell(f"interrupted; {kept if done else none}")
        raise
    output.finish()
    tell(f"{samples:,} {'song' if samples == 1 else 'songs'} in {run.output}")


def _songs(
    model: Model,
    run: _Run,
    options: SongOptions,
    indexes: Sequence[int],
    *,
    show_progress: bool,
    in_order: bool = True,
) -> Generator[Song]:
    """Yield the songs; show how they get on, and say at the end how many were cut."""
    cut = 0
    songs = model.songs(indexes, threads=run.threads, in_order=in_order, **options)
    shown = show_progress and len(indexes) > 1 and sys.stderr.isatty()
    bar = typer.progressbar(
        length=len(indexes), label="songs", show_eta=False, show_pos=True, file=sys.stderr
    )
    with closing(songs), bar if shown else nullcontext():
        for song in songs:
            yield song
            cut += song.finished == "length"
            if shown:
                bar.update(1)
    if cut:
        what = "the song was" if len(indexes) == 1 else f"{cut:,} of {len(indexes):,} songs were"
        tell(f"{what} cut at --max-length")


def _compile() -> None:
    """Compile the loop if this machine has not done so before; say why that takes a while."""
    from lyricgen.engine import machine_code

    if machine_code.is_kept():
        return
    tell("compiling for this CPU, which takes some seconds the first time")
    with importing():
        machine_code.advance()
    if not machine_code.is_kept():
        folders = " or ".join(map(str, machine_code.folders()))
        tell(f"the compiled code could not be kept in {folders}; the next run compiles again")
