"""Titles, stanzas, lines and words, and which of these are known."""

from train.corpus.scratch import split_title
from train.report.wording import Language, lines, stanzas, words

TEXT = "Harvest home\n\nThe corn is cut,\nthe barn's shut.\n\nSing ho!\n"


def test_a_text_falls_into_title_stanzas_lines_and_words() -> None:
    body = split_title(TEXT)[1]
    assert stanzas(body) == [["The corn is cut,", "the barn's shut."], ["Sing ho!"]]
    assert lines(body) == ["The corn is cut,", "the barn's shut.", "Sing ho!"]
    assert words(body) == ["the", "corn", "is", "cut", "the", "barn's", "shut", "sing", "ho"]


def test_a_song_without_a_title_keeps_its_first_stanza() -> None:
    for text in ("The corn is cut,\nthe barn's shut.\n\nSing ho!", "One line", ""):
        assert split_title(text) == ("", text)
    assert split_title(TEXT)[0] == "Harvest home"
    assert split_title("Harvest home\n\n")[1] == ""


def test_an_empty_text_has_nothing() -> None:
    assert stanzas("") == lines("") == words("") == []


def test_words_may_have_any_letters_but_no_digits() -> None:
    assert words("Fünf 5 l'été 'tis rock'n'roll") == ["fünf", "l'été", "tis", "rock'n'roll"]


def test_words_of_the_corpus_and_of_the_dictionary_are_known() -> None:
    language = Language(["the corn is cut"], ["barn"])
    assert language.known_words(["The barn is SHUT"]) == (3, 4)


def test_pairs_are_known_within_lines_in_their_order() -> None:
    language = Language(["the corn is\ncut the barn"], ["corn"])
    assert language.known_pairs(["the corn", "the barn"]) == (2, 2)
    assert language.known_pairs(["corn the", "is cut"]) == (0, 2)  # never side by side in one line
    assert language.known_pairs(["the zeppelin", "zeppelin zeppelin"]) == (0, 2)
    assert language.known_pairs(["the\ncorn", ""]) == (0, 0)
