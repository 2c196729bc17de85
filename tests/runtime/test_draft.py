"""Drafts: how they are read, which form is found in them, how their gaps are filled and lines suggested."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import lyricgen
from lyricgen.errors import DraftError, ExcludedOptionError, OptionError
from lyricgen.generator import Model
from lyricgen.song.draft import Draft, DraftLine, read_draft
from lyricgen.song.draft_form import found_form, rewritten, texts_after, with_repeats
from lyricgen.song.form import read_form
from lyricgen.song.scheme import guessed_scheme, rhyme_scheme
from lyricgen.song.sound import ENGLISH, PERFECT, line_syllables, rhyme
from lyricgen.terminal import run as run_command
from tests.conftest import Apps, Runner
from tests.make_fake_model import FAKE_MODEL_PATH
from tests.runtime.conftest import python

HARBOUR = """The Harbour

The boats come in at evening
...
The gulls ... land
...

[Chorus]
Leave a light upon the water
... x2
I am waiting still for you

The rain is on the window
And all the streets are bare
...
...

[Chorus]
"""


ODD_DOTS = ("... ...", "....", "(...)", "...,", "…!")


def lines_of(draft: Draft) -> list[list[str]]:
    return [
        [line.text or f"{line.begins}...{line.ends}" for line in stanza.lines] for stanza in draft.stanzas
    ]


@pytest.mark.parametrize(
    ("text", "title", "lines"),
    [
        ("...", "", [["..."]]),
        ("A line", "", [["A line"]]),
        ("Title\n\nA line\n…", "Title", [["A line", "..."]]),
        ("...\n\nA line\n", "", [["A line"]]),  # a title to be invented
        ("[Verse 1]\nA\n[Chorus]\nB\n\n[Chorus: softly]\n", "", [["A"], ["B"], ["B"]]),
        ("[Verse 1]\nA\nB\n\n[Verse 2]\n\n[Verse 1]\n", "", [["A", "B"], ["...", "..."], ["A", "B"]]),
        ("\ufeffT\r\n\r\n  The   moon ...\r\n... by\r\n... x1\r\n", "T", [["The moon ...", "...by", "..."]]),
        ("Oh ... a lantern\nI wait...\n...and wait", "", [["Oh ...a lantern", "I wait...", "...and wait"]]),
        ("... x3\nA", "", [["...", "...", "...", "A"]]),
        ("... x2\n\nA\n", "", [["...", "..."], ["A"]]),
        ("[Refrão]\nVem\n\n[Refrão]\n", "", [["Vem"], ["Vem"]]),
        ("A\n\nB\n\n\n\nC", "A", [["B"], ["C"]]),
    ],
)  # fmt: skip
def test_a_draft_is_read(text: str, title: str, lines: list[list[str]]) -> None:
    draft = read_draft(text)
    assert (draft.title, lines_of(draft)) == (title, lines)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 0, "has no lines"),
        ("\n \n", 0, "has no lines"),
        ("A\nB\n[Chorus]\n", 3, "[Chorus] has no lines, nor had it before"),
        ("[]\n\nA\nB\n", 1, "[] has no lines"),
        ("The ... sea\n\nA", 1, "a title is words, or ... alone for one to be invented"),
        ("la " * 101, 1, "has 302 characters; at most 300 are read"),
        ("A\n... x0", 2, "... x1 to ... x400 are so many lines"),
        ("... x401", 1, "are so many lines"),
        ("... x300\n... x300", 0, "has 600 lines; at most 400 are read"),
        ("A\n... !", 2, "behind the three dots a word is expected"),
        ("A\nAnd ... x2", 2, "... x2 stands alone"),
        *(
            (f"A\nThe {dots} light", 2, "a line has one gap")
            for dots in ("... ...", "....", "(...)", "...,", "…!")
        ),
        ("A\x1b[2J\nB", 1, "has a character that cannot be printed"),
        ("la " * 20_000, 0, "has 60,000 characters; at most 50,000 are read"),
    ],
)
def test_a_draft_that_makes_no_sense_is_a_sentence(text: str, line: int, said: str) -> None:
    with pytest.raises(DraftError) as caught:
        read_draft(text)
    assert caught.value.line == line
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"the draft, line {line}: " if line else "the draft has ")


def rhymes(word: str, other: str) -> float:
    return rhyme(ENGLISH, word, other)


def never(_word: str) -> bool:
    return False


def always(_word: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("ends", "scheme"),
    [
        ("day stone way alone", "ABAB"),
        ("day way stone alone", "AABB"),
        ("day stone green alone", "xAxA"),
        ("day day way", "AAA"),
        ("day stone day", "xxx"),  # a word is no rhyme for itself
        ("", ""),
    ],
)
def test_a_scheme_is_found_in_last_words(ends: str, scheme: str) -> None:
    assert rhyme_scheme(ends.split(), rhymes) == scheme


@pytest.mark.parametrize(
    ("ends", "others", "scheme"),
    [
        (["day", "", "way", ""], {}, "ABAB"),
        (["day", "", "stone", ""], {}, "xAxA"),
        (["day", "way", "", "stone"], {}, "AABB"),
        (["", "", "", ""], {}, "ABAB"),  # the commonest in English songs
        (["", "", "", ""], {"ABBA": 1.0}, "ABBA"),
        (["day", "", "way", ""], {"AABB": 2.0}, "ABAB"),  # what is there says more
        (["day", "", "", "way", "", "", ""], {}, "ABBACxC"),
        (["day", "way", "stone"], {}, "AAx"),
    ],
)
def test_a_scheme_is_guessed_where_words_are_missing(
    ends: Sequence[str], others: dict[str, float], scheme: str
) -> None:
    found = guessed_scheme(ends, rhymes, always, {"ABAB": 0.3, "xAxA": 0.25, "AABB": 0.2}, others)
    assert found == scheme


def test_a_word_without_rhymes_is_not_asked_for_one() -> None:
    assert guessed_scheme(["orange", ""], rhymes, always, {}, {}) == "AA"
    assert guessed_scheme(["orange", "", "month", ""], rhymes, never, {}, {}) == "xAxA"


def test_the_form_of_a_draft_is_found(model: Model) -> None:
    form = found_form(read_draft(HARBOUR), model.card)
    assert [section.name for section in form] == ["verse", "chorus", "verse", "chorus"]
    schemes = ["".join(line.rhyme for line in section.lines) for section in form]
    assert schemes[:3] == ["xAxA", "xAxA", "xAxA"]  # evening and land do not rhyme, nothing with window
    assert [line.syllables for line in form.sections[2].lines] == [None, None, (5, 7), (5, 7)]
    assert form.sections[3].comes_back


def test_syllables_are_those_of_the_rhyme_partner_or_of_other_stanzas(model: Model) -> None:
    verse = "The moon is low, the night is long\nAnd all the {}\nI hear an old and distant song\n{}\n\n"
    draft = read_draft("T\n\n" + verse.format("sea", "It calls to me") + verse.format("day", "...") + "...\n")
    form = found_form(draft, model.card)
    assert form.sections[1].lines[3].syllables == (3, 5)  # "And all the day" has four
    assert form.sections[2].lines[0].syllables == (7, 9)  # the median of all lines


def test_a_gap_where_other_stanzas_have_a_refrain_is_the_refrain() -> None:
    verses = "".join(f"A line {n}\nCarry me home\n\n" for n in range(2)) + "Another line\n...\n"
    assert lines_of(with_repeats(read_draft("T\n\n" + verses)))[2] == ["Another line", "Carry me home"]
    once = "A line\nCarry me home\n\nAnother line\n..."
    assert lines_of(with_repeats(read_draft("T\n\n" + once)))[1] == ["Another line", "..."]


def test_a_stanza_that_stands_there_twice_is_a_chorus() -> None:
    draft = with_repeats(read_draft("A\nB\n\nC\nD\n\nE\nF\n\nC\nD\n"))
    assert [(stanza.name, stanza.comes_back) for stanza in draft.stanzas] == [
        *(("", False), ("chorus", False), ("", False), ("chorus", True)),
    ]
    anew = rewritten(draft, {1, 4})
    assert lines_of(anew) == [["...", "B"], ["C", "..."], ["E", "F"], ["C", "..."]]
    assert anew.lines[3].was == "D"
    assert lines_of(rewritten(draft, {8})) == lines_of(rewritten(draft, {4}))  # the line that it repeats


def test_two_stanzas_that_come_back_stay_apart() -> None:
    text = "T\n\nA\nB\n\nC\nD\n\nA\nB\n\nC\nD\n\nE\n"
    draft = with_repeats(read_draft(text))
    assert [stanza.name for stanza in draft.stanzas] == ["chorus", "chorus2", "chorus", "chorus2", ""]
    assert lines_of(rewritten(draft, {9}))[:4] == [["A", "B"], ["C", "D"], ["A", "B"], ["C", "D"]]
    labelled = with_repeats(read_draft("[Chorus]\nX\nY\n\nA\nB\n\nA\nB\n"))
    assert [stanza.name for stanza in labelled.stanzas] == ["chorus", "chorus2", "chorus2"]


def test_a_chorus_that_is_rewritten_comes_back_with_its_new_words(model: Model) -> None:
    draft = HARBOUR.replace("... x2", "Where all the winds are blue,\nWhere all the winds are gone,")
    song = model.generate(draft=draft, rewrite="7", seed=2, candidates=16)
    assert song.lines[6].text != "Where all the winds are gone,"
    assert [line.text for line in song.lines[12:]] == [line.text for line in song.lines[4:8]]


def test_a_chorus_written_out_twice_is_one_chorus(model: Model) -> None:
    chorus = "[Chorus]\nLeave a light upon the water\n...\n"
    draft = f"T\n\n{chorus}\nThe rain is on the hill\n\n{chorus}"
    song = model.generate(draft=draft, seed=1, candidates=16)
    assert song.lines[1].text == song.lines[4].text
    begun = draft.replace("...", "And ... night")
    song = model.generate(draft=begun, seed=1, candidates=16)
    assert song.lines[1].text.startswith("And ")
    assert song.lines[1].text == song.lines[4].text
    verses = with_repeats(read_draft("[Verse]\nA\nB\n\n[Verse]\nC\nD\n\n[Verse]\nC\nD\n\n[Verse]\nA\nB\n"))
    assert [stanza.comes_back for stanza in verses.stanzas] == [False, False, False, True]
    assert lines_of(rewritten(verses, {4, 7})) == [["...", "B"], ["C", "..."], ["C", "D"], ["...", "B"]]


def test_labels_stay_and_a_draft_without_a_title_gets_none(model: Model) -> None:
    chorus = "[Chorus]\nOh stay with me\nBeside the sea\n"
    draft = f"[Verse 1]\nThe day is long\n...\n\n{chorus}\n[Verse 2]\n\n[Chorus]\n"
    song = model.generate(draft=draft, seed=1, candidates=16)
    labels = [line for line in song.text.split("\n") if line.startswith("[")]
    assert labels == ["[Verse 1]", "[Chorus]", "[Verse 2]", "[Chorus]"]
    assert song.text.startswith("[Verse 1]\nThe day is long\n")
    assert song.title is None
    assert len(song.lines) == 8
    assert [line.text for line in model.score(song.text).lines] == [line.text for line in song.lines]
    assert model.generate(draft="...\n\n" + draft, seed=1, candidates=16).title is not None


def test_an_end_that_fills_the_line_stays(model: Model) -> None:
    draft = "T\n\nI packed my bag and caught the train,\n... {}\nI left my hat out in the rain,\n"
    draft += "... beside the sea.\n"
    for end in ("so far away from me", "it is so far away from me", "me"):
        song = model.generate(draft=draft.format(end), seed=1, candidates=32)
        assert song.lines[1].text.lower().rstrip(",.;:!?- ").endswith(end)
        assert song.lines[1].fits


def test_labels_count_with_a_form_that_was_asked_for(model: Model) -> None:
    verse, chorus = "The day is long\nI hear a song\n", "[Chorus]\nOh stay with me\n...\n"
    draft = f"T\n\n{verse}\n{chorus}\nA bird, a stone\n...\n\n[Chorus]\n"
    song = model.generate(draft=draft, rhyme="AA", seed=1, candidates=16)
    assert [line.text for line in song.lines[6:]] == [line.text for line in song.lines[2:4]]
    assert [gap.line for gap in model.suggest(draft=draft, rhyme="AA", count=1)] == [4, 6]
    with pytest.raises(OptionError, match="rhyme must be for stanzas of 2, 2, 2, 2 lines, as the draft has"):
        model.generate(draft=draft, rhyme="ABA")


def test_a_model_without_titles_reads_no_title() -> None:
    plain = lyricgen.load(FAKE_MODEL_PATH)
    song = plain.generate(draft="abcd\n\nabc\nab\n...\n", seed=1, candidates=8)
    assert song.text.startswith("abcd\n\nabc\nab\n")
    assert [line.text for line in plain.score("abcd\n\nabc\n").lines] == ["abcd", "abc"]


@pytest.mark.parametrize(
    ("gap", "begins", "ends"),
    [
        ("I’m ...", "I’m ", ""),
        ("Café ...", "Café ", ""),
        ("... café", "", "café"),
        ("A ...", "A ", ""),
        ("The sun ... light", "The sun ", "light"),
    ],
)
def test_beginnings_and_ends_stand_there_as_they_were_written(
    model: Model, gap: str, begins: str, ends: str
) -> None:
    (found,) = model.suggest(draft=f"Low Moon\n\nThe moon is on the hill\n{gap}\n", count=4)
    for line in found.suggestions:
        assert line.text.startswith(begins)
        assert line.text.rstrip(",.;:!?- ").endswith(ends)
        assert line.fits


def test_an_end_that_does_not_come_is_said_to_be_missing(model: Model) -> None:
    draft = "Low Moon\n\nThe moon is on the hill\n... xylophone zebra quartz yacht kiosk pyjamas\n"
    (gap,) = model.suggest(draft=draft, count=2)
    assert not any(line.fits for line in gap.suggestions)


def test_all_gaps_have_the_style_of_the_first_song(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = "Low Moon\n\nThe moon is on the hill\n...\n...\n"
    alone = [list(model.suggest(draft=draft, count=2, style=style)) for style in ("hymn", "ballad")]
    monkeypatch.setattr(model.file, "card", replace(model.card, suggested_styles=("hymn", "ballad")))
    assert list(model.suggest(draft=draft, count=2)) == alone[0] != alone[1]


def test_gaps_that_are_passed_over_are_not_read(model: Model) -> None:
    """A gap behind gaps gets the lines that it gets alone."""
    (alone,) = model.suggest(draft="Low Moon\n\nThe stars are slow\n...\n", rhyme="xx", count=3)
    behind = "Low Moon\n\n... x2\n\n... x2\n\nThe stars are slow\n...\n"
    (found,) = model.suggest(draft=behind, rhyme="xx", count=3, lines="6")
    assert {line.stanza for line in found.suggestions} == {2}
    assert all(0 < (line.bits or 0) < 100 for line in (*found.suggestions, *alone.suggestions))


def test_long_stanzas_and_odd_lines_have_a_form(model: Model) -> None:
    assert len(found_form(read_draft("... x60\n"), model.card).sections[0].lines) == 60
    long = found_form(read_draft("la " * 36 + "\n...\n"), model.card).sections[0].lines[1].syllables
    assert long == (30, 30)
    marks = found_form(read_draft("A\n***\n\nB\n***\n\nC\n...\n"), model.card)
    assert marks.sections[2].lines[1].syllables == (1, 2)


def test_what_follows_a_line_is_the_next_two_that_are_given() -> None:
    form = read_form("verse AAA; verse BB")
    given = [DraftLine(), DraftLine("one"), DraftLine("two"), DraftLine("three"), DraftLine(begins="four")]
    assert texts_after(form, given) == ["\none\ntwo\n", "\ntwo\n\nthree\n", "\n\nthree\n", "", ""]


def test_gaps_are_filled_and_the_other_lines_stay(model: Model) -> None:
    song = model.generate(draft=HARBOUR, seed=1, candidates=32)
    assert song.title == "The Harbour"
    given = [line for stanza in read_draft(HARBOUR).stanzas for line in stanza.lines]
    for line, found in zip(given[:12], song.lines, strict=False):
        assert found.text == line.text or not line.text
        assert found.text.startswith(line.begins)
    assert song.lines[2].text.rstrip(",.;:!?").endswith("land")
    assert [line.text for line in song.lines[12:]] == [line.text for line in song.lines[4:8]]
    for first, second in ((1, 3), (5, 7), (9, 11)):
        ends = [song.lines[n].text.strip(",.;:!?-").split()[-1].lower() for n in (first, second)]
        assert rhymes(*ends) == PERFECT
    assert "".join(model.stream(draft=HARBOUR, seed=1, candidates=32)) == song.text
    assert next(model.songs([0, 1], draft=HARBOUR, seed=1, candidates=32)) == song


def test_a_line_rhymes_with_the_lines_after_it(model: Model) -> None:
    draft = "Low Moon\n\nThe moon is low\n...\nThe stars are slow\nAnd far from home tonight\n"
    song = model.generate(draft=draft, rhyme="ABAB", seed=2, candidates=32)
    assert song.lines[1].rhymes
    assert rhymes(song.lines[1].text.strip(",.;:!?-").split()[-1], "tonight") == PERFECT


SONG = """Low Moon

The moon is low, the night is long,
And all the stars are bright;
I hear an old and distant song
Come home across the night.

And I will never sing again,
Nor walk beside the sea,
For all the wind and all the rain
Are coming home to me.
"""


@pytest.mark.parametrize(
    ("options", "anew"),
    [({"rewrite": "2,7-8"}, {2, 7, 8}), ({"keep": "1-6"}, {7, 8}), ({"rewrite": " 4 , 4-4"}, {4})],
)
def test_lines_are_written_anew_and_the_others_stay_to_the_letter(
    model: Model, options: lyricgen.SongOptions, anew: set[int]
) -> None:
    asked: lyricgen.SongOptions = {**options, "draft": SONG, "seed": 4, "candidates": 32}
    song, old = model.generate(**asked), model.score(SONG)
    for number, (line, before) in enumerate(zip(song.lines, old.lines, strict=True), 1):
        assert (line.text != before.text) == (number in anew)
        assert line.rhymes
        assert line.fits
        assert abs((line.syllables or 0) - before.syllables) <= 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rewrite": "3"}, "rewrite cannot be used with a song without a draft"),
        ({"draft": SONG, "rewrite": "3", "keep": "4"}, "keep cannot be used with rewrite"),
        *(
            ({"draft": SONG, "rewrite": text}, "rewrite must be numbers of lines from 1 to 8, such as 3,5-7")
            for text in ("0", "9", "3-2", "a", "", "1,,2", "-1")
        ),
    ],
)
def test_lines_that_cannot_be_written_anew_are_an_error(
    model: Model, options: lyricgen.SongOptions, said: str
) -> None:
    with pytest.raises(OptionError, match=said):
        model.generate(**options)


def test_what_follows_decides_among_lines_that_fit(model: Model) -> None:
    """Lines chosen for what follows make that likelier than lines that were not."""
    draft, follows = (
        "Last Train\n\nThe last train left at half past ten\n...\n",
        "So I walked home in the rain\n",
    )

    def cost(text: str) -> float:
        """Bits per character of what follows, behind the best line for a draft, in the mean."""
        lines = (next(model.suggest(draft=text, seed=seed)).suggestions[0].text for seed in range(5))
        songs = [draft.replace("...", line) + follows for line in lines]
        return sum(model.score(song).lines[2].bits_per_character for song in songs) / len(songs)

    assert cost(draft + follows) < cost(draft)


def test_suggestions_fit_and_differ(model: Model) -> None:
    gaps = list(model.suggest(draft=HARBOUR, count=5))
    assert [gap.line for gap in gaps] == [2, 3, 4, 6, 7, 11, 12]
    assert gaps[0].before == "The boats come in at evening"
    for gap in gaps:
        assert 1 <= len(gap.suggestions) <= 5
        low, high = gap.syllables
        for line in gap.suggestions:
            assert any(low <= count <= high for count in line_syllables(ENGLISH, line.text))
            assert line.text.startswith(gap.given.begins)
            assert line.rhymes
            assert line.fits
        if not gap.given.ends:
            ends = {line.text.strip(",.;:!?- ").split()[-1].lower() for line in gap.suggestions}
            assert len(ends) == len(gap.suggestions)
    assert gaps[:2] == list(model.suggest(draft=HARBOUR, count=5, seed=0, threads=1, lines="2-3"))
    assert gaps[:1] != list(model.suggest(draft=HARBOUR, count=5, seed=1, lines="2"))


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"prompt": "a"}, ExcludedOptionError, "prompt cannot be used with a draft"),
        ({"title": "a"}, ExcludedOptionError, "title cannot be used with a draft that has one"),
        ({"form": "free"}, ExcludedOptionError, "draft cannot be used with form free"),
        (
            {"form": "hymn"},
            OptionError,
            "form must be for stanzas of 4, 4, 4, 4 lines, as the draft has, not 4, 4, 4",
        ),
        ({"exact_length": True}, ExcludedOptionError, "exact_length cannot be used with a form"),
    ],
)
def test_what_does_not_go_with_a_draft_is_an_error(
    model: Model, options: lyricgen.SongOptions, error: type[OptionError], said: str
) -> None:
    asked: lyricgen.SongOptions = {**options, "draft": HARBOUR}
    with pytest.raises(error, match=said):
        model.generate(**asked)


@pytest.mark.parametrize("draft", [None, "No gap here\nAt all\n"])
def test_without_a_gap_there_is_nothing_to_suggest(model: Model, draft: str | None) -> None:
    with pytest.raises(DraftError, match=r"the draft has no gap: write \.\.\. where a line is missing"):
        model.suggest(draft=draft)


def test_a_line_rhymes_with_the_given_end_of_another_gap(model: Model) -> None:
    draft = "Low Moon\n\nThe moon is on the hill\n...\nAnd every star is still\n... light\n"
    first, second = model.suggest(draft=draft, count=3)
    assert first.rhymes_with == ("light",)
    assert all(rhymes(line.text.strip(",.;:!?- ").split()[-1], "light") == 1 for line in first.suggestions)
    assert second.rhymes_with == ()
    lone = model.suggest(draft="Low Moon\n\n...\n\n...\nThe stars are old\n", count=1)
    assert [gap.line for gap in lone] == [1, 2]


def test_suggest_in_a_terminal(desk: Runner, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "draft.txt"
    path.write_bytes(HARBOUR.replace("\n", "\r\n").replace("boats", "boats ☃").encode())
    outcome = desk("suggest", path, "-n", 2, "--lines", "2,6")
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        "the model does not know ☃ and reads the draft without",
        "syllables, bits per character (the fewer, the more expected), line",
    ]
    lines = outcome.out.splitlines()
    assert lines[0] == 'line 2, after "The boats ☃ come in at evening": 5 to 7 syllables'
    assert max(map(len, lines)) <= 80
    gaps = list(model.suggest(draft=HARBOUR.replace("boats", "boats ☃"), count=2, lines="2,6"))
    assert lines[1].split(maxsplit=2)[2] == gaps[0].suggestions[0].text
    assert 'line 6, after "Leave a light upon the water": 6 to 8 syllables, rhymes with you' in " ".join(
        lines
    )
    found = json.loads(desk("suggest", path, "-n", 2, "--lines", "2,6", "--format", "json").out)
    assert [gap["line"] for gap in found] == [gap.line for gap in gaps]
    assert found[0]["suggestions"][0]["text"] == gaps[0].suggestions[0].text


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, 2, "DRAFT must be a file that can be read (No such file or directory)"),
        (b"\xff\xfe", 2, "DRAFT must be a text in UTF-8"),
        (b"a\n" * 600_000, 2, "DRAFT must be a text of at most 1,048,576 bytes"),
        (b"a\n" * 60_000, 1, "the draft has 120,000 characters; at most 50,000 are read"),
        (b"no gap", 1, "the draft has no gap: write ... where a line is missing"),
    ],
)
def test_a_draft_that_cannot_be_used_is_one_sentence(
    desk: Runner, tmp_path: Path, content: bytes | None, code: int, said: str
) -> None:
    path = tmp_path / "draft.txt"
    if content is not None:
        path.write_bytes(content)
    desk("suggest", path).assert_one_line_error(code, said)


def test_run_fills_a_draft_from_a_file(run: Apps, desk: Runner, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "draft.txt"
    path.write_text(HARBOUR)
    song = model.generate(draft=HARBOUR, seed=1, candidates=8)
    for asked in (run(run_command.app, "lyricgen-run"), partial(desk, "run")):
        assert asked("--draft", path, "--seed", 1, "--candidates", 8).out == song.text + "\n"


def test_a_draft_is_not_written_over(run: Apps, tmp_path: Path) -> None:
    path = tmp_path / "draft.txt"
    path.write_text(HARBOUR)
    written = run(run_command.app, "lyricgen-run")("--draft", path, "--output", path)
    written.assert_one_line_error(2, "--output must be another file than the draft")
    assert path.read_text() == HARBOUR


def test_only_some_gaps_are_asked_for(desk: Runner, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "draft.txt"
    path.write_text(HARBOUR)
    assert desk("suggest", path, "-n", 1, "--lines", "2,11-12").out.count("line ") == 3
    assert [gap.line for gap in model.suggest(draft=HARBOUR, count=1, lines="1-3")] == [2, 3]
    desk("suggest", path, "--lines", "99").assert_one_line_error(2, "--lines must be numbers of lines")


def test_lyricgen_alone_shows_its_help() -> None:
    outcome = python("from lyricgen.__main__ import commands; import sys; sys.argv[1:] = []; commands()")
    assert outcome.returncode == 0
    assert "suggest" in outcome.stdout
    closed = "import sys; sys.stdin = None; sys.argv[1:] = ['suggest', '-']; "
    outcome = python(closed + "from lyricgen.__main__ import commands; commands()")
    assert (outcome.returncode, outcome.stderr) == (
        2,
        "error: DRAFT must be a file; stdin is closed, not -\n",
    )


def test_a_song_in_a_line_of_json_is_a_draft(desk: Runner, tmp_path: Path) -> None:
    path, options = tmp_path / "song.jsonl", ("--seed", 1, "--candidates", 8)
    song = desk("run", "--form", "quatrains", *options, "--format", "jsonl").out
    path.write_text(song)
    changed = desk("run", "--draft", path, "--rewrite", 3, *options, "--format", "jsonl").out
    before, after = (json.loads(one)["text"].split("\n") for one in (song, changed))
    assert [n for n, (one, other) in enumerate(zip(before, after, strict=True)) if one != other] == [4]
    path.write_text(song + song)
    said = "DRAFT must be a file with one song"
    desk("suggest", path, "--rewrite", 3).assert_one_line_error(2, said)
