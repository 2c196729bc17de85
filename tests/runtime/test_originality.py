"""Lines that stand in the songs that a model read: found by their fingerprints, and refused on request."""

import base64
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

import lyricgen
from lyricgen.errors import ModelFormatError, OptionError
from lyricgen.generator import Model
from lyricgen.song.originality import KnownLines, known_lines, pack_lines, telling_words
from lyricgen.song.score import KNOWN
from lyricgen.terminal.info import describe, to_json
from tests.make_fake_model import fake_styled_card, fake_styled_weights, model_bytes


def made_lines(count: int, seed: int) -> list[str]:
    """Lines of five words, no two alike."""
    return [f"The {n % 97} of {n // 97} and {seed}" for n in range(count)]


def test_all_lines_are_found_and_few_others() -> None:
    known = KnownLines(pack_lines(made_lines(10_000, 1)))
    assert all(line in known for line in made_lines(10_000, 1))
    wrong = sum(line in known for line in made_lines(10_000, 2))
    assert 30 <= wrong <= 110  # one in 150 is expected


def test_ten_bits_a_line_are_enough() -> None:
    assert len(pack_lines(made_lines(20_000, 1))) * 6 / 8 <= 20_000 * 10 / 8


def test_lines_are_compared_by_their_words_and_short_ones_not_at_all() -> None:
    known = KnownLines(pack_lines(["The moon is low, my love!", "O my love"]))
    assert "the Moon is low; my 'love'" in known
    assert "The moon is low, my dear" not in known
    assert "O my love" not in known
    assert telling_words("O my 'love'") == ""
    assert telling_words("Don't go, don't go") == "don't go don't go"


@pytest.mark.parametrize("lines", [[], ["O my love"]])
def test_no_lines_are_no_lines(lines: list[str]) -> None:
    assert "The moon is low tonight" not in KnownLines(pack_lines(lines))


@pytest.mark.parametrize(
    "packed", ["5:", "5:AAAA", "x:AAAA", "5:" + base64.b64encode(zlib.compress(b"")).decode()[:-6]]
)
def test_damaged_lines_are_an_error(packed: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        KnownLines(packed)


def test_a_file_with_damaged_lines_is_refused() -> None:
    with pytest.raises(ModelFormatError, match="known lines: expected fingerprints, found"):
        model_bytes(fake_styled_weights(), replace(fake_styled_card(), known_lines="5:AAAA"))


HYMN: lyricgen.SongOptions = {"form": "verse ABAB 8,6,8,6", "seed": 3, "candidates": 32, "title": "Night"}


@pytest.fixture
def knowing(model: Model, monkeypatch: pytest.MonkeyPatch) -> Model:
    """The bundled model, which knows two lines of a song that it writes."""
    lines = [line.text for line in model.generate(**HYMN).lines[:2]]
    monkeypatch.setattr(model.file, "card", replace(model.card, known_lines=pack_lines(lines)))
    return model


def test_lines_that_the_model_read_are_marked(knowing: Model) -> None:
    song = knowing.generate(**HYMN)
    assert [line.known for line in song.lines] == [True, True, False, False]
    assert [KNOWN in line.marks for line in knowing.score(song.text).lines] == [True, True, False, False]


def test_an_original_song_has_none_of_them(knowing: Model) -> None:
    known = {line.text for line in knowing.generate(**HYMN).lines[:2]}
    original: lyricgen.SongOptions = {**HYMN, "original": True}
    song = knowing.generate(**original)
    assert not any(line.known for line in song.lines)
    assert known.isdisjoint(line.text for line in song.lines)
    assert all(line.rhymes and line.fits for line in song.lines)


def test_a_model_without_known_lines_cannot_be_asked_for_original_songs(styled_model: Model) -> None:
    with pytest.raises(OptionError, match="original cannot be used with this model, whose file"):
        styled_model.generate(original=True)


def test_the_bundled_model_knows_the_lines_it_read(model: Model) -> None:
    known = known_lines(model.card.known_lines)
    assert "Amazing grace! how sweet the sound" in known
    assert "Should auld acquaintance be forgot," in known
    assert "My kettle hums a cardboard rocket tune" not in known


def test_a_song_without_a_form_cannot_be_asked_to_be_original(knowing: Model) -> None:
    with pytest.raises(OptionError, match="original cannot be used with a song without a form"):
        knowing.generate(form="free", original=True)


def test_info_says_how_many_lines_a_model_knows(knowing: Model, tmp_path: Path) -> None:
    assert "known lines" in describe(knowing.card, str(tmp_path), 1)
    assert "2 that it read" in describe(knowing.card, str(tmp_path), 1)
    assert '"known_lines": 2' in to_json(knowing.card, str(tmp_path), 1)
