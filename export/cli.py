"""`python -m export`: a session → exported_models/session_N.onnx, proved before it takes its name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lyricgen import command

EXPORTED_FOLDER = Path("exported_models")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def export(
    session: Annotated[
        int, typer.Option(help="Number of the training session: the N of checkpoints/session_N.")
    ],
) -> None:
    """Turn a training session into one file that lyricgen-run reads.

    The file holds the weights that scored best on the held-out songs. It is compared with PyTorch and
    measured on those songs before it is written.

    \b
    Example:
      python -m export --session 3
    """  # noqa: D301 (the backspace keeps typer from joining the lines)
    from export.run import export_session  # torch takes seconds to import: not for --help

    done = export_session(session, EXPORTED_FOLDER)
    quality = done.card.quality
    typer.echo(f"{done.path}")
    typer.echo(
        f"size      {done.size_bytes / 1e6:.1f} MB, {done.card.layers} × {done.card.hidden_size} LSTM, fp32"
    )
    typer.echo(
        f"parity    logits differ from PyTorch by at most {quality.parity_logits:.0e}, the final state by "
        f"{quality.parity_state:.0e}, over {quality.parity_steps} carried steps"
    )
    if quality.held_out_bits_per_character is None:
        typer.echo("held out  not measured: the session came without its held-out songs")
    else:
        typer.echo(
            f"held out  {quality.held_out_bits_per_character:.4f} bits per character over "
            f"{quality.held_out_symbols:,} symbols, measured through this file"
        )
    typer.echo(f"next: lyricgen-run --model {done.path} --temperature {done.card.suggested_temperature:g}")


def main() -> None:
    """Entry point of `python -m export`."""
    sys.exit(command.run(app, "python -m export"))
