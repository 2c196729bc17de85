"""The figures of a set of songs."""

import pytest

from train.report.measures import LEAST_COPY, Measures

BODY = "\n".join(f"and line {'abcdefgh'[n]} of the song goes on and on" for n in range(4))
READ = [f"Old title\n\n{BODY}\n\nThe sky is high", "No title here\nbut two lines\n\nand a second stanza"]


@pytest.fixture(scope="module")
def measures() -> Measures:
    return Measures(READ, title_line=True, language="en")


def test_a_whole_copy_is_one_from_end_to_end(measures: Measures) -> None:
    assert len(BODY) > LEAST_COPY
    figures = measures.measure([f"New title\n\n{BODY}\n", f"Old title\n\n{BODY[:-5]} off!\n"], 2)
    assert figures.whole_copies == 1
    assert " title\n\nand line a" in figures.longest_copied_text  # titles belong to spans
    assert measures.measure(["A\n\nThe sky is high"], 1).whole_copies == 0  # too short


def test_titles_count_where_there_are_some(measures: Measures) -> None:
    figures = measures.measure(["Four\n\nthe sky is high xqzzy", "but two lines\nand a weather"], 1)
    assert figures.median_title_characters == 4
    assert figures.median_lines == 1.5
    assert figures.ended == 0.5
    assert figures.known_words == pytest.approx(10 / 11, abs=1e-4)  # "weather" is in the dictionary
    assert measures.measure(["but two lines"], 1).known_pairs == 1.0


def test_the_dictionary_is_english_and_so_are_rhymes_by_sound(measures: Measures) -> None:
    text = ["the sky is high\nand weather is the sky"]
    by_spelling = Measures(READ, title_line=True, language="spelling").measure(text, 1)
    assert by_spelling.known_words == pytest.approx(8 / 9, abs=1e-4)
    assert by_spelling.rhymes == 0.0
    english = measures.measure(text, 1)
    assert (english.known_words, english.rhymes) == (1.0, 1.0)


def test_repeated_lines_are_those_after_the_first(measures: Measures) -> None:
    assert measures.measure(
        ["T\n\nla la\nla la\n\nho\nla la", "U\n\nla la\nho"], 2
    ).repeated_lines == pytest.approx(2 / 6, abs=1e-4)


def test_nothing_at_all_is_measured(measures: Measures) -> None:
    figures = measures.measure(["", "\n"], 0)
    assert (figures.median_characters, figures.known_words, figures.longest_copied_span) == (0.5, 0.0, 1)
