"""Stanzas, lines, words, and runs of words; a title is found by corpus.scratch."""

import pytest

from lyricgen.model_file.contract import split_title
from lyricgen.song.originality import plain_words
from train.report.wording import WordRuns, lines, stanzas

TEXT = "Harvest home\n\nThe corn is cut,\nthe barn's shut.\n\nSing ho!\n"


def test_a_text_falls_into_title_stanzas_lines_and_words() -> None:
    title, body = split_title(TEXT)
    assert title == "Harvest home"
    assert stanzas(body) == [["The corn is cut,", "the barn's shut."], ["Sing ho!"]]
    assert lines(body) == ["The corn is cut,", "the barn's shut.", "Sing ho!"]
    assert plain_words(body) == ["the", "corn", "is", "cut", "the", "barn's", "shut", "sing", "ho"]
    assert not stanzas("")
    assert lines("") == plain_words("") == []


def test_a_song_without_a_title_keeps_its_first_stanza() -> None:
    for text in ("The corn is cut,\nthe barn's shut.\n\nSing ho!", "One line", ""):
        assert split_title(text) == ("", text)
    assert split_title("Harvest home\n\n") == ("Harvest home", "")


def test_words_may_have_any_letters_and_numbers_are_words() -> None:
    text = "Fünf 5 l'été ’Tis rock’n’roll, she said 'no'"
    assert plain_words(text) == ["fünf", "5", "l'été", "tis", "rock’n’roll", "she", "said", "no"]


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["THE corn", "the, barn"], (2, 2)),
        (["corn the", "is cut"], (0, 2)),  # never side by side in one text
        (["the zeppelin", "zeppelin zeppelin"], (0, 2)),
        (["the", "corn", ""], (0, 0)),
        ([], (0, 0)),
    ],
)
def test_runs_are_found_within_texts_in_their_order(texts: list[str], found: tuple[int, int]) -> None:
    assert WordRuns(["the corn is", "cut the barn"], 2).found(texts) == found
