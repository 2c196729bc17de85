"""A report on a model's songs as tables, for a terminal and as a page in Markdown."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from operator import attrgetter

from rich.console import Console, RenderableType
from rich.table import Table

from lyricgen.printable import WIDTH, printable
from train.corpus.facts import counted
from train.report.figures import FormFigures, SongFigures, SongReport, StyleFigures
from train.report.suggestion import suggest

MIN_HELD_OUT_SONGS = 20
"""With fewer held-out songs, the suggested temperature depends much on chance."""

COLUMNS = (
    ("end", "end by themselves, %", "ended"),
    ("length", "median characters", "median_characters"),
    ("words", "known words, %", "known_words"),
    ("pairs", "known pairs of words, %", "known_pairs"),
    ("rhyme", "lines that rhyme, %", "rhymes"),
    ("chance", "the same by chance, %", "rhymes_by_chance"),
    ("repeat", "repeated lines, %", "repeated_lines"),
    ("lines", "copied lines, %", "copied_lines"),
    ("runs", "copied runs of 8 words, %", "copied_runs"),
    ("span", "longest copied span, median characters", "median_copied_span"),
    ("most", "longest copied span of all", "longest_copied_span"),
)
"""Columns for each temperature: heading in a terminal, heading in the page, field of SongFigures."""
SHAPE = {
    "songs": "songs",
    "end by themselves, %": "ended",
    "characters, median": "median_characters",
    "lines, median": "median_lines",
    "characters of a line, median": "median_line_characters",
    "lines of a stanza, median": "median_stanza_lines",
    "characters of a title, median": "median_title_characters",
    **{long: field for _, long, field in COLUMNS[2:]},
    "songs of 100 characters or more copied whole": "whole_copies",
}
"""Rows of the table of songs at the suggested temperature: heading → field of SongFigures."""
STYLES = {
    "recognised, %": "recognised",
    "real ones, %": "held_out_recognised",
    "characters": "figures.median_characters",
    "lines of a stanza": "figures.median_stanza_lines",
    "characters of a line": "figures.median_line_characters",
    "rhyme, %": "figures.rhymes",
    "repeated lines, %": "figures.repeated_lines",
    "copied lines, %": "figures.copied_lines",
    "longest copied span": "figures.longest_copied_span",
    "copied lines with a form, %": "with_form.copied_lines",
    "longest span with a form": "with_form.longest_copied_span",
    "bits per character": "held_out_bits",
    "of titles": "held_out_title_bits",
}
"""Columns for each style: heading → field of StyleFigures."""

FORMS = {
    "lines": "lines",
    "rhymes met, %": "rhymes",
    "syllables met, %": "syllables",
    "dead ends a song": "dead_ends",
    "candidates a line": "candidates",
    "bits per character": "bits_per_character",
    "CPU seconds a song": "seconds",
    "copied lines, %": "copied_lines",
    "longest copied span": "longest_copied_span",
}
"""Columns for songs with a form: heading → field of FormFigures."""
DECIMALS = {
    "held_out_bits": 3,
    "held_out_title_bits": 3,
    "lines": 1,
    "dead_ends": 2,
    "bits_per_character": 2,
    "seconds": 2,
}
"""Of some fields; shares have one, others none."""

LEGEND = (
    "end: songs that end by themselves, %; words, pairs: known, %; rhyme: lines, %, and by chance; repeat: "
    "lines that their song had before, %; lines, runs (of 8 words): copied, %; span: longest copied span in "
    "characters, median over songs; most: the longest of all songs"
)

RECOGNISED = (
    "Recognised by a naive Bayes classifier that learned the words of each style from the songs that the "
    "model was trained on; real ones are held-out songs. Bits per character are what the model file needs "
    "for real ones, if it is not told their style."
)


JUDGED = (
    "Rhymes and syllables are judged by the code that also chose the lines; `python -m benchmarks.forms` "
    "asks another judge."
)


def to_terminal(report: SongReport) -> str:
    """Return the table of temperatures, what was found at the suggested one, and why it is suggested."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    for short, _, _ in COLUMNS:
        table.add_column(short, justify="right")
    for cells in _sweep_rows(report):
        table.add_row(*cells)
    check, real = report.check, report.held_out
    found = (
        f"{check.songs:,} songs there: {check.ended:.1%} end by themselves, "
        f"{check.known_pairs:.1%} of pairs are known (held out: {real.known_pairs:.1%}), "
        f"median {check.median_characters:,.0f} characters (held out: {real.median_characters:,.0f}), "
        f"longest copied span {check.longest_copied_span}, whole copies {check.whole_copies}"
    )
    suggested = f"suggested temperature: {report.suggested_temperature:g}"
    reason, formed = suggest(report.sweep, real).reason, _formed(report)
    parts = [suggested, reason, found, formed, _caution(report), _not_compared(report)]
    return rendered(table, "", LEGEND, "", *map(printable, filter(None, parts)))


def to_markdown(report: SongReport) -> str:
    """Return the report as a page: what was measured, the tables, and why a temperature is suggested."""
    check, real = report.check, report.held_out
    songs, at = next(iter(report.sweep.values())).songs, f"{report.suggested_temperature:g}"
    compared = (
        f"{songs} songs at each temperature (seed {report.seed}), and {counted(real.songs, 'real song')} "
        "that the model has never seen; all compared with those that it was trained on."
    )
    worn = "At lower temperatures, songs are more worn, at higher ones more garbled."
    caution = _caution(report)
    parts = [
        "# What the songs are like",
        f"{compared} {_not_compared(report)}".rstrip(),
        _markdown_table(["temperature", *(long for _, long, _ in COLUMNS)], _sweep_rows(report)),
        "![the same as a picture](report.png)",
        f"**Suggested temperature: {at}**. {suggest(report.sweep, real).reason} {worn}",
        f"{caution[0].upper()}{caution[1:]}." if caution else "",
        f"## {check.songs:,} songs at temperature {at} (seed {report.seed + 1})",
        _markdown_table(
            ["", "songs", "held out"],
            ([name, _cell(name, field, check), _cell(name, field, real)] for name, field in SHAPE.items()),
        ),
        f"The longest copied span, {check.longest_copied_span} characters:",
        "\n".join("> " + line for line in check.longest_copied_text.split("\n")),
    ]
    if report.styles:
        rows = ([style, *_cells(STYLES, figures)] for style, figures in report.styles.items())
        parts += [
            f"## Styles, at temperature {at} (seed {report.seed})",
            RECOGNISED,
            _markdown_table(["style", *STYLES], rows),
        ]
    parts += _forms(report)
    return "\n\n".join(filter(None, parts)) + "\n"


def _forms(report: SongReport) -> list[str]:
    """Return the sections of a page that tell of songs with a form; none if none were written."""
    if not report.forms:
        return []
    songs = next(iter(report.forms.values())).songs
    tables = [
        _markdown_table([name, *FORMS], ([str(key), *_cells(FORMS, one)] for key, one in found.items()))
        for name, found in (("form", report.forms), ("candidates", report.depths))
    ]
    several = next(iter(report.depths.values())).songs
    return [
        f"## Songs with a form: {songs} each (seed {report.seed})",
        f"{JUDGED} What was copied is looked for in the songs that the model was trained on.",
        tables[0],
        f"{several} songs each in common metre (ABAB 8,6,8,6, three stanzas), by the candidates asked for:",
        tables[1],
        "![the same as a picture](forms.png)",
    ]


def _cells(columns: Mapping[str, str], figures: FormFigures | StyleFigures) -> list[str]:
    return [_cell(name, field, figures) for name, field in columns.items()]


def _cell(heading: str, field: str, figures: SongFigures | StyleFigures | FormFigures) -> str:
    """Return a figure as text; it is a share where the heading ends in %."""
    if field.startswith("held_out_") and not attrgetter("held_out_songs")(figures):
        return ""
    if field.startswith("with_form.") and not attrgetter("with_form")(figures):
        return "–"
    value = attrgetter(field)(figures)
    if value is None:
        return "–"
    return f"{100 * value:.1f}" if heading.endswith("%") else f"{value:,.{DECIMALS.get(field, 0)}f}"


def _sweep_rows(report: SongReport) -> list[list[str]]:
    rows = [(f"{temperature:g}", figures) for temperature, figures in sorted(report.sweep.items())]
    rows.append(("held out", report.held_out))
    return [[name, *(_cell(long, field, figures) for _, long, field in COLUMNS)] for name, figures in rows]


def _formed(report: SongReport) -> str:
    """Return a sentence about songs with a form; '' if there are none."""
    if not report.forms:
        return ""
    found = report.forms.values()
    rhymes = min((one.rhymes for one in found if one.rhymes is not None), default=1.0)
    syllables = min((one.syllables for one in found if one.syllables is not None), default=1.0)
    return (
        f"songs with {len(found)} forms: in each {rhymes:.1%} or more of the rhymes asked for and "
        f"{syllables:.1%} or more of the syllables are met, in {max(one.seconds for one in found):.1f} "
        "CPU seconds a song or less"
    )


def _caution(report: SongReport) -> str:
    """Return a warning if few songs were held out, else ''."""
    songs = report.held_out.songs
    if songs >= MIN_HELD_OUT_SONGS:
        return ""
    return f"beware: compared with {counted(songs, 'held-out song')} only; try other temperatures, too"


def _not_compared(report: SongReport) -> str:
    """Return a sentence about the songs in which no copies were looked for; '' if there are none."""
    base = report.base_model
    where = "Copies were looked for in the session's own songs, not in those of what it was fine-tuned from"
    return f"{where} ({base})." if base else ""


def _markdown_table(headings: list[str], rows: Iterable[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in cells] for cells in lines)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)


def rendered(*parts: RenderableType) -> str:
    """Return what rich makes of texts and tables, at most 80 columns wide, without colours."""
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, color_system=None, markup=False, emoji=False, highlight=False)
    console.print(*parts, sep="\n")
    return "\n".join(map(str.rstrip, text.getvalue().splitlines()))
