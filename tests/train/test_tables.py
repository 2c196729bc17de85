"""The suggested temperature, and the tables of a report."""

import json
import math
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from train.report.figures import FormFigures, SongFigures, SongReport, StyleFigures, load_report, save_report
from train.report.suggestion import suggest
from train.report.tables import to_markdown, to_terminal
from train.session_folders import SessionError

COPIES = (0.01, 0.011, 23.0, 225, "and over\nall the hills", 0)
REAL = SongFigures(59, 1.0, 1234.0, 24.0, 34.0, 4.0, 14.0, 0.99, 0.80, 0.6, 0.04, 0.02, *COPIES)


FORM = FormFigures(50, 12.0, 0.998, 1.0, 0.02, 151.0, 1.12, 0.95, 0.001, 34)


def sweep_of(shares: dict[float, tuple[float, float]]) -> dict[float, SongFigures]:
    """Make figures from temperature → (share of known pairs, share of songs that end)."""
    return {t: replace(REAL, known_pairs=known, ended=ended) for t, (known, ended) in shares.items()}


def report() -> SongReport:
    sweep = sweep_of({0.3: (0.97, 1), 0.7: (0.84, 1), 1.1: (0.6, 1)})
    copied = replace(FORM, copied_lines=0.031, longest_copied_span=77)
    hymn = StyleFigures(0.7, 0.8, 11, REAL, with_form=copied)
    styles = {"hymn": hymn, "folk": StyleFigures(0.6, 0.0, 0, REAL)}
    check = replace(REAL, songs=1000, whole_copies=3)
    forms = {"hymn": FORM, "auto": replace(FORM, rhymes=0.975, lines=14.25, seconds=1.5)}
    depths = {1: replace(FORM, songs=5, rhymes=0.5, syllables=None), 512: replace(FORM, songs=5)}
    return SongReport("0" * 64, 7, 0.75, REAL, sweep, check, "", styles, forms, depths)


@pytest.mark.parametrize(
    ("shares", "suggested"),
    [
        ({0.6: 0.90, 0.8: 0.80, 1.0: 0.70}, 0.8),
        ({0.6: 0.90, 0.8: 0.84, 1.0: 0.76}, 0.9),
        ({0.6: 0.90, 0.8: 0.81, 1.0: 0.60}, 0.8),
        ({0.6: 0.90, 0.7: 0.78, 0.8: 0.81, 1.0: 0.60}, 0.7),  # where it first falls so far
        ({0.6: 0.79, 0.8: 0.60}, 0.6),  # garbled everywhere: as safe as possible
        ({0.6: 0.95, 0.8: 0.90}, 0.8),  # worn everywhere: as wild as was tried
    ],
)
def test_the_temperature_is_where_word_pairs_are_known_as_often_as_in_real_songs(
    shares: dict[float, float], suggested: float
) -> None:
    sweep = sweep_of({temperature: (share, 1.0) for temperature, share in shares.items()})
    assert suggest(sweep, REAL).temperature == suggested


@pytest.mark.parametrize(
    ("shares", "suggested"),
    [
        ({0.4: (0.9, 0.1), 0.6: (0.8, 0.8), 0.8: (0.7, 0.9)}, 0.6),  # most end there
        ({0.4: (0.9, 0.1), 0.6: (0.8, 0.7), 0.8: (0.7, 0.8)}, 0.8),
        ({0.4: (0.9, 0.9), 0.6: (0.8, 0.2), 0.8: (0.7, 0.9)}, 0.8),  # not lower: songs would be worn
        ({0.4: (0.9, 0.1), 0.6: (0.8, 0.2), 0.8: (0.7, 0.5), 1.0: (0.6, 0.4)}, 0.8),  # few end anywhere
        ({0.6: (0.85, 1.0), 0.7: (0.75, 1.0)}, 0.65),
        ({0.6: (0.85, 0.5), 0.7: (0.75, 1.0)}, 0.7),  # most must end on both sides
    ],
)
def test_where_few_songs_end_a_higher_temperature_is_suggested(
    shares: dict[float, tuple[float, float]], suggested: float
) -> None:
    assert suggest(sweep_of(shares), REAL).temperature == suggested


@pytest.mark.parametrize(
    ("songs", "caution"),
    [(1, "compared with 1 held-out song only;"), (19, "compared with 19 held-out songs only;"), (20, "")],
)
def test_a_suggestion_that_stands_on_few_songs_says_so(songs: int, caution: str) -> None:
    found = replace(report(), held_out=replace(REAL, songs=songs))
    for shown in (to_terminal(found), to_markdown(found)):
        assert ("held-out song" in shown and "only; try other temperatures" in shown) == bool(caution)
        assert caution in shown


def saved(folder: Path, change: dict[str, object]) -> Path:
    """Save the report, with some of it changed."""
    save_report(folder, report(), "", {})
    path = folder / "report/report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    return folder


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    assert load_report(tmp_path) is None
    assert load_report(saved(tmp_path, {})) == report()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2**64 - 1},
        {"suggested_temperature": math.nan},
        {"held_out": {}},
        {"check": asdict(replace(REAL, ended=1.5))},
        {"check": {**asdict(REAL), "songs": "many"}},
        {"check": 5},
        {"sweep": [1]},
        {"sweep": {}},
        {"styles": {"hymn": {}}},
        {"forms": {"hymn": asdict(replace(FORM, rhymes=1.1))}},
        {"depths": {"many": asdict(FORM)}},
    ],
    ids=str,
)
def test_a_damaged_report_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(SessionError, match=r"report\.json is damaged"):
        load_report(saved(tmp_path, change))


@pytest.mark.parametrize("change", [{"format": 2}, {"check": {**asdict(REAL), "more": 1}}, {"check": {}}])
def test_a_report_of_another_version_is_to_be_made_again(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(SessionError, match=r"another version .* made report/report\.json; make .* again"):
        load_report(saved(tmp_path, change))


def test_a_report_from_before_there_were_forms_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path, {}) / "report/report.json"
    facts = json.loads(path.read_text())
    del facts["forms"], facts["depths"]
    path.write_text(json.dumps(facts))
    assert load_report(tmp_path) == replace(report(), forms={}, depths={})


def test_songs_with_a_form_have_their_tables() -> None:
    page, shown = to_markdown(report()), " ".join(to_terminal(report()).split())
    assert "| auto | 14.2 | 97.5 | 100.0 | 0.02 | 151 | 1.12 | 1.50 | 0.1 | 34 |" in page
    assert "| 1 | 12.0 | 50.0 | – | 0.02 | 151 | 1.12 | 0.95 | 0.1 | 34 |" in page
    assert "2 forms: in each 97.5% or more of the rhymes" in shown
    plain = replace(report(), forms={}, depths={})
    assert "Songs with a form" not in to_markdown(plain)
    assert " forms: " not in to_terminal(plain)


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
    assert re.search(r"\| hymn \| 70.0 \| 80.0 \| .* \| 3.1 \| 77 \|", page)
    assert re.search(r"\| folk \| 60.0 \|  \| .* \| – \| – \|", page)
    for table in filter(lambda part: part.startswith("|"), page.split("\n\n")):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "Styles" not in to_markdown(replace(report(), styles={}))
