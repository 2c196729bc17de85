"""`python -m export`: a session → exported_models/session_N.onnx, proved before it takes its name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lyricgen import command
from lyricgen.contract import FP32, INT8, PRECISIONS
from lyricgen.errors import OptionError

if TYPE_CHECKING:
    from export.held_out import Advanced
    from export.run import Exported
    from lyricgen.card import HeldOut

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def export(
    session: Annotated[
        int, typer.Option(help="Number of the training session: the N of checkpoints/session_N.")
    ],
    precision: Annotated[
        str,
        typer.Option(help=f"{INT8}: a quarter of the size, more than twice as fast. {FP32}: as trained."),
    ] = INT8,
    held_out: Annotated[
        Path | None,
        typer.Option(
            help="Measure on the songs of this file or folder, none of which it was trained on.",
            show_default="those that the session held out",
        ),
    ] = None,
) -> None:
    """Turn a training session into one file that lyricgen-run reads.

    The file holds the weights that scored best on the held-out songs. Before it takes its name, it is
    compared with PyTorch and measured on songs that it was not trained on.

    \b
    Examples:
      python -m export --session 3
      python -m export --session 3 --precision fp32
      python -m export --session 3 --held-out other_songs.csv
    """  # noqa: D301 (the backspace keeps typer from joining the lines)
    if precision not in PRECISIONS:
        raise OptionError("precision", precision, f"one of {', '.join(PRECISIONS)}")
    from export.run import Order, export_session  # torch takes seconds to import: not for --help

    with _progress() as advanced:
        done = export_session(Order(session, precision, held_out), advanced)
    if done.is_training:
        typer.echo(f"session {session} is still being trained: these are its best weights so far", err=True)
    typer.echo(_report(done))


def main() -> None:
    """Entry point of `python -m export`."""
    sys.exit(command.run(app, "python -m export"))


@contextmanager
def _progress() -> Iterator[Advanced]:
    """Show on stderr how the measuring goes on, if anybody looks."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("measuring")
        done: dict[str, int] = {}

        def advanced(name: str, symbols: int, total: int) -> None:
            done[name] = done.get(name, 0) + symbols
            bar.update(task, description=f"measuring {name}", completed=done[name], total=total)

        yield advanced


def _report(done: Exported) -> str:
    """Return what was proved; all of it but the speed and the other file's size stands in the file, too."""
    card = done.card
    own = card.precision
    other = next(precision for precision in PRECISIONS if precision != own)
    sizes = {precision: f"{size / 1e6:.1f} MB" for precision, size in done.size_bytes.items()}
    speeds = {precision: f"{seconds * 1e6:.0f} µs" for precision, seconds in done.step_seconds.items()}
    song, parity = card.golden_song, card.parity
    lines = [
        f"{done.path}",
        f"network      {card.layers} × {card.hidden_size} LSTM in {own}, {done.nodes} nodes",
        f"size         {sizes[own]}; in {other} {sizes[other]}",
        f"speed        {speeds[own]} per character here; in {other} {speeds[other]}",
        f"parity       with PyTorch over {parity.steps:,} steps of random characters:",
        f"             the same likeliest character in {parity.same_argmax:.2%},",
        f"             divergence {parity.divergence:.1e} bits per step,",
        f"             logits within {parity.logits:.1e}, final state within {parity.state:.1e}",
        *_held_out_lines(card.held_out, own, done.coverage),
        f"golden song  of seed {song.seed}: {song.characters:,} characters, sha256 {song.sha256[:16]}…",
        f"next: lyricgen-run --model {done.path} --temperature {card.suggested_temperature:g}",
    ]
    return "\n".join(lines)


def _held_out_lines(held_out: HeldOut | None, precision: str, coverage: float) -> list[str]:
    if held_out is None:
        return ["held out     not measured: the session came without its held-out songs"]
    bits = {
        precision: held_out.bits_per_character,
        FP32: held_out.fp32_bits_per_character,
        "PyTorch": held_out.pytorch_bits_per_character,
    }
    lines = [
        f"held out     bits per character over {held_out.symbols:,} symbols of {held_out.songs}:",
        "             " + ", ".join(f"{name} {figure:.4f}" for name, figure in bits.items()),
    ]
    if coverage < 1:
        lines.append(f"             without the {1 - coverage:.2%} of their characters that it does not know")
    return lines
