"""A reader that counts words tells styles apart if they have words of their own."""

import pytest

from train.report.recognition import StyleReader

SONGS = {"hymn": ["lord of light\nlord of love"] * 3, "folk": ["the barn and the cow", "the cow and ale"]}


def test_songs_are_recognised_by_their_words() -> None:
    reader = StyleReader(SONGS)
    assert reader.recognised(["O Lord", "light of light", "cow"], "hymn") == pytest.approx(2 / 3)
    assert reader.recognised(["the cow"], "folk") == 1.0
    assert reader.recognised([], "folk") == 0.0


def test_unknown_words_tell_nothing() -> None:
    reader = StyleReader(SONGS)
    assert reader.recognise("zeppelin the barn") == "folk"
    assert reader.recognise("zeppelin") == reader.recognise("") == ""


def test_a_style_of_many_songs_is_not_likelier_for_it() -> None:
    many = {"hymn": SONGS["hymn"] * 100, "folk": SONGS["folk"]}
    assert StyleReader(many).recognise("the cow") == "folk"
