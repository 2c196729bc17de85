"""Rhymes are heard, not seen; and compared with what chance brings."""

import pytest

from lyricgen.song.sound import ENGLISH, SPELLING
from train.report.rhyme import line_ends, rhyming_by_chance, rhyming_lines


def test_the_last_words_of_lines_are_found() -> None:
    text = "The sky is high,\n(I think)\n...\n\nO Dove!\nWe keep walkin'"
    assert line_ends([text]) == [["high", "think", ""], ["dove", "walkin'"]]


@pytest.mark.parametrize(
    ("stanzas", "found"),
    [
        (["sky high dove love"], (4, 4)),
        (["sky dove high love"], (4, 4)),
        (["sky tree dove high"], (2, 4)),
        (["sky tree dove moon high"], (0, 5)),  # too far
        (["sky", "high"], (0, 0)),  # lines without neighbours
        (["sky sky"], (0, 2)),
        (["see sea"], (0, 2)),
        (["love move"], (0, 2)),  # for the eye
        (["time mine"], (0, 2)),  # near
        (["high butterfly"], (2, 2)),
        (["frosteroo bamboo"], (2, 2)),  # no dictionary has it: guessed
    ],
)
def test_lines_rhyme_with_one_of_three_neighbours_in_their_stanza(
    stanzas: list[str], found: tuple[int, int]
) -> None:
    assert rhyming_lines([stanza.split() for stanza in stanzas], ENGLISH) == found


def test_lines_without_words_are_not_counted() -> None:
    assert rhyming_lines([["sky", "", "high"], ["sky", ""]], ENGLISH) == (2, 2)


def test_other_languages_rhyme_by_spelling() -> None:
    stanza = ["herzen", "nacht", "schmerzen", "love", "move"]
    assert rhyming_lines([stanza], SPELLING) == (4, 5)
    assert rhyming_lines([stanza[3:]], ENGLISH) == (0, 2)


def test_chance_keeps_the_shape_and_loses_the_rhymes() -> None:
    pairs = ["sky high", "dove love", "moon june", "tree free", "night light", "rose nose", "day may"]
    stanza_ends = [pair.split() for pair in pairs] * 20
    rhyming, possible = rhyming_lines(stanza_ends, ENGLISH)
    assert rhyming == possible == 280
    by_chance, possible = rhyming_by_chance(stanza_ends, ENGLISH)
    assert possible == 280
    assert 0 < by_chance < 70  # one in fourteen has the partner: 20 expected
