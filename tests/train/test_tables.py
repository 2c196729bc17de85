"""The suggested temperature, and the tables of a report."""

import json
import math
from dataclasses import asdict, replace

import pytest

from train.report.figures import SongFigures, SongReport, StyleFigures
from train.report.plot import draw_report
from train.report.suggestion import suggest
from train.report.tables import to_markdown, to_terminal

REAL = SongFigures(
    songs=59,
    ended=1.0,
    median_characters=1234.0,
    median_lines=24.0,
    median_line_characters=34.0,
    median_stanza_lines=4.0,
    median_title_characters=14.0,
    known_words=0.99,
    known_pairs=0.80,
    rhymes=0.6,
    rhymes_by_chance=0.04,
    repeated_lines=0.02,
    copied_lines=0.01,
    copied_runs=0.011,
    median_copied_span=23.0,
    longest_copied_span=225,
    longest_copied_text="and over\nall the hills",
    whole_copies=0,
)


def with_pairs(**shares: float) -> dict[float, SongFigures]:
    return {
        float(name.strip("t").replace("_", ".")): replace(REAL, known_pairs=s) for name, s in shares.items()
    }


def report() -> SongReport:
    sweep = with_pairs(t0_3=0.97, t0_7=0.84, t1_1=0.6)
    styles = {"hymn": StyleFigures(0.7, 0.8, 11, REAL), "folk": StyleFigures(0.6, 0.0, 0, REAL)}
    return SongReport("0" * 64, 7, 0.75, REAL, sweep, replace(REAL, songs=1000, whole_copies=3), "", styles)


@pytest.mark.parametrize(
    ("sweep", "suggested"),
    [
        (with_pairs(t0_6=0.90, t0_8=0.80, t1_0=0.70), 0.8),
        (with_pairs(t0_6=0.90, t0_8=0.84, t1_0=0.76), 0.9),
        (with_pairs(t0_6=0.90, t0_8=0.81, t1_0=0.60), 0.8),
        (with_pairs(t0_6=0.90, t0_7=0.78, t0_8=0.81, t1_0=0.60), 0.7),  # where it first falls so far
        (with_pairs(t0_6=0.79, t0_8=0.60), 0.6),  # garbled everywhere: as safe as possible
        (with_pairs(t0_6=0.95, t0_8=0.90), 0.8),  # worn everywhere: as wild as was tried
    ],
)
def test_the_temperature_is_where_word_pairs_are_known_as_often_as_in_real_songs(
    sweep: dict[float, SongFigures], suggested: float
) -> None:
    assert suggest(sweep, REAL).temperature == suggested


@pytest.mark.parametrize(
    ("songs", "caution"),
    [(1, "compared with 1 held-out song only;"), (19, "compared with 19 held-out songs only;"), (20, "")],
)
def test_a_suggestion_that_stands_on_few_songs_says_so(songs: int, caution: str) -> None:
    found = replace(report(), held_out=replace(REAL, songs=songs))
    for shown in (to_terminal(found), to_markdown(found)):
        assert ("held-out song" in shown and "only; try other temperatures" in shown) == bool(caution)
        assert caution in shown


def with_ends(**shares: float) -> dict[float, SongFigures]:
    """Songs whose pairs of words are known as often as in real ones at 0.6."""
    known = {"t0_4": 0.9, "t0_6": 0.8, "t0_8": 0.7, "t1_0": 0.6}
    sweep = with_pairs(**known)
    return {t: replace(sweep[t], ended=e) for t, e in zip(sorted(sweep), shares.values(), strict=True)}


@pytest.mark.parametrize(
    ("sweep", "suggested"),
    [
        (with_ends(t0_4=0.1, t0_6=0.8, t0_8=0.9, t1_0=0.9), 0.6),  # most end there
        (with_ends(t0_4=0.1, t0_6=0.7, t0_8=0.8, t1_0=0.9), 0.8),
        (with_ends(t0_4=0.9, t0_6=0.2, t0_8=0.3, t1_0=0.9), 1.0),  # not lower: songs would be worn
        (with_ends(t0_4=0.1, t0_6=0.2, t0_8=0.5, t1_0=0.4), 0.8),  # few end anywhere
    ],
)
def test_where_few_songs_end_a_higher_temperature_is_suggested(
    sweep: dict[float, SongFigures], suggested: float
) -> None:
    assert suggest(sweep, REAL).temperature == suggested


def test_between_two_temperatures_most_songs_must_end_at_both() -> None:
    sweep = with_pairs(t0_6=0.85, t0_7=0.75, t0_9=0.6)
    assert suggest(sweep, REAL).temperature == 0.65
    sweep[0.6] = replace(sweep[0.6], ended=0.5)
    assert suggest(sweep, REAL).temperature == 0.7


def test_a_report_survives_its_file() -> None:
    there_and_back = SongReport.from_json(json.loads(json.dumps(report().to_json())))
    assert there_and_back == report()


DAMAGE: list[dict[str, object]] = [
    {"format": 2},
    {"seed": "x"},
    {"seed": -1},
    {"seed": 2**64 - 1},
    {"seed": math.inf},
    {"suggested_temperature": math.nan},
    {"suggested_temperature": 10**400},
    {"suggested_temperature": True},
    {"held_out": {}},
    {"check": asdict(replace(REAL, ended=1.5))},
    {"check": asdict(replace(REAL, known_words=-0.1))},
    {"check": {**asdict(REAL), "songs": "many"}},
    {"check": {**asdict(REAL), "more": 1}},
    {"sweep": [1]},
    {"sweep": {}},
    {"styles": {"hymn": {}}},
]


@pytest.mark.parametrize("change", DAMAGE, ids=str)
def test_a_damaged_report_is_refused(change: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError, ArithmeticError)):
        SongReport.from_json({**report().to_json(), **change})


def test_what_was_not_compared_with_is_named() -> None:
    tuned = replace(report(), base_model="session_0, trained on songs.csv")
    for shown in (to_markdown(tuned), to_terminal(tuned)):
        assert "fine-tuned from (session_0, trained on songs.csv)." in " ".join(shown.split())


def test_a_bar_in_a_style_does_not_break_the_table() -> None:
    style = StyleFigures(0.5, 0.5, 3, REAL)
    assert "| ac\\|dc | 50.0 |" in to_markdown(replace(report(), styles={"ac|dc": style}))


def test_the_terminal_shows_each_temperature_in_80_columns() -> None:
    lines = to_terminal(report()).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:4]] == ["0.3", "0.7", "1.1"]
    assert lines[4].split()[:6] == ["held", "out", "100.0", "1,234", "99.0", "80.0"]
    assert "suggested temperature: 0.75" in lines
    assert "longest copied span 225, whole copies 3" in " ".join(lines)


def test_the_page_has_tables_with_a_cell_for_each_heading() -> None:
    page = to_markdown(report())
    assert "**Suggested temperature: 0.75**" in page
    assert "> and over\n> all the hills" in page
    assert "| hymn | 70.0 | 80.0 |" in page
    assert "| folk | 60.0 |  |" in page
    for table in filter(lambda part: part.startswith("|"), page.split("\n\n")):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_a_model_without_styles_has_no_table_of_them() -> None:
    assert "Styles" not in to_markdown(replace(report(), styles={}))


def test_the_picture_is_a_png() -> None:
    assert draw_report(report()).startswith(b"\x89PNG")
