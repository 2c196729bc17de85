import pytest

from lyricgen.errors import OptionError
from lyricgen.song.form import NAMED, Line, read_form, stanzas


def shown(line: Line) -> str:
    low, high = line.syllables or (0, 0)
    return f"{line.rhyme}{line.refrain and '!'}{low}-{high}"


def test_a_form_is_read_section_by_section() -> None:
    form = read_form("verse ABAB 8,6,8-9,6; chorus xA1xA 7; verse; Chorus")
    assert [section.name for section in form] == ["verse", "chorus", "verse", "chorus"]
    assert [section.comes_back for section in form] == [False, False, False, True]
    verse, chorus = (section.lines for section in form.sections[:2])
    assert [shown(line) for line in verse] == ["A8-8", "B6-6", "A8-9", "B6-6"]
    assert [shown(line) for line in chorus] == ["x7-7", "A!7-7", "x7-7", "A7-7"]
    assert form.sections[2].lines == verse
    assert form.lines == 16


def test_a_section_may_have_stanzas_and_a_metre() -> None:
    ((section,), plain) = read_form("verse A1B/A1b 8 Iambic").sections, read_form("verse A1BA1B 8")
    assert [line.opens_stanza for line in section.lines] == [False, False, True, False]
    assert {line.metre for line in section.lines} == {"iambic"}
    assert [shown(line) for line in section.lines] == [shown(line) for line in plain.sections[0].lines]
    assert not any(line.opens_stanza or line.metre for line in plain.sections[0].lines)


def test_a_free_line_is_free_in_capitals_too() -> None:
    assert read_form("verse XAXA") == read_form("verse xAxA")


@pytest.mark.parametrize("name", NAMED)
def test_each_form_with_a_name_can_be_read(name: str) -> None:
    assert 4 <= read_form(name).lines <= 30
    assert read_form(f" {name.upper()} ") == read_form(name)


def test_stanzas_are_alike() -> None:
    assert stanzas("ABAB", "8,6,8,6", 3) == read_form("verse ABAB 8,6,8,6; verse; verse")
    assert stanzas(None, "7,5", 1) == read_form("verse xx 7,5")
    assert stanzas("AABB", None, 2) == read_form("verse AABB; verse")
    assert stanzas("A A B B", "7 5, 7 5", 1) == read_form("verse AABB 7,5,7,5")


@pytest.mark.parametrize(("rhyme", "syllables"), [("", None), (None, ""), ("", ""), ("x" * 100, "8")])
def test_stanzas_of_nothing_or_of_too_much_are_refused(rhyme: str | None, syllables: str | None) -> None:
    with pytest.raises(OptionError):
        stanzas(rhyme, syllables, 50)


def test_sections_may_be_numbered_stand_on_lines_and_have_comments() -> None:
    text = "# my song\nVerse 1 ABAB 8,6,8,6  # slow\npre-chorus xx\n\nChorus AA 7\nVerse 2\nchorus\n"
    assert read_form(text) == read_form("verse ABAB 8,6,8,6; pre-chorus xx; chorus AA 7; verse; chorus")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "of 1 to 400 lines"),
        ("   ;", "of 1 to 400 lines"),
        ("; ".join(["verse " + "A" * 200] * 3), "of 1 to 400 lines"),
        ("rondo", "says what lines rondo has where"),
        ("ballade", "or is ballad meant"),
        ("verse ABAB; coda", "says what lines coda has"),
        ("verse A-B", "a letter for each line"),
        ("verse AB//AB", "a letter for each line"),
        ("verse /AB", "a letter for each line"),
        ("verse ABAB 8 8 8", "a text such as"),
        ("?", "a text such as"),
        ("verse ABAB 8,6", "one number for all lines or 4"),
        ("verse AA 0", "numbers from 1 to 30"),
        ("verse AA 300", "numbers from 1 to 30"),
        ("verse AA 9-7", "numbers from 1 to 30"),
        ("verse AA 8,", "numbers from 1 to 30"),
        ("verse 8,6", "a text such as"),
        ("ABAB 8", "a text such as"),
        ("verse ABAB iamb", "a text such as"),
        ("verse ABAB iambic trochaic", "a text such as"),
        ("verse ABAB 1 8", "a text such as"),
    ],
)
def test_what_is_no_form_is_refused_with_what_is_meant(text: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        read_form(text)
