"""What is promised of the model that comes with the package."""

from pathlib import Path

import pytest

import lyricgen
from export.run import card_of, export_session
from export.step import build_step, serialize
from lyricgen.contract import ModelCard
from lyricgen.generator import BUNDLED_MODEL_PATH, Model
from train.session import CHECKPOINTS_FOLDER, Session

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def bundled() -> Model:
    return lyricgen.load()


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.open(ROOT / CHECKPOINTS_FOLDER, 0)


def test_it_fits_in_16_mb() -> None:
    assert BUNDLED_MODEL_PATH.stat().st_size <= 16_000_000


def test_it_predicts_unseen_songs(bundled: Model) -> None:
    bits = bundled.card.quality.held_out_bits_per_character
    assert bits is not None
    assert bits <= 1.92
    assert bundled.card.quality.held_out_symbols > 500_000


def test_it_was_proved_when_it_was_exported(bundled: Model) -> None:
    assert bundled.card.quality.parity_logits <= 1e-4
    assert bundled.card.quality.parity_state <= 1e-4
    assert bundled.card.quality.parity_steps >= 200


def test_it_is_free(bundled: Model) -> None:
    assert bundled.card.provenance.corpus_licence.startswith("public domain")
    assert bundled.card.provenance.base_model == ""  # nothing else went into it


def test_it_writes_whole_songs(bundled: Model) -> None:
    songs = [bundled.generate(temperature=0.75, seed=seed) for seed in range(1, 9)]
    assert songs[0].finished == "eos"
    assert sum(song.finished == "eos" for song in songs) >= 6
    assert len({song.text for song in songs}) == 8
    assert all(song.text.count("\n") > 2 for song in songs if song.finished == "eos")


def test_it_is_what_its_session_exports(bundled: Model, session: Session, tmp_path: Path) -> None:
    """The same weights, the same figures; the parity figures' only digit may vary with the CPU."""
    exported = export_session(0, tmp_path, ROOT / CHECKPOINTS_FOLDER)
    quality = bundled.card.quality
    assert exported.card.quality.held_out_bits_per_character == quality.held_out_bits_per_character
    assert exported.card.quality.held_out_symbols == quality.held_out_symbols
    weights = {name: tensor.numpy() for name, tensor in session.load_best().weights.items()}
    card: ModelCard = card_of(session, quality)
    assert card == bundled.card
    assert serialize(build_step(weights, card)) == BUNDLED_MODEL_PATH.read_bytes()


def test_the_readme_shows_a_song_and_a_figure_of_this_model(bundled: Model) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    song = bundled.generate(temperature=0.75, seed=6)
    assert f"```\n$ lyricgen-run --temperature 0.75 --seed 6\n{song.text}\n```" in readme
    assert f"**{bundled.card.quality.held_out_bits_per_character:.4f} bits per character**" in readme
