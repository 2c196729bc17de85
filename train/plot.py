"""The picture of a training run: `loss.png`, drawn anew at each validation."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from train.callbacks import Validation

_WIDTH, _HEIGHT, _DOTS_PER_INCH = 8.0, 5.5, 120


def draw_losses(rows: Sequence[Validation], title: str) -> bytes:
    """Draw all validations so far as a PNG: bits per character above, learning rate below.

    Both are shown against the characters seen. The best validation is marked.
    """
    import pandas as pd  # half a second, with matplotlib: not for --help, nor for export
    from matplotlib.figure import Figure

    table = pd.DataFrame(rows)
    millions = table["characters"] / 1e6
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    for part, colour, label in (("training", "tab:blue", "training"), ("held_out", "tab:orange", "held out")):
        column = table[f"{part}_bits_per_character"]
        losses.plot(millions, column, color=colour, label=label, marker="." if len(table) < 30 else "")
    held_out = table["held_out_bits_per_character"]
    best = held_out.idxmin()
    losses.plot(millions[best], held_out[best], "o", color="tab:red", label=f"best: {held_out[best]:.4f}")
    if held_out.max() > held_out.min() + 2:  # the first minutes would leave no room for the rest
        losses.set_ylim(top=held_out.min() + 2)
    losses.set_ylabel("bits per character")
    losses.legend()
    losses.set_title(title, fontsize=10, parse_math=False)
    rates.plot(millions, table["learning_rate"], color="tab:gray", marker="." if len(table) == 1 else "")
    rates.set_ylabel("learning rate")
    rates.set_ylim(bottom=0)
    rates.set_xlabel("characters seen (millions)")
    for axes in (losses, rates):
        axes.grid(alpha=0.3)
    return to_png(figure)


def to_png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    image = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the font may lack a character of the title
        figure.savefig(image, format="png", dpi=_DOTS_PER_INCH)
    return image.getvalue()
