"""The picture of a report: what songs are like at each temperature, beside real songs."""

from __future__ import annotations

from train.plot import to_png
from train.report.figures import SongReport

_WIDTH, _HEIGHT = 11.0, 6.5
_COLOURS = ("tab:blue", "tab:orange")
_PANELS = {
    "sound: known, %": {"words": "known_words", "pairs of words": "known_pairs"},
    "new: copied, %": {"lines": "copied_lines", "runs of 8 words": "copied_runs"},
    "new: longest copied span, characters": {
        "median song": "median_copied_span",
        "of all songs": "longest_copied_span",
    },
    "shaped: lines that rhyme, %": {"rhyme": "rhymes", "by chance": "rhymes_by_chance"},
    "shaped: lines repeated, songs ended, %": {
        "repeated lines": "repeated_lines",
        "ended by themselves": "ended",
    },
    "shaped: length": {"median characters": "median_characters"},
}
"""Title of each panel → label of each curve → field of SongFigures."""


def draw_report(report: SongReport) -> bytes:
    """Draw what songs are like at each temperature as a PNG, beside real songs.

    Dashed: held-out songs. The upright line: the suggested temperature.
    """
    from matplotlib.figure import Figure

    temperatures = sorted(report.sweep)
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    panels = figure.subplots(2, 3, sharex=True).flat
    for axes, (title, curves) in zip(panels, _PANELS.items(), strict=True):
        scale = 100 if title.endswith("%") else 1
        for colour, (label, field) in zip(_COLOURS, curves.items(), strict=False):
            values = [scale * getattr(report.sweep[temperature], field) for temperature in temperatures]
            axes.plot(temperatures, values, color=colour, label=label)
            axes.axhline(scale * getattr(report.held_out, field), color=colour, linestyle="--", alpha=0.6)
        axes.axvline(report.suggested_temperature, color="tab:gray", linewidth=1)
        axes.set_title(title, fontsize=10)
        if "known" not in title:
            axes.set_ylim(0, max(axes.get_ylim()[1], 1))  # where all is 0, matplotlib shows the rounding
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.supxlabel("temperature (dashed: held-out songs)", fontsize=10)
    return to_png(figure)
