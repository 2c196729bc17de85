"""Rhymes are heard, not seen; and compared with what chance brings."""

import pytest

from train.report.rhyme import line_ends, rhyme, rhyming_by_chance, rhyming_lines


@pytest.mark.parametrize(
    ("word", "other"), [("love", "dove"), ("high", "sky"), ("weather", "feather"), ("butterfly", "sky")]
)
def test_words_that_sound_alike_from_the_stressed_vowel_on_rhyme(word: str, other: str) -> None:
    assert rhyme(word, other)
    assert rhyme(other, word)


@pytest.mark.parametrize(("word", "other"), [("love", "move"), ("love", "love"), ("sky", "xqzzy"), ("", "")])
def test_looks_repetitions_and_unknown_words_are_no_rhymes(word: str, other: str) -> None:
    assert not rhyme(word, other)


def test_the_last_words_of_lines_are_found() -> None:
    assert line_ends(["The sky is high,\n(I think)\n...\n\nO dove!"]) == [["high", "think", ""], ["dove"]]


@pytest.mark.parametrize(
    ("stanzas", "found"),
    [
        (["sky high dove love"], (4, 4)),
        (["sky dove high love"], (4, 4)),
        (["sky tree dove high"], (2, 4)),
        (["sky tree dove moon high"], (0, 5)),  # too far
        (["sky", "high"], (0, 0)),  # lines without neighbours
        (["sky xqzzy high"], (2, 2)),  # nobody knows how the word sounds
        (["sky xqzzy"], (0, 0)),
    ],
)
def test_lines_rhyme_with_one_of_three_neighbours_in_their_stanza(
    stanzas: list[str], found: tuple[int, int]
) -> None:
    assert rhyming_lines([stanza.split() for stanza in stanzas]) == found


def test_chance_keeps_the_shape_and_loses_the_rhymes() -> None:
    pairs = ["sky high", "dove love", "moon june", "tree free", "night light", "rose nose", "day may"]
    stanza_ends = [pair.split() for pair in pairs] * 20
    rhyming, possible = rhyming_lines(stanza_ends)
    assert rhyming == possible == 280
    by_chance, possible = rhyming_by_chance(stanza_ends)
    assert possible == 280
    assert 0 < by_chance < 70  # one in fourteen has the partner: 20 expected
