"""What is promised of the model that comes with the package."""

import re
import shlex
import shutil
import statistics
from pathlib import Path

import pytest

import lyricgen
from export.run import Exported, ExportRequest, export_session
from lyricgen.generator import BUNDLED_MODEL_PATH, Model
from lyricgen.golden import SelfTestError, self_test
from lyricgen.terminal import run as cli
from tests.conftest import Apps
from train.report.figures import SongReport, load_report
from train.session import Session
from train.session_folders import CHECKPOINTS_FOLDER

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bundled() -> Model:
    return lyricgen.load()


def test_it_fits_in_16_mb() -> None:
    assert BUNDLED_MODEL_PATH.stat().st_size <= 16_000_000


def test_it_predicts_unseen_songs_and_int8_costs_little(bundled: Model) -> None:
    held_out = bundled.card.held_out
    assert bundled.card.precision == "int8"
    assert held_out is not None
    assert held_out.songs == "session_0, held out"
    assert held_out.symbols > 500_000
    assert held_out.bits_per_character <= 1.76
    assert held_out.bits_per_character - held_out.pytorch_bits_per_character <= 0.002
    assert held_out.fp32_bits_per_character == held_out.pytorch_bits_per_character


def test_it_was_proved_when_it_was_exported(bundled: Model) -> None:
    parity = bundled.card.parity
    assert parity.steps >= 1000
    assert 0 < parity.kl_divergence <= 0.01
    assert parity.argmax_agreement >= 0.94


def test_it_writes_its_golden_song_here(bundled: Model) -> None:
    assert self_test(bundled).characters > 500


def test_it_is_free(bundled: Model) -> None:
    assert bundled.card.provenance.corpus_licence.startswith("public domain")
    session = Session.open(ROOT / CHECKPOINTS_FOLDER, 0)
    began_from = "session_0, trained on public_domain_songs.csv.xz (licence: public domain"
    assert session.facts.base_model.startswith(began_from)  # nothing else went into it
    assert bundled.card.provenance.base_model == session.facts.base_model


def test_it_speaks_as_people_do_today(bundled: Model) -> None:
    songs = list(bundled.songs(range(50), seed=1, candidates=16))
    archaic = re.compile(r"\b(thee|thou|thy|o'er|hath)\b|'tis\b", re.IGNORECASE)
    old = [song.title for song in songs if archaic.search(song.text)]
    assert len(old) <= len(songs) // 10, old


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The session as it is in the repository: without its songs, but with the figures measured on them."""
    folder = tmp_path_factory.mktemp("exported")
    original = ROOT / CHECKPOINTS_FOLDER / "session_0"
    unneeded = shutil.ignore_patterns("songs", "last.safetensors")
    shutil.copytree(original, folder / "session_0", ignore=unneeded)
    return export_session(ExportRequest(0, folder=folder, checkpoints=folder))


def test_it_is_what_its_session_exports(bundled: Model, exported: Exported) -> None:
    try:
        self_test(bundled)
    except SelfTestError:
        pytest.skip("this CPU rounds differently: the golden song would be another")
    assert exported.path.read_bytes() == BUNDLED_MODEL_PATH.read_bytes()


def test_but_for_the_lines_it_knows_it_is_a_third_of_its_size_in_fp32(exported: Exported) -> None:
    sizes = {name: size - len(exported.card.known_lines) for name, size in exported.size_bytes.items()}
    assert sizes["fp32"] >= 3 * sizes["int8"]


PAGES = {name: (ROOT / name).read_text("utf-8") for name in ("README.md", "docs/MODEL_CARD.md")}
SHOWN = [
    pytest.param(command, text, id=f"{name}: {command}")
    for name, page in PAGES.items()
    for command, text in re.findall(r"^```\n\$ lyricgen-run (.*)\n((?:.*\n)+?)```$", page, re.MULTILINE)
]


@pytest.mark.parametrize(("command", "text"), SHOWN)
def test_a_song_that_is_shown_comes_out_of_the_command_above_it(run: Apps, command: str, text: str) -> None:
    outcome = run(cli.app, "lyricgen-run")(*shlex.split(command))
    assert outcome.code == 0
    assert outcome.out == text


def test_songs_are_shown_at_three_temperatures_and_in_every_style(bundled: Model) -> None:
    shown = " ".join(str(param.values[0]) for param in SHOWN)
    assert len(set(re.findall(r"--temperature (\S+)", shown))) >= 3
    assert set(re.findall(r"--style (\S+)", shown)) == set(bundled.card.vocabulary.styles)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_pages_state_the_figure_of_this_model(bundled: Model, page: str) -> None:
    assert bundled.card.held_out is not None
    assert f"**{bundled.card.held_out.bits_per_character:.4f} bits per character**" in page


@pytest.fixture(scope="module")
def report() -> SongReport:
    """What `python -m train.report --session 0` measured."""
    found = load_report(ROOT / CHECKPOINTS_FOLDER / "session_0")
    assert found is not None
    return found


def test_the_report_in_the_repository_is_of_this_model(bundled: Model, report: SongReport) -> None:
    assert report.tensors_sha256 == bundled.card.tensors_sha256
    assert report.check.songs >= 1000
    assert min(figures.songs for figures in report.sweep.values()) >= 200


def test_it_writes_faithful_songs(bundled: Model, report: SongReport) -> None:
    assert bundled.card.suggested_temperature == report.suggested_temperature
    assert report.check.ended >= 0.95
    assert report.check.median_characters == pytest.approx(report.held_out.median_characters, rel=0.35)
    assert report.check.whole_copies == 0


def test_the_report_is_of_songs_that_it_writes(bundled: Model, report: SongReport) -> None:
    figures = report.sweep[1.3]
    songs = list(
        bundled.songs(range(figures.songs), form="free", style="", seed=report.seed, temperature=1.3)
    )
    assert statistics.median(len(song.text) for song in songs) == figures.median_characters
    assert sum(song.finished == "eos" for song in songs) / len(songs) == figures.ended
