"""Pictures: of a training run (`loss.png`, drawn anew at each validation), of a report on songs."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from train.report.figures import SongFigures, SongReport

_WIDTH, _HEIGHT, _DOTS_PER_INCH = 8.0, 5.5, 120


def draw_losses(rows: list[dict[str, float]], title: str) -> bytes:
    """Draw the lines of metrics.csv as a PNG: bits per character above, learning rate below.

    Both are shown against the characters seen. The best validation is marked.
    """
    import pandas as pd  # half a second, with matplotlib: not for --help, nor for export
    from matplotlib.figure import Figure

    table = pd.DataFrame(rows)
    millions = table["characters"] / 1e6
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    _draw_bits(losses, table, millions)
    losses.set_title(title, fontsize=10, parse_math=False)
    rates.plot(millions, table["learning_rate"], color="tab:gray", marker="." if len(table) == 1 else "")
    rates.set_ylabel("learning rate")
    rates.set_ylim(bottom=0)
    rates.set_xlabel("characters seen (millions)")
    for axes in (losses, rates):
        axes.grid(alpha=0.3)
    return _png(figure)


def draw_report(report: SongReport) -> bytes:
    """Draw what songs are like at each temperature as a PNG, beside real songs.

    Dashed: held-out songs. The upright line: the suggested temperature.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_REPORT_WIDTH, _REPORT_HEIGHT), layout="constrained")
    panels = figure.subplots(2, 3, sharex=True).flat
    for axes, (title, curves) in zip(panels, _REPORT_PANELS.items(), strict=True):
        for colour, (label, value) in zip(_COLOURS[: len(curves)], curves.items(), strict=True):
            temperatures = sorted(report.sweep)
            axes.plot(temperatures, [value(report.sweep[t]) for t in temperatures], color=colour, label=label)
            axes.axhline(value(report.held_out), color=colour, linestyle="--", alpha=0.6)
        axes.axvline(report.suggested_temperature, color="tab:gray", linewidth=1)
        axes.set_title(title, fontsize=10)
        if "known" not in title:
            axes.set_ylim(0, max(axes.get_ylim()[1], 1))  # where all is 0, matplotlib shows the rounding
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.supxlabel("temperature (dashed: held-out songs)", fontsize=10)
    return _png(figure)


_REPORT_WIDTH, _REPORT_HEIGHT = 11.0, 6.5
_COLOURS = ("tab:blue", "tab:orange", "tab:green")
_REPORT_PANELS: dict[str, dict[str, Callable[[SongFigures], float]]] = {
    "sound: known, %": {
        "words": lambda figures: 100 * figures.known_words,
        "pairs of words": lambda figures: 100 * figures.known_pairs,
    },
    "new: copied, %": {
        "lines": lambda figures: 100 * figures.copied_lines,
        "runs of 8 words": lambda figures: 100 * figures.copied_runs,
    },
    "new: longest copied span, characters": {
        "median song": lambda figures: figures.median_copied_span,
        "of all songs": lambda figures: figures.longest_copied_span,
    },
    "shaped: lines that rhyme, %": {
        "rhyme": lambda figures: 100 * figures.rhymes,
        "by chance": lambda figures: 100 * figures.rhymes_by_chance,
    },
    "shaped: lines repeated, songs ended, %": {
        "repeated lines": lambda figures: 100 * figures.repeated_lines,
        "ended by themselves": lambda figures: 100 * figures.ended,
    },
    "shaped: length": {"median characters": lambda figures: figures.median_characters},
}


def _png(figure: Figure) -> bytes:
    image = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the font may lack a character of the title
        figure.savefig(image, format="png", dpi=_DOTS_PER_INCH)
    return image.getvalue()


def _draw_bits(axes: Axes, table: pd.DataFrame, millions: pd.Series[float]) -> None:
    for part, colour, label in (("training", "tab:blue", "training"), ("held_out", "tab:orange", "held out")):
        column = table[f"{part}_bits_per_character"]
        axes.plot(millions, column, color=colour, label=label, marker="." if len(table) < 30 else "")
    held_out = table["held_out_bits_per_character"]
    best = int(held_out.to_numpy().argmin())
    axes.plot(millions[best], held_out[best], "o", color="tab:red", label=f"best: {held_out[best]:.4f}")
    if held_out.max() > held_out.min() + 2:  # the first minutes would leave no room for the rest
        axes.set_ylim(top=held_out.min() + 2)
    axes.set_ylabel("bits per character")
    axes.legend()
