"""`lyricgen-run`: write songs in a terminal.

Songs and only songs go to stdout; the seed and everything else to stderr. What is heavy to import
is imported once the options are known to be good, so that `--help` answers at once.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence, Set
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from lyricgen import __version__
from lyricgen.errors import ExcludedOptionError, OptionError
from lyricgen.options import MAX_INDEX, SongOptions, Threads, checked, definitions, plan_song
from lyricgen.printable import printable, table
from lyricgen.schema import Range
from lyricgen.terminal import command
from lyricgen.terminal.command import tell
from lyricgen.terminal.info import describe, to_json
from lyricgen.terminal.interrupt import RAISE, on_interrupt
from lyricgen.terminal.output import JSONL, Output, open_output, recorded_seed, to_stream
from lyricgen.terminal.song_options import (
    JSON,
    MODEL,
    TEXT,
    THREADS,
    compile_loop,
    open_model,
    same_file,
    tell_of_unread,
    text_of,
    with_song_options,
)

if TYPE_CHECKING:
    from lyricgen.engine.slots import SongPlan
    from lyricgen.generator import Model, Song

app = typer.Typer(pretty_exceptions_enable=False)


@dataclass(frozen=True)
class _Run:
    """Which songs to write, and how and where to."""

    model_path: Path | None
    options: SongOptions
    draft_path: str | None
    """Where the draft among the options was read."""
    indexes: range
    best: int | None
    """How many songs to show; None: all."""
    threads: int | None
    output_format: str
    output: str | None


def run(
    context: typer.Context,
    *,
    samples: Annotated[int, typer.Option(help="How many songs.")] = 1,
    best: Annotated[
        int | None, typer.Option(help="Show so many of them, the best first.", show_default="all")
    ] = None,
    first: Annotated[
        int, typer.Option(help="Index of the first song; the seed's songs are numbered from 0.")
    ] = 0,
    threads: THREADS = None,
    model: MODEL = None,
    output: Annotated[
        str | None,  # a Path would lose the slash at its end
        typer.Option(
            help="Write the songs to this file or, if it ends with a slash, each to a file in this folder. "
            "After an interruption, the same command goes on.",
            metavar="PATH",
        ),
    ] = None,
    output_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="jsonl has a line for each song, with its figures. json is for --info.",
            metavar="text|jsonl|json",
            autocompletion=lambda: [TEXT, JSONL, JSON],
        ),
    ] = TEXT,
    info: Annotated[
        bool, typer.Option("--info", help="Show what the model is and where it comes from, and exit.")
    ] = False,
    forms: Annotated[
        bool, typer.Option("--forms", help="Show the forms that have a name, and exit.")
    ] = False,
    self_test: Annotated[
        bool,
        typer.Option("--self-test", help="Check that the model writes here what it wrote when it was made."),
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    **options: Any,  # noqa: ANN401 (those of `SongOptions`)
) -> None:
    """Write songs: lines that rhyme and scan, chosen among many, or freely, character by character.

    \b
    Examples:
      lyricgen-run
      lyricgen-run --form ballad --title "The Lantern" --seed 7
      lyricgen-run --rhyme ABAB --syllables 8,6,8,6 --stanzas 3
      lyricgen-run --form free --temperature 0.75 --prompt "The moon is low"
      lyricgen-run --draft draft.txt
      lyricgen-run --draft song.txt --rewrite 3,5-7
      lyricgen-run --samples 20 --best 3 --about rain
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
        opened, shown = open_model(model), to_json if output_format == JSON else describe
        typer.echo(shown(opened.card, str(opened.path), opened.size_bytes))
        return
    if forms:
        _only(context, "--forms", {"forms"})
        typer.echo(_named_forms())
        return
    if self_test:
        _only(context, "--self-test", {"self_test", "model"})
        from lyricgen.golden import self_test as test

        opened = open_model(model)
        compile_loop()
        song = test(opened)
        typer.echo(f"self-test passed: the golden song, {song.characters:,} characters, is the same here")
        typer.echo(opened.runs_on)
        return
    for name in ("prompt", "title"):
        options[name] = options[name] and options[name].replace("\\n", "\n")
    options["form"] = options["form"] and _form_text(options["form"])
    draft_path, options["draft"] = options["draft"], options["draft"] and text_of(options["draft"], "draft")
    checked(Annotated[int, Range(1, sys.maxsize)], samples, "samples")
    checked(Annotated[int, Range(0, MAX_INDEX + 1 - samples)], first, "first")
    checked(Threads, threads, "threads")
    checked(Annotated[int | None, Range(1, samples)], best, "best")
    if best is not None and output is not None:
        raise ExcludedOptionError("best", best, "--output, which keeps every song; write > songs.txt instead")
    if draft_path is not None and output is not None and same_file(draft_path, output):
        raise OptionError("output", output, "another file than the draft")
    indexes = range(first, first + samples)
    _write(
        _Run(model, cast("SongOptions", options), draft_path, indexes, best, threads, output_format, output)
    )


app.command(context_settings=command.SETTINGS)(with_song_options(run, definitions()))


def main() -> None:
    """Entry point of `lyricgen-run`."""
    command.run_and_exit(app, "lyricgen-run")


def _only(context: typer.Context, option: str, sensible: Set[str]) -> None:
    """Refuse what `option`, which writes no song, would ignore."""
    for name, value in context.params.items():
        source = context.get_parameter_source(name)
        if name not in sensible and source is not None and source.name == "COMMANDLINE":
            shown = {"output_format": "format"}.get(name, name)
            raise ExcludedOptionError(shown, value, f"{option}, which writes no song")


def _check_format(output_format: str, *, info: bool) -> None:
    if output_format not in (TEXT, JSONL, JSON):
        raise OptionError("format", output_format, f"{TEXT}, {JSONL} or, with --info, {JSON}")
    if output_format == JSON and not info:
        raise OptionError("format", output_format, f"{TEXT} or {JSONL}, unless --info is given")
    if output_format == JSONL and info:
        raise OptionError("format", output_format, f"{TEXT} or {JSON} where --info is given")


def _named_forms() -> str:
    """Return the forms that have a name, each with its text."""
    from lyricgen.song.form import NAMED

    return table({"auto": "a shape that songs of the corpus have", "free": "none", **NAMED})


def _form_text(form: str) -> str:
    """Return what a file says if a form is the name of one, else the form."""
    path, is_file = Path(form), False
    with suppress(OSError, ValueError):  # no name that a file can have
        is_file = path.is_file()
    if not is_file and path.suffix == ".txt":
        raise OptionError("form", form, "the name of a file that is there")
    if not is_file:
        return form
    text = text_of(form, "form")
    if not text.strip():
        raise OptionError("form", form, "a file that is not empty")
    return text


def _write(run: _Run) -> None:
    if run.output in ("", "-"):
        expected = "the name of a file or, with a slash at its end, of a folder; left out, songs go to stdout"
        raise OptionError("output", run.output, expected)
    model, options = open_model(run.model_path), run.options
    path = None if run.output is None else Path(run.output)
    if options["seed"] is None and path is not None:
        options = {**options, "seed": recorded_seed(path)}
    plan = plan_song(model.card, options)  # errors come before anything is made or shown
    opened: AbstractContextManager[Output]
    if run.output is None:
        opened = nullcontext(to_stream(sys.stdout, run.output_format, run.indexes))
    else:
        request = {**options, **plan.numbers, "model": model.card.tensors_sha256}
        opened = open_output(run.output, run.output_format, request, run.indexes)
    compile_loop()
    on_interrupt(RAISE)
    with opened as output:
        name = _style_of_one(model, run, plan)
        tell(f"seed {plan.seed}" + (f", style {printable(name)}" if name else ""))
        tell_of_unread(model, run.options["draft"])
        prompt, title = run.options["prompt"], run.options["title"] or ""
        if model.card.title_line and prompt.strip() and "\n" not in prompt and not title.strip():
            tell("the prompt begins the title; with --title, it begins the lyrics")
        if path is not None and path.is_file() and not output.in_order:
            tell(f"{printable(str(path))} is there already; its songs will be replaced")
        if run.best is not None:
            _show_best(model, run, plan, output)
        elif path is None and run.output_format == TEXT and len(run.indexes) == 1:
            _stream(model, run, plan)
        else:
            _write_songs(model, run, plan, output)
    if run.output is not None:
        many = "song" if len(run.indexes) == 1 else "songs"
        tell(f"{len(run.indexes):,} {many} in {printable(run.output)}")


def _style_of_one(model: Model, run: _Run, plan: SongPlan) -> str:
    """Return the style of the only song of a run, if the model suggests it; else ""."""
    token = plan.style(run.indexes[0])
    is_suggested = run.options["style"] is None and len(run.indexes) == 1
    return model.card.vocabulary.style_name(token) if is_suggested and token is not None else ""


def _stream(model: Model, run: _Run, plan: SongPlan) -> None:
    """Show one song as it is written; in a terminal, say how to get it again."""
    from lyricgen.generator import SongStream

    stream = SongStream(model.file, plan, run.indexes[0], run.threads)
    for character in stream:
        print(character, end="", flush=character == "\n")
    print(flush=True)
    if stream.song is not None:
        _tell_of_shortfalls([stream.song], 1)
    if run.options["seed"] is None and sys.stdout.isatty() and sys.stderr.isatty():
        tell(
            f"\nto write this song again:\n{_again(run, plan)}\nto keep twenty: --samples 20 --output songs/"
        )


def _write_songs(model: Model, run: _Run, plan: SongPlan, output: Output) -> None:
    """Write the songs that are missing; show how they get on, and say at the end how many were cut."""
    from lyricgen.generator import write_songs

    samples, missing = len(run.indexes), len(output.missing)
    short: list[Song] = []
    done = samples - missing
    if done:
        more = "" if missing else f"; --first {run.indexes.stop} writes more songs of this seed"
        tell(f"{done:,} of {samples:,} songs are there already{more}")
    songs_are_seen = run.output is None and run.best is None and sys.stdout.isatty()
    shown = missing > 1 and sys.stderr.isatty() and not songs_are_seen
    bar = typer.progressbar(length=missing, label="songs", show_eta=False, show_pos=True, file=sys.stderr)
    songs = write_songs(model.file, plan, output.missing, threads=run.threads, in_order=output.in_order)
    try:
        with closing(songs), bar if shown else nullcontext():
            for song in songs:
                output.add(song)
                done += 1
                short += [song] if _falls_short(song) else []
                if shown:
                    bar.update(1)
    except KeyboardInterrupt:
        same = f"the same command, with --seed {plan.seed},"
        said = f"{done:,} of {samples:,} songs are kept: {same} goes on"
        if run.output is None:
            said = f"{done:,} of {samples:,} songs were written (with --output, no finished song is lost, "
            said += "and the same command goes on)"
            if run.best is not None:
                said = f"{done:,} of {samples:,} songs were written, and none is shown"
        elif not done:
            said = f"no song was finished yet: {same} writes the same"
        tell(f"interrupted; {said}")
        raise
    if run.best is None:
        _tell_of_shortfalls(short, missing)


def _show_best(model: Model, run: _Run, plan: SongPlan, output: Output) -> None:
    """Write all songs, and show the best; say how to get each again."""
    from lyricgen.song.choice import best_songs

    written: list[Song] = []
    _write_songs(model, run, plan, Output(run.indexes, written.append))
    chosen = best_songs(written, run.best or 0)
    for song in chosen:
        output.add(song)
        tell(f"song {song.index} of seed {song.seed}: --seed {song.seed} --first {song.index}")
    _tell_of_shortfalls([song for song in chosen if _falls_short(song)], len(chosen))


def _falls_short(song: Song) -> bool:
    return song.finished != "eos" or not all(line.rhymes and line.fits for line in song.lines)


_LINES_NAMED = 8


def _tell_of_shortfalls(songs: Sequence[Song], written: int) -> None:
    """Say how many of some songs were cut, and how many lines do not do what their form asks."""
    if cut := sum(song.finished == "length" for song in songs):
        tell(
            f"{'the song was' if written == 1 else f'{cut:,} of {written:,} songs were'} cut at --max-length"
        )
    if endless := sum(song.finished == "endless" for song in songs):
        stop = "the song stops" if written == 1 else f"{endless:,} of {written:,} songs stop"
        tell(f"{stop} before its form does: the model came to no line end")
    lines = [(number, line) for song in songs for number, line in enumerate(song.lines, 1)]
    unrhymed = [number for number, line in lines if not line.rhymes]
    unfit = [number for number, line in lines if not line.fits]
    for numbers, what in ((unrhymed, "rhyme as asked"), (unfit, "have the syllables asked")):
        if numbers:
            which = f" ({', '.join(map(str, numbers[:_LINES_NAMED]))}{', …' * (len(numbers) > _LINES_NAMED)})"
            verb = "line does" if len(numbers) == 1 else "lines do"
            tell(f"{len(numbers):,} {verb} not {what}{which if written == 1 else ''}")


def _again(run: _Run, plan: SongPlan) -> str:
    """Return the command that writes the same song, in lines that can be copied to a shell."""
    words = ["lyricgen-run"]
    if run.model_path is not None:
        words.append(f"--model {shlex.quote(str(run.model_path))}")
    for name, (_, option) in definitions().items():
        value = plan.numbers.get(name, run.draft_path if name == "draft" else run.options.get(name))
        is_asked = value != option.default and (value != "" or name == "style")
        if name in ("seed", "temperature") or is_asked:
            typed = shlex.quote(str(value).replace("\n", "\\n"))
            words.append(f"--{name.replace('_', '-')}" + ("" if value is True else f" {typed}"))
    if run.indexes[0]:
        words.append(f"--first {run.indexes[0]}")
    lines = [words[0]]
    for word in map(printable, words[1:]):
        if len(lines[-1]) + len(word) > 75:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += " " + word
    return "\n".join(lines)
