"""The picture of a report: what songs are like at each temperature, beside real songs."""

from __future__ import annotations

from collections.abc import Callable

from train.plot import to_png
from train.report.figures import SongFigures, SongReport

_WIDTH, _HEIGHT = 11.0, 6.5
_COLOURS = ("tab:blue", "tab:orange", "tab:green")
_PANELS: dict[str, dict[str, Callable[[SongFigures], float]]] = {
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


def draw_report(report: SongReport) -> bytes:
    """Draw what songs are like at each temperature as a PNG, beside real songs.

    Dashed: held-out songs. The upright line: the suggested temperature.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    panels = figure.subplots(2, 3, sharex=True).flat
    for axes, (title, curves) in zip(panels, _PANELS.items(), strict=True):
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
    return to_png(figure)
