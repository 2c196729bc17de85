"""python -m train.report: songs of the exported file, measured; export puts what was found into the file."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import lyricgen
from export import cli as export_cli
from export.run import ExportRequest, export_session
from lyricgen.song.composer import Counts
from lyricgen.song.form import NAMED
from lyricgen.song.song_line import SongLine
from lyricgen.terminal.info import describe
from tests.conftest import Apps, Runner
from tests.export.test_export import new_session, unwrapped
from train.config import CorpusConfig
from train.report import cli as report_command
from train.report import run as report_run
from train.report.figures import FormFigures, load_report
from train.report.forms import Composed, measure_forms
from train.report.measures import Measures
from train.report.run import TEMPERATURES, ReportRequest
from train.session import Session

QUICK = ("--songs", 10, "--check-songs", 12, "--form-songs", 0)


@pytest.fixture
def session(tmp_path: Path, small_corpus_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """An exported session with titles and styles, its weights random."""
    monkeypatch.chdir(tmp_path)
    reading = CorpusConfig(held_out_share=0.3, rare_character_share=0, style_column="artist")
    session = new_session(tmp_path / "checkpoints", small_corpus_path, reading=reading)
    export_session(ExportRequest(0))
    return session


@pytest.fixture
def report(run: Apps, session: Session) -> Runner:  # noqa: ARG001 (made before)
    return run(report_command.app, "python -m train.report")


def test_a_report_has_every_temperature_and_stays_with_the_session(report: Runner, session: Session) -> None:
    outcome = report("--session", 0, *QUICK)
    assert outcome.code == 0, outcome.err
    rows = [line.split()[0] for line in outcome.out.splitlines() if re.match(r"[\d.]+ ", line)]
    assert rows[: len(TEMPERATURES)] == [f"{temperature:g}" for temperature in TEMPERATURES]
    assert outcome.out.splitlines()[-1].startswith("next: python -m export --session 0")
    kept = load_report(session.folder)
    assert kept is not None
    assert {figures.songs for figures in kept.sweep.values()} == {10}
    assert kept.check.songs == 12
    assert kept.held_out.songs == len(session.songs("held_out"))
    facts = json.loads((session.folder / "report" / "report.json").read_text("utf-8"))
    assert facts["format"] == 1
    assert list(facts["sweep"]) == [str(temperature) for temperature in TEMPERATURES]
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert (session.folder / "report" / "report.png").read_bytes().startswith(b"\x89PNG")
    assert f"suggested temperature: {kept.suggested_temperature:g}\n" in outcome.out
    assert f"**Suggested temperature: {kept.suggested_temperature:g}**" in (
        session.folder / "report" / "report.md"
    ).read_text("utf-8")


def test_songs_with_a_form_are_measured(
    report: Runner, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_run, "NAMED", {"couplets": NAMED["couplets"]})
    monkeypatch.setattr(report_run, "DEPTHS", (1, 4))
    assert report("--session", 0, *QUICK[:-1], 2).code == 0
    kept = load_report(session.folder)
    assert kept is not None
    assert {form: figures.songs for form, figures in kept.forms.items()} == {"couplets": 2}
    assert list(kept.depths) == [1, 4]
    assert kept.forms["couplets"].lines == 12
    assert kept.depths[4].candidates > kept.depths[1].candidates
    assert kept.forms["couplets"].seconds > 0
    assert kept.forms["couplets"].dead_ends > 0  # a network with random weights does not write rhymes
    assert (session.folder / "report" / "forms.png").read_bytes().startswith(b"\x89PNG")


def test_songs_in_a_style_are_measured_with_a_shape_of_that_style() -> None:
    model, told = lyricgen.load(), list[str]()
    measures = Measures(["The moon is low"], title_line=True, language="en")
    writer = report_run.Writer(model, measures, ReportRequest(1, 1, 10, 3), told.append)
    figures = writer.with_shape("hymn")
    assert told == ["writing 1 songs with a form in the style hymn"]
    assert figures is not None
    song = model.generate(form="auto", style="hymn", seed=3)
    assert (figures.songs, figures.lines) == (1, len(song.lines))
    assert writer._replace(request=ReportRequest(1, 1, 0, 3)).with_shape("hymn") is None


def test_pairs_are_last_words_of_one_letter_and_stanza() -> None:
    lines = [
        ("The day", 0, "A"),
        ("I know", 0, ""),
        ("Away!", 0, "A"),
        ("My way", 1, "A"),
        ("to Say", 1, "A"),
    ]
    song = Composed(tuple(SongLine(text, stanza=n, rhyme=rhyme) for text, n, rhyme in lines), Counts(), 0.0)
    assert list(song.pairs) == [("day", "away"), ("way", "say")]


def test_figures_of_songs_with_a_form_are_means_over_songs_and_lines() -> None:
    lines = (
        SongLine("The day is mine", bits=24.0),
        SongLine("Away", fits=False, bits=15.0),
        SongLine("Away"),
    )
    songs = [
        Composed(
            lines,
            Counts(90, dead_ends=1, rhymes_asked=3, rhymes_met=2, syllables_asked=3, syllables_met=2),
            1.0,
        ),
        Composed(lines[:1], Counts(candidates=30, rhymes_asked=1, rhymes_met=1), 2.0),
    ]
    figures = measure_forms(songs, lambda texts: (0.25, len(texts[0])))
    assert figures == FormFigures(
        songs=2,
        lines=2.0,
        rhymes=0.75,
        syllables=0.66667,
        dead_ends=0.5,
        candidates=30.0,
        bits_per_character=63 / 37,
        seconds=1.5,
        copied_lines=0.25,
        longest_copied_span=len("The day is mine\nAway\nAway"),
    )
    nothing_asked = measure_forms([Composed(lines, Counts(), 1.0)], lambda _texts: (0.0, 0))
    assert nothing_asked.rhymes is nothing_asked.syllables is None


def test_the_same_songs_give_the_same_report(report: Runner, session: Session) -> None:
    kept = []
    for seed in (0, 0, 5):
        assert report("--session", 0, *QUICK, "--seed", seed).code == 0
        kept.append(load_report(session.folder))
    assert kept[0] == kept[1] != kept[2]


def test_export_puts_the_report_into_the_file(report: Runner, run: Apps, session: Session) -> None:
    assert report("--session", 0, *QUICK).code == 0
    kept = load_report(session.folder)
    assert kept is not None
    outcome = run(export_cli.app, "python -m export")("--session", 0)
    shown = f"its songs 12 at temperature {kept.suggested_temperature:g}, the suggested one: "
    assert shown in unwrapped(outcome.out)
    model = lyricgen.load("exported_models/session_0.onnx")
    assert model.card.suggested_temperature == kept.suggested_temperature
    told = model.card.report
    assert told is not None
    assert (told.songs, told.seed) == (12, 1)
    assert told.longest_copied_span == kept.check.longest_copied_span
    assert told.known_words == kept.check.known_words
    assert model.card.golden_song.temperature == kept.suggested_temperature
    assert "its songs" in describe(model.card, "x", 1)


def test_a_report_of_other_weights_is_not_believed(report: Runner, run: Apps, session: Session) -> None:
    assert report("--session", 0, *QUICK).code == 0
    best = session.load_best()
    session.save_best(replace(best, weights={name: 0.5 * w for name, w in best.weights.items()}))
    outcome = run(export_cli.app, "python -m export")("--session", 0)
    assert "its songs    the report is of other weights; make it again\n" in outcome.out
    card = lyricgen.load("exported_models/session_0.onnx").card
    assert card.report is None
    assert card.suggested_temperature == 0.75


@pytest.mark.parametrize("content", ["", "{}", "[]"])
def test_a_damaged_report_is_one_line(run: Apps, session: Session, content: str) -> None:
    (session.folder / "report").mkdir()
    (session.folder / "report" / "report.json").write_text(content)
    outcome = run(export_cli.app, "python -m export")("--session", 0)
    outcome.assert_one_line_error(1, "report.json is damaged", "make the report again")


def test_a_file_of_another_session_is_refused(
    report: Runner, fake_model_path: Path, session: Session
) -> None:
    arguments = ("--session", 0, "--model", fake_model_path, *QUICK)
    report(*arguments).assert_one_line_error(1, "exported from another session")
    assert not (session.folder / "report").exists()


def test_a_session_that_was_not_exported_is_one_line(report: Runner) -> None:
    Path("exported_models/session_0.onnx").unlink()
    report("--session", 0).assert_one_line_error(1, "no such file", "python -m export --session 0")


@pytest.mark.parametrize(
    "option", [("--songs", 9), ("--check-songs", 10**6), ("--seed", -1), ("--songs", "x")]
)
def test_a_wrong_option_is_one_line_and_exit_2(report: Runner, option: tuple[str, object]) -> None:
    report("--session", 0, *option).assert_one_line_error(2, option[0])
