"""A report on a model's songs as tables, for a terminal and as a page in Markdown."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table

from lyricgen.printable import WIDTH, printable
from train.corpus.facts import counted
from train.report.figures import SongReport
from train.report.suggestion import suggest

MIN_HELD_OUT_SONGS = 20
"""With fewer held-out songs, the suggested temperature depends much on chance."""

Cell = Callable[[Any], str]
"""Makes the cell of a table of figures."""


def _percent(name: str) -> Cell:
    return lambda figures: f"{100 * attrgetter(name)(figures):.1f}"


def _whole(name: str) -> Cell:
    return lambda figures: f"{attrgetter(name)(figures):,.0f}"


COLUMNS: tuple[tuple[str, str, Cell], ...] = (
    ("end", "end by themselves, %", _percent("ended")),
    ("length", "median characters", _whole("median_characters")),
    ("words", "known words, %", _percent("known_words")),
    ("pairs", "known pairs of words, %", _percent("known_pairs")),
    ("rhyme", "lines that rhyme, %", _percent("rhymes")),
    ("chance", "the same by chance, %", _percent("rhymes_by_chance")),
    ("repeat", "repeated lines, %", _percent("repeated_lines")),
    ("lines", "copied lines, %", _percent("copied_lines")),
    ("runs", "copied runs of 8 words, %", _percent("copied_runs")),
    ("span", "longest copied span, median characters", _whole("median_copied_span")),
    ("most", "longest copied span of all", _whole("longest_copied_span")),
)
"""Columns for each temperature: heading in a terminal, heading in the page, cell."""

SHAPE: tuple[tuple[str, Cell], ...] = (
    ("songs", _whole("songs")),
    ("end by themselves, %", _percent("ended")),
    ("characters, median", _whole("median_characters")),
    ("lines, median", _whole("median_lines")),
    ("characters of a line, median", _whole("median_line_characters")),
    ("lines of a stanza, median", _whole("median_stanza_lines")),
    ("characters of a title, median", _whole("median_title_characters")),
    *((long, cell) for _, long, cell in COLUMNS[2:]),
    ("songs of 100 characters or more copied whole", _whole("whole_copies")),
)
"""Rows of the table of songs at the suggested temperature."""

STYLES: tuple[tuple[str, Cell], ...] = (
    ("recognised, %", _percent("recognised")),
    ("real ones, %", lambda style: _percent("held_out_recognised")(style) if style.held_out_songs else ""),
    ("characters", _whole("figures.median_characters")),
    ("lines of a stanza", _whole("figures.median_stanza_lines")),
    ("characters of a line", _whole("figures.median_line_characters")),
    ("rhyme, %", _percent("figures.rhymes")),
    ("repeated lines, %", _percent("figures.repeated_lines")),
)
"""Columns for each style."""

LEGEND = (
    "end: songs that end by themselves, %; words, pairs: known, %; rhyme: lines, %, and by chance; repeat: "
    "lines that their song had before, %; lines, runs (of 8 words): copied, %; span: longest copied span in "
    "characters, median over songs; most: the longest of all songs"
)

RECOGNISED = (
    "Recognised by a naive Bayes classifier that learned the words of each style from the songs that the "
    "model was trained on; real ones are held-out songs."
)


def rendered(*parts: RenderableType) -> str:
    """Return what rich makes of texts and tables, at most 80 columns wide, without colours."""
    console = Console(
        file=io.StringIO(),
        width=WIDTH,
        color_system=None,
        markup=False,
        emoji=False,
        highlight=False,
    )
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def to_terminal(report: SongReport) -> str:
    """Return the table of temperatures, what was found at the suggested one, and why it is suggested."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    for short, _, _ in COLUMNS:
        table.add_column(short, justify="right")
    for cells in _sweep_rows(report):
        table.add_row(*cells)
    check, real = report.check, report.held_out
    found = ", ".join(
        (
            f"{check.songs:,} songs there: {check.ended:.1%} end by themselves",
            f"{check.known_pairs:.1%} of pairs are known (held out: {real.known_pairs:.1%})",
            f"median {check.median_characters:,.0f} characters (held out: {real.median_characters:,.0f})",
            f"longest copied span {check.longest_copied_span}",
            f"whole copies {check.whole_copies}",
        )
    )
    parts = [f"suggested temperature: {report.suggested_temperature:g}", _reason(report), found]
    parts += [*_cautions(report), *_not_compared(report)]
    return rendered(table, "", LEGEND, "", *map(printable, parts))


def to_markdown(report: SongReport) -> str:
    """Return the report as a page: what was measured, the tables, and why a temperature is suggested."""
    check, real = report.check, report.held_out
    songs, at = next(iter(report.sweep.values())).songs, f"{report.suggested_temperature:g}"
    written = f"{songs} songs at each temperature (seed {report.seed})"
    unseen = f"{counted(real.songs, 'real song')} that the model has never seen"
    compared = f"{written}, and {unseen}; all compared with those that it was trained on."
    worn = "At lower temperatures, songs are more worn, at higher ones more garbled."
    headings = ["temperature", *(long for _, long, _ in COLUMNS)]
    parts = [
        "# What the songs are like",
        " ".join([compared, *_not_compared(report)]),
        _markdown_table(headings, _sweep_rows(report)),
        "![the same as a picture](report.png)",
        f"**Suggested temperature: {at}**. {_reason(report)} {worn}",
        *(f"{caution[0].upper()}{caution[1:]}." for caution in _cautions(report)),
        f"## {check.songs:,} songs at temperature {at} (seed {report.seed + 1})",
        _markdown_table(["", "songs", "held out"], ([name, cell(check), cell(real)] for name, cell in SHAPE)),
        f"The longest copied span, {check.longest_copied_span} characters:",
        "\n".join("> " + line for line in check.longest_copied_text.split("\n")),
    ]
    if report.styles:
        rows = ([name, *(cell(style) for _, cell in STYLES)] for name, style in report.styles.items())
        parts += [
            f"## Styles, at temperature {at} (seed {report.seed})",
            RECOGNISED,
            _markdown_table(["style", *(name for name, _ in STYLES)], rows),
        ]
    return "\n\n".join(parts) + "\n"


def _sweep_rows(report: SongReport) -> list[list[str]]:
    rows = [(f"{temperature:g}", figures) for temperature, figures in sorted(report.sweep.items())]
    rows.append(("held out", report.held_out))
    return [[name, *(cell(figures) for _, _, cell in COLUMNS)] for name, figures in rows]


def _reason(report: SongReport) -> str:
    return suggest(report.sweep, report.held_out).reason


def _cautions(report: SongReport) -> list[str]:
    """Return a warning if few songs were held out."""
    if report.held_out.songs >= MIN_HELD_OUT_SONGS:
        return []
    songs = counted(report.held_out.songs, "held-out song")
    return [f"beware: compared with {songs} only; try other temperatures, too"]


def _not_compared(report: SongReport) -> list[str]:
    """Return a sentence about the songs in which no copies were looked for, if there are any."""
    sentence = (
        "Copies were looked for in the session's own songs, not in those of what it was fine-tuned from "
        f"({report.base_model})."
    )
    return [sentence] if report.base_model else []


def _markdown_table(headings: list[str], rows: Iterable[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in cells] for cells in lines)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)
