"""`python -m export`: a session becomes exported_models/session_N.onnx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lyricgen.errors import LyricgenError, OptionError
from lyricgen.model_file.contract import FP32, INT8, PRECISIONS
from lyricgen.printable import table
from lyricgen.terminal import command
from lyricgen.terminal.info import megabytes
from lyricgen.terminal.interrupt import RAISE, on_interrupt
from train.session_folders import CHECKPOINTS_FOLDER, session_numbers

if TYPE_CHECKING:
    from export.held_out import OnProgress
    from export.run import Exported

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(context_settings=command.SETTINGS)
def export(
    session: Annotated[
        int | None,
        typer.Option(
            help="Number of the training session: the N of checkpoints/session_N.", show_default="the newest"
        ),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(help=f"{INT8}: small, and fast from a few hundred units up. {FP32}: as trained."),
    ] = INT8,
    held_out: Annotated[
        Path | None,
        typer.Option(
            help="Measure on the songs of this file or folder, none of which it was trained on.",
            show_default="those that the session held out",
            parser=command.path,
            metavar="PATH",
        ),
    ] = None,
    known_lines: Annotated[  # noqa: FBT002 (typer reads the default)
        bool,
        typer.Option(
            "--known-lines",
            help="Let the file know the lines that it read, for --original.",
        ),
    ] = False,
    text_column: Annotated[
        str | None, typer.Option(help="With --held-out: its column of texts.", show_default="as in training")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="With --held-out: its encoding.", show_default="as in training")
    ] = None,
    skip_bad_rows: Annotated[  # noqa: FBT002 (typer reads the default)
        bool, typer.Option("--skip-bad-rows", help="With --held-out: leave out what cannot be read.")
    ] = False,
) -> None:
    """Turn a training session into one file that lyricgen-run reads.

    The file holds the weights that scored best on the held-out songs. It is
    compared with PyTorch, and measured on songs that it was not trained on,
    before it takes its name.

    \b
    Examples:
      python -m export
      python -m export --session 3 --precision fp32
      python -m export --session 3 --known-lines
      python -m export --session 3 --held-out other_songs.csv
    """  # noqa: D301 (the backspace keeps typer from joining the lines)
    if precision not in PRECISIONS:
        raise OptionError("precision", precision, f"one of {', '.join(PRECISIONS)}")
    reading = {"text_column": text_column, "encoding": encoding, "skip_bad_rows": skip_bad_rows or None}
    reading = {option: value for option, value in reading.items() if value is not None}
    if reading and held_out is None:
        option = next(iter(reading))
        raise OptionError(option, reading[option], "used together with --held-out")
    from export.run import ExportRequest, export_session  # torch takes seconds to import: not for --help

    on_interrupt(RAISE)
    number = _newest_session() if session is None else session
    try:
        with _progress_bar() as on_progress:
            request = ExportRequest(number, precision, held_out, reading, known_lines=known_lines)
            done = export_session(request, on_progress)
    except KeyboardInterrupt:
        typer.echo("interrupted: nothing was written", err=True)
        raise
    if done.is_training:
        typer.echo(f"session {number} is still being trained: these are its best weights so far", err=True)
    typer.echo(f"{done.path}\n{table(_facts(done))}\nnext: lyricgen-run --model {done.path}")


def _newest_session() -> int:
    """Return the number of the newest session that has weights, and say which it is."""
    for number in reversed(session_numbers(CHECKPOINTS_FOLDER)):
        if (CHECKPOINTS_FOLDER / f"session_{number}" / "best.safetensors").is_file():
            typer.echo(f"session {number} is the newest with weights", err=True)
            return number
    raise LyricgenError(f"{CHECKPOINTS_FOLDER}: no session there has weights. Train one: python -m train")


def main() -> None:
    """Entry point of `python -m export`."""
    command.run_and_exit(app, "python -m export")


@contextmanager
def _progress_bar() -> Iterator[OnProgress]:
    """Show on stderr how the measuring goes on, if it is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("measuring")
        done: dict[str, int] = {}

        def advance(name: str, total: int, symbols: int) -> None:
            done[name] = done.get(name, 0) + symbols
            bar.update(task, description=f"measuring {name}", completed=done[name], total=total)

        yield advance


def _facts(done: Exported) -> dict[str, str]:
    """Return labels and facts for a reader; only the speed and the other file's size are not in the file."""
    card, parity, song = done.card, done.card.parity, done.card.golden_song
    own, other = sorted(PRECISIONS, key=card.precision.__ne__)
    sizes = {precision: megabytes(size) for precision, size in done.size_bytes.items()}
    speeds = {precision: f"{seconds * 1e6:.0f} µs" for precision, seconds in done.step_seconds.items()}
    songs, bits = done.songs_remark, "not measured: the session came without its held-out songs"
    if report := card.report:
        songs = (
            f"{report.songs:,} at temperature {card.suggested_temperature:g}, the suggested one: "
            f"{report.ended:.1%} end by themselves, {report.known_words:.1%} of words are known, "
            f"{report.copied_lines:.2%} of lines are copied, {report.longest_copied_span} characters at most"
        )
    if held_out := card.held_out:
        bits = (
            f"bits per character over {held_out.symbols:,} symbols of {held_out.songs}: PyTorch "
            f"{held_out.pytorch_bits_per_character:.4f}, {FP32} {held_out.fp32_bits_per_character:.4f}, "
            f"{INT8} {held_out.int8_bits_per_character:.4f}"
        )
        if held_out.coverage < 1:
            bits += f", without the {1 - held_out.coverage:.2%} of their characters that it does not know"
        if done.remark:
            bits += f" ({done.remark})"
    return {
        "network": f"{card.layers} × {card.hidden_size} LSTM in {own}, {done.nodes} nodes",
        "size": f"{sizes[own]}; in {other} {sizes[other]}",
        "speed": f"{speeds[own]} per character here; in {other} {speeds[other]}",
        "parity": f"with PyTorch in float64, over {parity.steps:,} random characters: the same "
        f"likeliest character in {parity.argmax_agreement:.2%}, KL divergence {parity.kl_divergence:.1e} "
        f"bits per step, relative difference at most {parity.max_logit_difference:.1e} in logits, "
        f"{parity.max_state_difference:.1e} in the final state",
        "held out": bits,
        "its songs": songs,
        "golden song": f"of seed {song.seed}: {song.characters:,} characters, sha256 {song.sha256[:16]}…",
        "temperature": f"{card.suggested_temperature:g} is suggested; --temperature changes it",
    }
