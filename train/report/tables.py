"""A report on a model's songs as tables, for a terminal and as a page."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping

from train.corpus.facts import counted
from train.report.figures import Figures, Report, StyleFigures
from train.report.suggestion import MOST


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


FEW_SONGS = 20
"""With fewer held-out songs, chance decides much of what the written ones are compared with."""

Column = tuple[str, str, Callable[[Figures], str]]

COLUMNS: tuple[Column, ...] = (
    ("end", "end by themselves, %", lambda f: _percent(f.ended)),
    ("length", "median characters", lambda f: _whole(f.median_characters)),
    ("words", "known words, %", lambda f: _percent(f.known_words)),
    ("pairs", "known pairs of words, %", lambda f: _percent(f.known_pairs)),
    ("rhyme", "lines that rhyme, %", lambda f: _percent(f.rhymes)),
    ("chance", "the same by chance, %", lambda f: _percent(f.rhymes_by_chance)),
    ("repeat", "repeated lines, %", lambda f: _percent(f.repeated_lines)),
    ("lines", "copied lines, %", lambda f: _percent(f.copied_lines)),
    ("runs", "copied runs of 8 words, %", lambda f: _percent(f.copied_runs)),
    ("span", "longest copied span, median characters", lambda f: _whole(f.median_copied_span)),
    ("most", "longest copied span of all", lambda f: _whole(f.longest_copied_span)),
)
"""Of the tables: a short name, a long one, and what stands in it."""


def _rows(report: Report) -> list[tuple[str, Figures]]:
    rows = [(f"{temperature:g}", figures) for temperature, figures in sorted(report.sweep.items())]
    return [*rows, ("held out", report.held_out)]


def to_terminal(report: Report) -> str:
    """Return the table of temperatures, 80 columns wide, and what it comes to."""
    shorts = [short for short, _, _ in COLUMNS]
    table = [("", shorts)]
    table += [(name, [cell(figures) for _, _, cell in COLUMNS]) for name, figures in _rows(report)]
    widths = [max(6, len(short) + 1) for short in shorts]
    lines = [
        f"{name:9}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        for name, cells in table
    ]
    check, real = report.check, report.held_out
    lines += [
        "",
        "end: by themselves, %; words, pairs: known, %; rhyme: lines, %, and by chance;",
        "repeat: lines their song had before, %; lines, runs (of 8 words): copied, %;",
        "span: longest copied one in characters, median over songs; most: of all songs",
        "",
        f"suggested temperature: {report.suggested_temperature:g}",
        f"{check.songs:,} songs there: {check.ended:.1%} end by themselves,",
        f"median {check.median_characters:,.0f} characters (held out: {real.median_characters:,.0f}),",
        f"longest copied span {check.longest_copied_span}, whole copies {check.whole_copies}",
        *([f"beware: {_caution(report)}"] if _caution(report) else []),
        *(textwrap.wrap(_parent(report), 80) if report.base_model else []),
    ]
    return "\n".join(lines)


def to_markdown(report: Report) -> str:
    """Return the report as a page: what was measured, the tables, what it comes to."""
    check, real = report.check, report.held_out
    songs = next(iter(report.sweep.values())).songs
    at = f"{report.suggested_temperature:g}"
    shape: list[tuple[str, Callable[[Figures], str]]] = [
        ("songs", lambda f: f"{f.songs:,}"),
        ("end by themselves, %", lambda f: _percent(f.ended)),
        ("characters, median", lambda f: _whole(f.median_characters)),
        ("lines, median", lambda f: _whole(f.median_lines)),
        ("characters of a line, median", lambda f: _whole(f.median_line_characters)),
        ("lines of a stanza, median", lambda f: _whole(f.median_stanza_lines)),
        ("characters of a title, median", lambda f: _whole(f.median_title_characters)),
        *((long, cell) for _, long, cell in COLUMNS[2:]),
        ("songs of 100 characters or more copied whole", lambda f: str(f.whole_copies)),
    ]
    written = f"{songs} songs at each temperature (seed {report.seed})"
    unseen = f"{counted(real.songs, 'real song')} that the model has never seen"
    compared = f"{written}, and {unseen}; all compared with those that it was trained on."
    meaning = f"**Suggested temperature: {at}**, where songs put words side by side that are known as often"
    ending = f"Where fewer than {MOST:.0%} of songs found an end, the next temperature at which more did."
    parts = [
        "# What the songs are like",
        f"{compared} {_parent(report)}".rstrip(),
        _table(
            ["temperature", *(long for _, long, _ in COLUMNS)],
            [[name, *(cell(figures) for _, _, cell in COLUMNS)] for name, figures in _rows(report)],
        ),
        "![the same as a picture](report.png)",
        f"{meaning} as in real songs. Below, they are more worn, above, more garbled. {ending}",
        *([f"Beware: {_caution(report)}."] if _caution(report) else []),
        f"## {check.songs:,} songs at temperature {at} (seed {report.seed + 1})",
        _table(["", "songs", "held out"], [[name, cell(check), cell(real)] for name, cell in shape]),
        f"The longest copied span, {check.longest_copied_span} characters:",
        "\n".join("> " + line for line in check.longest_copied_text.split("\n")),
    ]
    if report.styles:
        parts += [f"## Styles, at temperature {at} (seed {report.seed})", _style_table(report.styles)]
    return "\n\n".join(parts) + "\n"


def _parent(report: Report) -> str:
    """Say what was not compared with."""
    if not report.base_model:
        return ""
    return (
        "Copies were looked for in the session's own songs, not in those of what it was fine-tuned from "
        f"({report.base_model})."
    )


def _caution(report: Report) -> str:
    """Say whether the suggestion stands on little; '' if it does not."""
    songs = report.held_out.songs
    if songs >= FEW_SONGS:
        return ""
    return f"compared with {counted(songs, 'held-out song')} only; try other temperatures, too"


def _style_table(styles: Mapping[str, StyleFigures]) -> str:
    head = [
        "style",
        "recognised, %",
        "real ones, %",
        "characters",
        "lines of a stanza",
        "characters of a line",
    ]
    head += ["rhyme, %", "repeated lines, %"]
    rows = [
        [
            name,
            _percent(style.recognised),
            _percent(style.held_out_recognised) if style.held_out_songs else "",
            _whole(style.figures.median_characters),
            _whole(style.figures.median_stanza_lines),
            _whole(style.figures.median_line_characters),
            _percent(style.figures.rhymes),
            _percent(style.figures.repeated_lines),
        ]
        for name, style in styles.items()
    ]
    told = (
        "Recognised by a naive Bayes classifier that learned the words of each style from the songs that "
        "the model was trained on; real ones are held-out songs."
    )
    return f"{told}\n\n{_table(head, rows)}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |" for cells in lines
    )
