"""Songs with a form, by the bundled model and by models that write no sense."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

import lyricgen
from lyricgen.errors import ExcludedOptionError, OptionError
from lyricgen.generator import Model, Song
from lyricgen.options import SongOptions
from lyricgen.song import composer as composer_module
from lyricgen.song.composer import Composer, FormPlan
from lyricgen.song.form import NAMED, read_form
from lyricgen.song.line_search import Candidate, LineSearch
from lyricgen.song.sound import BY_LANGUAGE, ENGLISH, line_syllables, rhyme, words
from lyricgen.terminal import run as cli
from tests.conftest import Apps, Runner
from tests.make_fake_model import FAKE_MODEL_PATH, FAKE_STYLED_MODEL_PATH, biased_model_path, biases

FEW = 8


def hymn(**more: Any) -> SongOptions:  # noqa: ANN401 (options of any kind)
    options = {"rhyme": "ABAB", "syllables": "8,6,8,6", "stanzas": 2, "candidates": FEW, **more}
    return cast("SongOptions", options)


def ends(song: Song) -> list[str]:
    return [words(line.text)[-1] for line in song.lines]


def stanzas(song: Song) -> list[list[str]]:
    numbers = sorted({line.stanza for line in song.lines})
    return [[line.text for line in song.lines if line.stanza == number] for number in numbers]


def test_lines_rhyme_and_have_the_syllables_that_were_asked(model: Model) -> None:
    for seed in range(3):
        song = model.generate(**hymn(seed=seed))
        assert [line.syllables for line in song.lines] == [8, 6, 8, 6] * 2
        assert all(line.rhymes and line.fits for line in song.lines)
        last = ends(song)
        for one, other in ((0, 2), (1, 3), (4, 6), (5, 7)):
            assert rhyme(ENGLISH, last[one], last[other]) == 1
            assert last[one].lower() != last[other].lower()
        for line, asked in zip(song.lines, [8, 6, 8, 6] * 2, strict=True):
            assert asked in line_syllables(ENGLISH, line.text)


def test_the_text_is_the_title_and_the_lines(model: Model) -> None:
    song = model.generate(**hymn(seed=4, title="The Lantern"))
    first, second = ("\n".join(stanza) for stanza in stanzas(song))
    assert song.text == f"The Lantern\n\n{first}\n\n{second}"
    assert song.finished == "eos"
    assert [line.section for line in song.lines] == ["verse"] * 8
    assert [line.rhyme for line in song.lines] == list("ABABABAB")


def test_a_metre_is_kept_or_said_not_to_be(model: Model) -> None:
    for metre in ("iambic", "trochaic"):
        song = model.generate(**hymn(seed=4, style="hymn", candidates=64, metre=f" {metre.title()} "))
        for line, asked in zip(song.lines, [8, 6, 8, 6] * 2, strict=True):
            assert line.fits == (asked in line_syllables(ENGLISH, line.text, metre))
        assert sum(line.fits for line in song.lines) >= 7


def test_the_rhymes_of_a_villanelle_go_through_its_stanzas(model: Model) -> None:
    song = model.generate(form="villanelle", seed=3, candidates=FEW)
    first, *middle, last = stanzas(song)
    assert [stanza[-1] for stanza in middle] == [first[0], first[2], first[0], first[2]]
    assert last[-2:] == [first[0], first[2]]
    assert all(line.rhymes for line in song.lines)
    for one, other in ((4, 7), (1, 16), (0, 3), (3, 15)):  # lines with B, B, A, A
        assert rhyme(ENGLISH, ends(song)[one], ends(song)[other]) == 1


def test_no_line_comes_twice(model: Model) -> None:
    for seed in range(3):
        song = model.generate(form="couplets", seed=seed, candidates=FEW)
        assert len({line.text.lower() for line in song.lines}) == len(song.lines)


def test_a_chorus_comes_back_word_for_word_and_begins_with_the_title(model: Model) -> None:
    song = model.generate(form="song", title="The Long Road", seed=1, candidates=FEW)
    _, first, _, second, _, third = stanzas(song)
    assert first == second == third
    assert first[0].lower().startswith("the long road")


def test_a_refrain_is_sung_again(model: Model) -> None:
    song = model.generate(form="blues", seed=2, candidates=FEW)
    for first, second, _ in stanzas(song):
        assert first == second


@pytest.mark.parametrize("name", NAMED)
def test_every_named_form_has_its_lines(model: Model, name: str) -> None:
    song = model.generate(form=name, seed=5, candidates=4)
    lines = [(section, line) for section in read_form(name) for line in section.lines]
    assert len(song.lines) == len(lines)
    breaks = sum(line.opens_stanza for _, line in lines) + len(read_form(name).sections)
    assert len(stanzas(song)) == breaks == song.text.count("\n\n")
    assert song.finished == "eos"


def test_auto_has_a_shape_of_the_style(model: Model) -> None:
    shapes = [shape.form.split(" ")[1] for shape in model.card.shapes if shape.style == "hymn"]
    for seed in range(3):
        song = model.generate(form="auto", style="hymn", seed=seed, candidates=8)
        lines = [line for line in song.lines if line.stanza == 0]
        letters = "".join(line.rhyme or "x" for line in lines)
        assert letters in shapes
        assert 2 <= len(stanzas(song)) <= 12


def test_a_song_names_its_subject_by_the_fourth_line(model: Model) -> None:
    for subject in ("lantern", "sailor", "winter"):
        song = model.generate(**hymn(about=f"a {subject}", seed=3))
        assert any(subject in line.text.lower() for line in song.lines[:4])


def test_a_prompt_begins_the_lines(model: Model) -> None:
    song = model.generate(**hymn(title="Night", prompt="The moon is low\nAnd all", seed=1))
    assert song.lines[0].text == "The moon is low"
    assert song.lines[1].text.startswith("And all")


def test_the_same_song_by_any_number_of_threads_and_beside_others(model: Model) -> None:
    plain = [model.generate(index=index, **hymn(seed=6)) for index in range(3)]
    for threads in (1, 2):
        assert list(model.songs(range(3), threads=threads, **hymn(seed=6))) == plain
    unordered = model.songs(range(3), threads=2, in_order=False, **hymn(seed=6))
    assert sorted(unordered, key=lambda song: song.index) == plain
    (alone,) = model.songs([1], threads=2, **hymn(seed=6))
    assert alone == plain[1]


def test_the_same_song_where_python_takes_the_steps(model: Model, python_model: Model) -> None:
    assert python_model.generate(**hymn(seed=6)) == model.generate(**hymn(seed=6))


@pytest.fixture(scope="module")
def python_model() -> Model:
    from lyricgen.engine.step_model import ModelFile

    return Model(ModelFile(lyricgen.load().path, through_python=True))


def test_a_stream_is_the_song_line_by_line(model: Model) -> None:
    stream = model.stream(**hymn(seed=7))
    text = "".join(stream)
    assert stream.song == model.generate(**hymn(seed=7))
    assert text == stream.song.text


def test_lines_come_as_soon_as_nothing_can_change_them(model: Model) -> None:
    composer = Composer(model.file, model_plan(model, "verse AABB 6-8; verse"), 0, 1)
    written = []
    for _ in composer.lines():
        written.append(composer._search.written)
    assert written[0] == written[1] < written[2] == written[3] < written[4]


def model_plan(model: Model, form: str, candidates: int = FEW) -> FormPlan:
    from lyricgen.options import plan_song

    plan = plan_song(model.card, {"form": form, "seed": 1, "candidates": candidates})
    assert isinstance(plan, FormPlan)
    return plan


def test_a_song_stops_at_its_maximum_length(model: Model) -> None:
    whole = model.generate(**hymn(seed=8))
    cut = model.generate(**hymn(seed=8, max_length=len(whole.text) - 1))
    assert cut.finished == "length"
    assert whole.text.startswith(cut.text + "\n")
    assert cut.lines == whole.lines[:-1]


def test_near_rhymes_are_an_option(model: Model) -> None:
    song = model.generate(**hymn(seed=9, near_rhymes=True))
    assert all(line.rhymes for line in song.lines)
    last = ends(song)
    nearness = [rhyme(ENGLISH, last[n], last[n + 2]) for n in (0, 1, 4, 5)]
    assert 0.6 <= min(nearness) < 1


# What the writer gives.


def test_given_lines_stay_even_if_nothing_rhymes_with_them(model: Model) -> None:
    prompt = "I ate an orange\nAnd all"
    song = model.generate(**hymn(title="Night", prompt=prompt, seed=1))
    assert song.lines[0].text == "I ate an orange"
    assert song.lines[1].text.startswith("And all")
    assert not all(line.rhymes for line in song.lines[:4])


def test_a_given_line_that_is_too_long_stays_and_is_said_not_to_fit(model: Model) -> None:
    begun = "There was an old man of the hill and the wood and the"
    song = model.generate(**hymn(title="Night", prompt=begun, seed=1))
    assert song.lines[0].text.startswith(begun)
    assert not song.lines[0].fits
    assert all(line.fits for line in song.lines[4:])


def test_given_lines_do_not_rhyme_with_themselves(model: Model) -> None:
    song = model.generate(rhyme="AA", stanzas=1, title="x", prompt="my love\nyour love\n", candidates=FEW)
    assert [line.rhymes for line in song.lines] == [True, False]


def test_a_prompt_has_at_most_the_lines_of_the_form(model: Model) -> None:
    lines = [f"line {number}" for number in range(9)]
    with pytest.raises(OptionError, match="at most 8 lines"):
        model.generate(**hymn(title="Night", prompt="\n".join(lines)))
    song = model.generate(**hymn(title="Night", prompt="\n".join(lines[:8]) + "\n"))
    assert [line.text for line in song.lines] == lines[:8]
    long = "\n".join(["The moon is low"] + [f"line {number}" for number in range(30)])
    song = model.generate(form="auto", title="Night", prompt=long, seed=1, candidates=4)
    assert [line.text for line in song.lines[:30]] == long.split("\n")[:30]


def test_a_prompt_of_several_lines_begins_the_song_and_of_one_the_title(model: Model) -> None:
    song = model.generate(**hymn(prompt="The moon is low\nAnd all", seed=1))
    assert song.lines[0].text == "The moon is low"
    assert song.title
    song = model.generate(**hymn(prompt="The Moon", seed=1))
    assert song.title is not None
    assert song.title.startswith("The Moon")
    song = model.generate(**hymn(prompt="The Moon\n\nIt is low", seed=1))
    assert (song.title, song.lines[0].text[:9]) == ("The Moon", "It is low")


def test_the_title_is_of_what_the_song_is_about(model: Model) -> None:
    for seed in range(3):
        song = model.generate(**hymn(about="a lantern", seed=seed, stanzas=1))
        assert song.title is not None
        assert "lantern" in song.title.lower()
    with pytest.raises(lyricgen.UnknownCharacterError) as error:
        model.generate(**hymn(about="a 日"))
    assert error.value.option == "about"


def test_a_song_without_room_for_its_first_line_is_its_title(model: Model) -> None:
    song = model.generate(**hymn(title="Night", prompt="The moon", max_length=16))
    assert (song.text, song.lines, song.finished) == ("Night", (), "length")
    whole = model.generate(**hymn(seed=1))
    assert whole.title is not None
    for most in (1, len(whole.title) - 1):  # not even for the title that it invents
        song = model.generate(**hymn(max_length=most, seed=1))
        assert (song.text, song.lines, song.finished) == ("", (), "length")


# Going back.


class Searches(LineSearch):
    """Finds nothing for a line that has to rhyme, the first time."""

    failed = False

    def rhymed(self, *arguments: Any) -> list[Candidate]:  # noqa: ANN401
        if not self.failed:
            if arguments[-1] == 2:  # in the last try
                Searches.failed = True
            return []
        return super().rhymed(*arguments)


def test_going_back_writes_the_partner_anew_and_a_refrain_too(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = model_plan(model, "verse A1xA 6-8; verse", candidates=64)
    plain = list(Composer(model.file, plan, 0, 1).lines())
    monkeypatch.setattr(composer_module, "LineSearch", Searches)
    composer = Composer(model.file, plan, 0, 1)
    lines = list(composer.lines())
    assert composer.counts.dead_ends == 1
    assert lines[0].text != plain[0].text
    assert lines[0].bits is not None
    assert lines[3].text == lines[0].text
    assert all(line.rhymes for line in lines)


def test_lines_far_back_stay(model: Model) -> None:
    lines = Composer(model.file, model_plan(model, f"verse {'A' * 12} 6-8"), 0, 1).lines()
    assert next(lines).text
    lines.close()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_candidates_are_candidates_too(model: Model, count: int) -> None:
    plan = model_plan(model, "verse AA 6-8", candidates=count)
    composer = Composer(model.file, plan, 0, 1)
    tries: list[int] = []
    composer._search._draw = spied(composer._search._draw, tries)  # type: ignore[method-assign]
    assert len(list(composer.lines())) == 2
    assert sum(tries) == composer.counts.candidates
    assert 0 not in tries


def spied(draw: Any, counts: list[int]) -> Any:  # noqa: ANN401
    def spy(openings: Any, wanted: Any, count: int, stem: Any) -> Any:  # noqa: ANN401
        counts.append(count)
        return draw(openings, wanted, count, stem)

    return spy


def test_figures_count_what_the_model_wrote(model: Model) -> None:
    composer = Composer(model.file, model_plan(model, "first A1A1A 8; second xx"), 0, 1)
    lines = list(composer.lines())
    asked = composer.counts
    assert (asked.rhymes_asked, asked.syllables_asked) == (1, 2)  # A1 comes back; xx have no syllables
    assert asked.rhymes_met == lines[2].rhymes
    assert asked.syllables_met == lines[0].fits + lines[2].fits


# Models that write no sense.


@pytest.mark.parametrize("path", [FAKE_MODEL_PATH, FAKE_STYLED_MODEL_PATH])
def test_an_untrained_model_says_which_lines_do_not_do(path: Path) -> None:
    model = lyricgen.load(path)
    song = model.generate(rhyme="AABB", syllables="8", stanzas=1, seed=1, candidates=64)
    assert len(song.lines) == 4
    for one, other in zip(song.lines[::2], song.lines[1::2], strict=True):
        last = [words(line.text)[-1] for line in (one, other)]
        assert other.rhymes == (rhyme(BY_LANGUAGE[model.card.language], *last) == 1)


def test_a_model_that_ends_no_line_says_so(tmp_path: Path) -> None:
    model = lyricgen.load(biased_model_path(tmp_path, biases(a=10.0)))
    song = model.generate(rhyme="AA", seed=1, candidates=4)
    assert (song.text, song.lines, song.finished) == ("", (), "endless")


@pytest.mark.parametrize("temperature", [0, 0.1])
def test_a_cold_song_ends(model: Model, temperature: float) -> None:
    song = model.generate(**hymn(temperature=temperature, seed=1))
    assert len(song.lines) == 8


# Options.


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"form": "couplets", "rhyme": "AA"}, "rhyme"),
        ({"stanzas": 3}, "stanzas"),
        ({"form": "free", "about": "rain"}, "about"),
        ({"form": "free", "candidates": 5}, "candidates"),
        ({"form": "auto", "exact_length": True}, "exact_length"),
        ({"form": "auto", "candidates": 0}, "candidates"),
        ({"form": "verse AA iambic trochaic"}, "form"),
        ({"form": "hymn", "metre": "dactylic"}, "metre"),
        ({"rhyme": ""}, "rhyme"),
        ({"syllables": ""}, "syllables"),
        ({"form": "free", "metre": "iambic"}, "metre"),
        ({"form": "verse AB; coda"}, "form"),
        ({"rhyme": "A-B"}, "rhyme"),
        ({"rhyme": "AB", "syllables": "8,6,8"}, "syllables"),
        ({"rhyme": "AB", "syllables": "0"}, "syllables"),
        ({"rhyme": "AB", "syllables": "300"}, "syllables"),
        ({"rhyme": "AB", "stanzas": 0}, "stanzas"),
    ],
)
def test_what_makes_no_sense_is_named(model: Model, options: SongOptions, named: str) -> None:
    with pytest.raises(OptionError) as error:
        model.generate(**options)
    assert error.value.name == named


def test_stress_needs_a_dictionary() -> None:
    with pytest.raises(ExcludedOptionError, match="no dictionary of stress"):
        lyricgen.load(FAKE_MODEL_PATH).generate(rhyme="AA", metre="iambic")
    with pytest.raises(ExcludedOptionError, match="no dictionary of stress"):
        lyricgen.load(FAKE_MODEL_PATH).generate(form="verse AA 8 iambic")
    assert len(lyricgen.load(FAKE_MODEL_PATH).generate(form="hymn", seed=1, candidates=4).lines) == 12


def test_auto_needs_shapes() -> None:
    with pytest.raises(ExcludedOptionError, match="no shapes"):
        lyricgen.load(FAKE_MODEL_PATH).generate(form="auto")


# The command.


@pytest.fixture
def command(run: Apps) -> Runner:
    return run(cli.app, "lyricgen-run")


def test_the_command_writes_a_form(command: Runner, model: Model) -> None:
    arguments = ["--rhyme", "AABB", "--syllables", "8", "--stanzas", "1", "--candidates", "4", "--seed", "3"]
    expected = model.generate(rhyme="AABB", syllables="8", stanzas=1, candidates=4, seed=3)
    assert command(*arguments).out == expected.text + "\n"
    written = json.loads(command(*arguments, "--format", "jsonl").out)
    assert [line["text"] for line in written["lines"]] == [line.text for line in expected.lines]
    assert {line["syllables"] for line in written["lines"]} == {8}


def test_the_command_reads_a_form_from_a_file(command: Runner, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "form.txt"
    path.write_text("verse AA 6-8\nverse\n", "utf-8")
    expected = model.generate(form="verse AA 6-8; verse", candidates=4, seed=3)
    assert command("--form", path, "--candidates", "4", "--seed", "3").out == expected.text + "\n"


def test_a_form_that_is_no_file_is_a_text_however_long(command: Runner, tmp_path: Path) -> None:
    long = "verse xx 8; " + "verse; " * 60
    assert command("--form", long, "--candidates", "2", "--seed", "1", "--max-length", "60").code == 0
    for name, part in (("absent.txt", "a file that is there"), ("empty.txt", "a file that is not empty")):
        (tmp_path / "empty.txt").write_text("\n")
        command("--form", tmp_path / name).assert_one_line_error(2, "--form", part)
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    command("--form", tmp_path / "binary.txt").assert_one_line_error(2, "a text in UTF-8")


def test_lines_that_do_not_fit_are_named(command: Runner) -> None:
    prompt = "I ate an orange by today\\nAnd nothing else\\n"
    said = command(
        "--rhyme", "AA", "--syllables", "8", "--stanzas", "1", "--title", "x", "--prompt", prompt
    ).err
    assert "1 line does not rhyme as asked (2)" in said
    assert "1 line does not have the syllables asked (2)" in said


def test_the_forms_are_listed(command: Runner) -> None:
    listed = command("--forms").out
    assert all(name in listed for name in ("auto", "free", *NAMED))
    assert max(map(len, listed.splitlines())) <= 80
