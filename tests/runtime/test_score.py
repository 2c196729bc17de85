"""lyricgen score and rhymes: what is said of a song and of a word."""

import json
import statistics
from pathlib import Path

import pytest

import lyricgen
from lyricgen.engine.reading import bits_of
from lyricgen.errors import DraftError, OptionError
from lyricgen.generator import Model
from lyricgen.model_file.contract import join_title
from lyricgen.song.form import read_form
from lyricgen.song.sound import ENGLISH, rhyme
from tests.conftest import Runner
from tests.make_fake_model import FAKE_MODEL_PATH

SONG = """Low Moon

The moon is low, the night is long,
And all the stars are bright;
I hear an old and distant song
Come home across the night.

And I will never sing again,
Nor walk beside the water,
For all the wind and all the rain
Are coming home to slaughter the very last of me.

The moon is low, the night is long,
And zigzag kazoos rattle;
I hear an old and distant long
Come home across the light.
"""


def test_a_song_that_the_model_wrote_costs_what_it_cost_when_it_was_written(model: Model) -> None:
    for style in ("", "hymn"):
        song = model.generate(form="free", seed=3, style=style, max_length=400, exact_length=True)
        vocabulary = model.card.vocabulary
        token = vocabulary.style_token(style) if style else None
        found = bits_of(model.file, vocabulary.encode(song.text), [token])
        assert song.bits_per_character is not None
        assert abs(found.mean() - song.bits_per_character) < 1e-4


def test_texts_in_several_styles_are_read_as_each_alone(model: Model) -> None:
    vocabulary = model.card.vocabulary
    tokens, styles = vocabulary.encode("Low Moon\n\nThe moon"), [None, 1, 3]
    together = bits_of(model.file, tokens, styles)
    for n, style in enumerate(styles):
        assert (together[:, n] == bits_of(model.file, tokens, [style])[:, 0]).all()


def test_lines_are_scored(model: Model) -> None:
    score = model.score(SONG)
    assert (score.title, score.metre) == ("Low Moon", "iambic")
    assert score.form == "verse ABAB 8,6,8,6 iambic"
    assert [line.syllables for line in score.lines[:8]] == [8, 6, 8, 6, 8, 7, 8, 13]
    assert "".join(line.rhyme or "x" for line in score.lines) == "ABAB" + "AxAx" + "xxxx"
    assert score.lines[0].stress == "x/x/x/x/"
    assert score.style in model.card.vocabulary.styles
    assert (score.repeated_lines, score.words) == (1, 79)
    tokens = model.card.vocabulary.encode(SONG.rstrip("\n"))
    costs = bits_of(model.file, tokens)[:, 0]
    first = len("Low Moon\n\n")
    assert score.lines[0].bits_per_character == pytest.approx(
        costs[first : first + len("The moon is low, the night is long,\n")].mean()
    )


def test_what_strikes_one_is_marked(model: Model) -> None:
    marks = [line.marks for line in model.score(SONG).lines]
    assert marks[0] == ()
    assert "does not rhyme" in marks[7]
    assert "does not rhyme" in marks[11]
    assert "rhymes with itself" in marks[10]
    assert "breaks the metre" in marks[9]
    assert any("odd: kazoos" in mark for mark in marks[9])


def test_a_near_rhyme_and_a_very_expected_line_are_marked(model: Model) -> None:
    near = "The sky is mine\n{}\n\nThe light is fine\nIt is the line\n\nThe end is here\nThe time is near\n"
    assert model.score(near.format("It is the time")).lines[1].marks[:1] == ("nearly rhymes",)
    assert model.score(near.format("It is the sign")).lines[1].rhyme == "A"
    odd = [f"Quixotic zebras vex {word}" for word in ("jumbled", "waxen", "fizzing", "quartz", "kinked")]
    score = model.score("\n".join(["And all the world was in the sea,", *odd]))
    assert "very expected" in score.lines[0].marks
    means = [line.bits_per_character for line in score.lines]
    assert means[0] < statistics.mean(means) - 1.5 * statistics.pstdev(means)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("One line", ["One line"]),
        ("Wait ... !\nTwo", ["Wait ... !", "Two"]),
        ("I wait ... for you\n...\nAnd go", ["I wait ... for you", "And go"]),
        ("[Chorus]\nA ☃ line\n", ["A ☃ line"]),
        ("?!\n1999\n", ["?!", "1999"]),
    ],
)
def test_any_text_has_a_score(model: Model, text: str, lines: list[str]) -> None:
    score = model.score(text)
    assert [line.text for line in score.lines] == lines
    assert score.unread == ("☃" if "☃" in text else "")
    assert score.bits_per_character > 0


def test_a_chorus_is_no_verse_and_its_name_fits_a_form(model: Model) -> None:
    verse, chorus = "The day is long\nI hear a song\n", "Oh stay with me\nBeside the sea\nOh stay\nAnd pray\n"
    named = f"[Verse]\n{verse}\n[Pre Chorus]\n{chorus}\n[Refrão]\n{verse}"
    for text in (named, f"{verse}\n{chorus}\n{verse.title()}\n{chorus}"):
        score = model.score(text)
        assert len(read_form(score.form).sections) >= 2
    assert "pre-chorus AABB" in model.score(named).form


def test_stress_has_a_sign_for_each_syllable(model: Model) -> None:
    song = ("The fire is in the hall tonight\n" + "I hear it sing beside the burning light\n") * 2
    for line in model.score(song.replace("tonight\nI", "tonight\n\nI")).lines:
        assert len(line.stress) == line.syllables


def test_long_stanzas_and_songs_are_scored_in_good_time(model: Model) -> None:
    ends = ["bat", "day", "sea", "stone", "light", "hill", "rain", "moon"]
    long = [f"I know a {end} {n}" for n in range(8) for end in ends]
    assert len(model.score("\n".join(long)).lines) == 64
    assert len(model.score("T\n\n" + "\n\n".join(long * 3)).lines) == 192
    with pytest.raises(DraftError, match="line 1: has 499 characters; at most 300 are read"):
        model.score("fire " * 100)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("score", (5,)), ("rhymes", (5,)), ("rhymes", (None,)), ("suggest", ())],
)
def test_what_is_no_text_is_an_error(model: Model, method: str, arguments: tuple[object, ...]) -> None:
    with pytest.raises((OptionError, DraftError)):
        getattr(model, method)(*arguments)
    with pytest.raises(OptionError, match="syllables"):
        model.rhymes("night", syllables=2)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "...", "Title\n\n... x4\n"])
def test_without_a_line_there_is_no_score(model: Model, text: str) -> None:
    with pytest.raises(DraftError, match="has no line"):
        model.score(text)


def test_a_model_without_styles_and_language_scores_too() -> None:
    score = lyricgen.load(FAKE_MODEL_PATH).score("abc abc\nabcd bcd\n")
    assert (score.style, score.metre, len(score.lines)) == ("", "", 2)


def test_score_in_a_terminal(desk: Runner, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "song.txt"
    path.write_text(SONG)
    outcome = desk("score", path)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "Low Moon"
    assert max(map(len, lines)) <= 80
    assert lines[2].split()[:3] == ["1", "8", "A"]
    assert lines[2].endswith("The moon is low, the night is long,")
    assert any(line.strip().startswith("^ ") and "odd: kazoos" in line for line in lines)
    assert "form           verse ABAB 8,6,8,6 iambic" in lines
    found = json.loads(desk("score", path, "--format", "json").out)
    assert found["lines"][0]["text"] == model.score(SONG).lines[0].text
    desk("score", tmp_path / "none.txt").assert_one_line_error(2, "SONG must be a file that can be read")
    desk("score", path, "--format", "xml").assert_one_line_error(2, "--format must be text or json, not xml")


def test_rhymes_are_found_and_the_likeliest_come_first(model: Model) -> None:
    found = model.rhymes("night", after="The stars are burning")
    assert found[0].word == "bright"
    assert all(rhyme(ENGLISH, "night", one.word) == one.rhyme == 1 for one in found)
    costs = [one.bits for one in found if one.bits is not None]
    assert costs == sorted(costs)
    text = join_title("", f"The stars are burning {found[3].word}\n")
    tail = len(found[3].word) + 1
    assert costs[3] == pytest.approx(
        bits_of(model.file, model.card.vocabulary.encode(text))[-tail:, 0].sum(), abs=1e-4
    )
    assert {one.word for one in model.rhymes("night")} == {one.word for one in found}
    assert model.rhymes("night", count=3) == model.rhymes("night")[:3]


def test_near_rhymes_follow_the_perfect_ones(model: Model) -> None:
    found = model.rhymes("time", near_rhymes=True, count=1000)
    kinds = [one.rhyme < 1 for one in found]
    assert kinds == sorted(kinds)
    assert {"rhyme", "mine"} <= {one.word for one in found}
    assert "mine" not in {one.word for one in model.rhymes("time", count=1000)}


def test_rhymes_have_the_syllables_asked_for_also_of_unknown_words(model: Model) -> None:
    assert {one.syllables for one in model.rhymes("nation", syllables="2")} == {2}
    assert {one.syllables for one in model.rhymes("nation", syllables="3-4")} <= {3, 4}
    assert [one.word for one in model.rhymes("zight")][:2] == [one.word for one in model.rhymes("dight")][:2]


@pytest.mark.parametrize(
    ("word", "options", "said"),
    [
        ("two words", {}, "word must be one word"),
        ("", {}, "word must be one word"),
        ("?", {}, "word must be one word"),
        ("night", {"syllables": "x"}, "syllables must be numbers from 1 to 30"),
        ("night", {"count": 0}, "count must be a whole number from 1 to 10000"),
    ],
)
def test_what_is_no_word_is_an_error(
    model: Model, word: str, options: dict[str, str | int], said: str
) -> None:
    with pytest.raises(OptionError, match=said):
        model.rhymes(word, **options)  # type: ignore[arg-type]


def test_a_model_without_rhymes_says_so() -> None:
    with pytest.raises(OptionError, match="this model, whose card lists no words that rhyme"):
        lyricgen.load(FAKE_MODEL_PATH).rhymes("night")


def test_rhymes_in_a_terminal(desk: Runner) -> None:
    outcome = desk("rhymes", "time", "--near-rhymes", "-n", 500)
    perfect, near = outcome.out.split("\n\nnear rhymes:\n")
    assert "rhyme" in perfect.split()
    assert "mine" in near.split()
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert desk("rhymes", "orange").err == "no word that rhymes; --near-rhymes is less strict\n"
    found = json.loads(desk("rhymes", "time", "--format", "json", "-n", 2).out)
    assert [one["rhyme"] for one in found] == [1.0, 1.0]


@pytest.mark.parametrize("name", ["suggest", "rhymes", "score"])
def test_every_example_of_a_command_runs(
    desk: Runner, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "draft.txt").write_text(SONG.replace("Nor walk beside the water,", "..."))
    (tmp_path / "song.txt").write_text(SONG)
    examples = [line.strip(" │") for line in desk(name, "--help").out.splitlines() if " lyricgen " in line]
    assert examples
    for example in examples:
        if " - " not in example and example.startswith(f"lyricgen {name}"):
            words = example.split('"')
            typed = [part for n, text in enumerate(words) for part in ([text] if n % 2 else text.split())]
            assert desk(*typed[1:], *(["--candidates", 8] if name == "suggest" else [])).code == 0, example
