"""Rhymes are heard, not seen; and compared with what chance brings."""

import pytest

from train.report.rhyme import dictionary_words, line_ends, rhyme, rhyming_by_chance, rhyming_lines


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


@pytest.mark.parametrize("ends", [["sky", "high", "dove", "love"], ["sky", "dove", "high", "love"]])
def test_couplets_and_alternating_lines_rhyme(ends: list[str]) -> None:
    assert rhyming_lines([ends]) == (4, 4)


def test_rhymes_reach_three_lines_and_no_further_stanza() -> None:
    assert rhyming_lines([["sky", "tree", "dove", "high"]]) == (2, 4)
    assert rhyming_lines([["sky", "tree", "dove", "moon", "high"]]) == (0, 5)
    assert rhyming_lines([["sky"], ["high"]]) == (0, 0)  # lines without neighbours


def test_lines_that_end_in_unknown_words_are_not_counted() -> None:
    assert rhyming_lines([["sky", "xqzzy", "high"]]) == (2, 2)
    assert rhyming_lines([["sky", "xqzzy"]]) == (0, 0)


def test_chance_keeps_the_shape_and_loses_the_rhymes() -> None:
    pairs = ["sky high", "dove love", "moon june", "tree free", "night light", "rose nose", "day may"]
    stanza_ends = [pair.split() for pair in pairs] * 20
    rhyming, possible = rhyming_lines(stanza_ends)
    assert rhyming == possible == 280
    by_chance, possible = rhyming_by_chance(stanza_ends)
    assert possible == 280
    assert 0 < by_chance < 70  # one in fourteen has the partner: 20 expected


def test_the_dictionary_has_words() -> None:
    assert {"love", "sky", "weather"} < dictionary_words()
