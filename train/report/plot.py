"""The picture of a report: what songs are like at each temperature, beside real songs."""

from __future__ import annotations

import math

from train.plot import to_png
from train.report.figures import SongReport

_WIDTH, _HEIGHT = 11.0, 6.5
_FORMS_HEIGHT = 3.4
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


_DEPTH_PANELS = {
    "what was asked is met, %": {"rhymes": "rhymes", "syllables": "syllables"},
    "how unlikely: bits per character": {"lines": "bits_per_character"},
    "time: CPU seconds a song": {"seconds": "seconds"},
}
"""The same for songs with a form, fields of FormFigures."""


def draw_forms(report: SongReport) -> bytes:
    """Draw as a PNG what more candidates for a line do to songs with a form."""
    from matplotlib.figure import Figure

    depths = sorted(report.depths)
    figure = Figure(figsize=(_WIDTH, _FORMS_HEIGHT), layout="constrained")
    for axes, (title, curves) in zip(figure.subplots(1, 3).flat, _DEPTH_PANELS.items(), strict=True):
        scale = 100 if title.endswith("%") else 1
        for colour, (label, field) in zip(_COLOURS, curves.items(), strict=False):
            found = (getattr(report.depths[depth], field) for depth in depths)
            values = [math.nan if value is None else scale * value for value in found]
            axes.plot(depths, values, color=colour, label=label, marker=".")
        axes.set_xscale("log", base=2)
        axes.set_xticks(depths, [str(depth) for depth in depths])
        axes.set_title(title, fontsize=10)
        axes.set_ylim(0, None)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.supxlabel("candidates for a line", fontsize=10)
    return to_png(figure)


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
