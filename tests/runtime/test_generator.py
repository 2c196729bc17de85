import asyncio
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import lyricgen
from lyricgen.engine import slots as engine
from lyricgen.engine.sampling import choose
from lyricgen.engine.slots import Batch, WrittenSong
from lyricgen.errors import NonFiniteLogitsError, OptionError, UnknownCharacterError
from lyricgen.generator import Model, Song
from lyricgen.options import SongOptions
from lyricgen.vocabulary import Vocabulary
from tests.make_fake_model import (
    FAKE_STYLED_MODEL_PATH,
    biased_model_path,
    biases,
    fake_card,
    fake_styled_card,
    fake_styled_weights,
    fake_weights,
)
from tests.runtime.test_step_model import reference_step


@pytest.fixture(scope="module")
def styled_model() -> Model:
    """A model with the styles Folk and hymn whose songs have titles."""
    return lyricgen.load(FAKE_STYLED_MODEL_PATH)


@pytest.mark.parametrize("threads", [1, 2])
def test_songs_as_they_end_are_those_in_order(fake_model: Model, threads: int) -> None:
    expected = list(fake_model.songs(range(40), seed=5))
    found = list(fake_model.songs(range(40), seed=5, threads=threads, in_order=False))
    assert [song.index for song in found] != list(range(40))
    assert sorted(found, key=lambda song: song.index) == expected
    alone = list(fake_model.songs(range(40), seed=5, threads=1, slots=40, in_order=False))
    pieces = [-(-len(song.text) // 64) for song in alone]
    assert pieces == sorted(pieces)  # none waits for a longer one


def model_with_output_biases(folder: Path, biases: list[float]) -> Model:
    return lyricgen.load(biased_model_path(folder, biases))


def song_by_the_equations(
    weights: dict[str, np.ndarray], words: Vocabulary, given: list[int], prefix: str = ""
) -> str:
    """Song 2 of seed 3 at temperature 0.9 in a plain loop, after the tokens `given` and a prefix."""
    weights = {name: weight.astype(np.float64) for name, weight in weights.items()}
    hidden = cell = np.zeros((2, 1, 5))
    song = words.encode(prefix)
    for token in [*given, *song]:
        logits, hidden, cell = reference_step(weights, np.array([token]), hidden, cell)
    while len(song) < 6000:
        token = words.eos + choose(logits[0].astype(np.float32), 0.9, 3, 2, len(song))
        if token == words.eos:
            break
        song.append(token)
        logits, hidden, cell = reference_step(weights, np.array([token]), hidden, cell)
    return words.decode(song)


def test_a_song_is_what_the_equations_say(fake_model: Model) -> None:
    """The whole chain (state, temperature, random numbers, feedback, EOS) against a plain loop."""
    song = fake_model.generate(temperature=0.9, seed=3, index=2)
    assert song.finished == "eos"
    assert song.text == song_by_the_equations(fake_weights(fake_card()), fake_card().vocabulary, [0])


def test_a_style_is_read_after_sos_and_is_no_character(styled_model: Model) -> None:
    """Its token is given, not drawn: the first character is still drawn with random number 0."""
    weights, words = fake_styled_weights(), fake_styled_card().vocabulary
    for style, given in ((None, [0]), ("Folk", [0, 1]), ("hymn", [0, 2])):
        song = styled_model.generate(style=style, temperature=0.9, seed=3, index=2)
        assert song.finished == "eos"
        assert song.text == song_by_the_equations(weights, words, given)


def test_a_title_is_read_with_an_empty_line_before_the_prompt(styled_model: Model) -> None:
    song = styled_model.generate(
        style="hymn", title="ab", prompt="cd", temperature=0.9, seed=3, index=2, max_length=6000
    )
    weights, words = fake_styled_weights(), fake_styled_card().vocabulary
    assert song.text == song_by_the_equations(weights, words, [0, 2], "ab\n\ncd")
    assert song.text.startswith("ab\n\ncd")


def test_each_style_has_its_own_song(styled_model: Model) -> None:
    songs = [
        styled_model.generate(style=style, temperature=0, max_length=80).text
        for style in (None, "Folk", "hymn")
    ]
    assert len(set(songs)) == 3
    assert songs[1] == "a" * 80
    assert songs[2] == "b" * 80


def test_a_style_may_be_written_in_capitals_or_not(styled_model: Model) -> None:
    songs = {styled_model.generate(style=style, seed=1).text for style in ("Folk", "folk", "FOLK")}
    assert len(songs) == 1


def test_a_style_takes_no_room(styled_model: Model) -> None:
    assert styled_model.generate(style="Folk", temperature=0, max_length=1).text == "a"


def test_a_title_sways_the_lyrics(styled_model: Model) -> None:
    songs = [styled_model.generate(title=title, seed=1).text for title in ("ab", "éb")]
    assert songs[0][4:] != songs[1][4:]


def test_a_title_is_cleaned_to_one_line(styled_model: Model) -> None:
    song = styled_model.generate(title=" \tab   cd\n", seed=1)
    assert song.text.startswith("ab cd\n\n")
    assert song == styled_model.generate(title="ab cd", seed=1)


def test_without_a_title_the_prompt_begins_it(styled_model: Model) -> None:
    assert styled_model.generate(title="ab", seed=1) == styled_model.generate(prompt="ab\n\n", seed=1)


def test_streaming_gives_title_and_style_too(styled_model: Model) -> None:
    stream = styled_model.stream(title="ab", style="hymn", seed=4)
    assert "".join(stream) == styled_model.generate(title="ab", style="hymn", seed=4).text


def test_the_length_of_title_and_empty_line_counts(styled_model: Model) -> None:
    assert styled_model.generate(title="ab", prompt="cd", seed=1, max_length=6).text == "ab\n\ncd"
    with pytest.raises(OptionError, match="max_length must be at least the title and prompt's 6 characters"):
        styled_model.stream(title="ab", prompt="cd", max_length=5)


def test_a_song_has_a_title_if_its_model_writes_titles(fake_model: Model, styled_model: Model) -> None:
    song = styled_model.generate(title="ab", prompt="c\n\nd\n", seed=1, max_length=9)
    assert (str(song), song.title, song.lines) == ("ab\n\nc\n\nd\n", "ab", ("c", "d"))
    assert styled_model.generate(prompt="ab\nc", seed=1, max_length=5).title is None
    untitled = fake_model.generate(prompt="ab\n\nc\n", seed=1, max_length=6)
    assert (untitled.title, untitled.lines) == (None, ("ab", "c"))


@pytest.mark.parametrize("title", [None, "", " \n"])
def test_a_blank_title_is_none(fake_model: Model, styled_model: Model, title: str | None) -> None:
    for model in (fake_model, styled_model):
        assert model.generate(title=title, seed=1) == model.generate(seed=1)


def test_a_misspelt_option_is_named(fake_model: Model) -> None:
    with pytest.raises(TypeError, match="no option 'temprature', but temperature, top_k, top_p"):
        fake_model.stream(temprature=0.5)  # type: ignore[call-arg]


def test_the_same_seed_gives_the_same_song_and_another_another(fake_model: Model) -> None:
    songs = [fake_model.generate(seed=seed, index=index) for seed, index in [(1, 0), (1, 0), (2, 0), (1, 1)]]
    assert songs[0] == songs[1]
    assert len({song.text for song in songs}) == 3


def test_streaming_gives_the_characters_of_the_finished_song(fake_model: Model) -> None:
    for seed in range(20):
        stream = fake_model.stream(seed=seed, max_length=80)
        characters = list(stream)
        song = fake_model.generate(seed=seed, max_length=80)
        assert all(len(character) == 1 for character in characters)
        assert ("".join(characters), stream.finished) == (song.text, song.finished)


def test_a_stream_hands_out_a_line_before_the_song_is_over(
    fake_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 0
    advance = Batch.advance

    def counted(batch: Batch) -> list[WrittenSong]:
        nonlocal turns
        turns += 1
        return advance(batch)

    monkeypatch.setattr(engine, "STEPS", 1)
    monkeypatch.setattr(Batch, "advance", counted)
    stream = fake_model.stream(seed=2)
    assert turns == 0
    first = next(stream)
    while first == "\n":
        first = next(stream)
    at_first_line = turns
    rest = "".join(stream)
    assert 0 < at_first_line < turns
    assert at_first_line <= 3 + len(first + rest.partition("\n")[0])


def test_songs_written_at_once_by_threads_are_the_same(fake_model: Model) -> None:
    alone = [fake_model.generate(seed=5, index=index) for index in range(16)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda index: fake_model.generate(seed=5, index=index), range(16))) == alone


def test_many_songs_written_at_once_by_threads_are_the_same(fake_model: Model) -> None:
    alone = [list(fake_model.songs(range(8), seed=seed)) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda seed: list(fake_model.songs(range(8), seed=seed, threads=2)), range(4))
        assert list(found) == alone


def test_streams_read_in_threads_are_the_same(fake_model: Model) -> None:
    alone = [fake_model.generate(seed=5, index=index) for index in range(16)]
    streams = [fake_model.stream(seed=5, index=index) for index in range(16)]
    begun = [next(stream, "") for stream in streams]
    with ThreadPoolExecutor(8) as pool:
        rests = list(pool.map("".join, streams))
    assert [stream.song for stream in streams] == alone
    assert [first + rest for first, rest in zip(begun, rests, strict=True)] == [song.text for song in alone]


def test_the_first_models_of_a_process_may_be_opened_by_threads_at_once(fake_model: Model) -> None:
    code = (
        "import sys, lyricgen\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    texts = pool.map(lambda path: lyricgen.load(path).generate(seed=5).text, sys.argv[1:] * 8)\n"
        "print(ascii(sorted(set(texts))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, fake_model.path], capture_output=True, text=True, check=True
    )
    assert done.stdout == ascii([fake_model.generate(seed=5).text]) + "\n"


@pytest.fixture
def _no_forced_switches() -> Iterator[None]:
    """Let a thread keep Python's lock until it gives it away itself."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_no_forced_switches")
def test_an_event_loop_runs_on_while_the_kernel_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_with_output_biases(tmp_path, biases(a=30))  # its songs never end
    monkeypatch.setattr(engine, "STEPS", 20_000)  # one call of the kernel writes a whole song
    call, inside = Batch._call, False

    def watched(batch: Batch, steps: int) -> None:
        nonlocal inside
        inside = True
        call(batch, steps)
        inside = False

    monkeypatch.setattr(Batch, "_call", watched)

    async def ticks_inside() -> int:
        ticks = 0
        writing = asyncio.create_task(asyncio.to_thread(model.generate, seed=1, max_length=20_000))
        while not writing.done():
            await asyncio.sleep(0.001)
            ticks += inside
        assert len((await writing).text) == 20_000
        return ticks

    assert any(asyncio.run(ticks_inside()) for _ in range(5))


def test_songs_awaited_together_are_the_same(fake_model: Model) -> None:
    async def together() -> list[Song]:
        return await asyncio.gather(
            *(asyncio.to_thread(fake_model.generate, seed=5, index=index) for index in range(16))
        )

    assert asyncio.run(together()) == [fake_model.generate(seed=5, index=index) for index in range(16)]


def test_generation_stops_at_eos(tmp_path: Path) -> None:
    song = model_with_output_biases(tmp_path, biases(EOS=30)).generate(seed=0)
    assert (song.text, song.finished) == ("", "eos")


def test_a_song_without_end_is_cut_to_its_last_whole_line(fake_model: Model) -> None:
    cuts = 0
    for seed in range(30):
        whole = fake_model.generate(seed=seed, max_length=5000)
        cut = fake_model.generate(seed=seed, max_length=40)
        if cut.finished == "length":
            cuts += 1
            whole_lines = whole.text[:40].rpartition("\n")[0].rstrip("\n")
            assert cut.text == (whole_lines or whole.text[:40])
    assert cuts > 10


def test_a_song_of_one_endless_line_is_kept(tmp_path: Path) -> None:
    song = model_with_output_biases(tmp_path, biases(a=30)).generate(seed=0, max_length=50)
    assert (song.text, song.finished) == ("a" * 50, "length")


def test_blank_lines_before_the_cut_go(tmp_path: Path) -> None:
    model = model_with_output_biases(tmp_path, biases(newline=30))
    song = model.generate(seed=0, prompt="ab\ncd", max_length=9)
    assert (song.text, song.finished) == ("ab\ncd", "length")


def test_a_finished_song_of_exactly_the_maximum_length_is_not_cut(fake_model: Model) -> None:
    song = fake_model.generate(seed=7)
    assert song.finished == "eos"
    assert fake_model.generate(seed=7, max_length=len(song.text)) == song
    assert fake_model.generate(seed=7, max_length=len(song.text) - 1).finished == "length"


def test_a_prompt_begins_the_song_and_steers_it(fake_model: Model) -> None:
    songs = [fake_model.generate(seed=1, prompt=prompt) for prompt in ("", "abc", "cba")]
    assert songs[1].text.startswith("abc")
    assert songs[2].text.startswith("cba")
    assert len({song.text[3:] for song in songs}) == 3


def test_a_prompt_with_typographic_quotes_is_folded(fake_model: Model) -> None:
    assert fake_model.generate(seed=1, prompt="a’b") == fake_model.generate(seed=1, prompt="a'b")


def test_a_prompt_as_long_as_the_song_may_be_is_the_song(fake_model: Model) -> None:
    assert fake_model.generate(seed=1, prompt="abc", max_length=3).text == "abc"


def test_the_model_suggests_the_temperature(fake_model: Model) -> None:
    assert fake_model.generate(seed=1) == fake_model.generate(seed=1, temperature=0.75)


def test_a_chosen_seed_gives_the_song_again(fake_model: Model) -> None:
    song = fake_model.generate()
    assert fake_model.generate(seed=song.seed) == song


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature must be a number from 0 to 100, not -0.1"),
        ({"temperature": "0.7"}, "temperature must be"),
        ({"temperature": math.nan}, "temperature must be"),
        ({"temperature": math.inf}, "temperature must be"),
        ({"max_length": 0}, "max_length must be a whole number from 1 to 10000000, not 0"),
        ({"max_length": 10.5}, "max_length must be"),
        ({"max_length": 2, "prompt": "abc"}, "max_length must be at least the prompt's 3 characters"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"seed": 1.5}, "seed must be"),
        ({"seed": True}, "seed must be"),
        ({"seed": 2**64}, "seed must be"),
        ({"index": -1}, "index must be"),
        ({"style": "rock"}, "style must be one of Folk, hymn, not rock"),
        ({"style": ""}, "style must be one of Folk, hymn, not ''"),
        ({"style": 1}, "style must be text, not 1"),
        ({"title": "a\nb"}, r"title must be one line of text, not 'a\\nb'"),
        ({"title": "a\u2028b"}, "title must be one line of text"),
        ({"title": 7}, "title must be text, not 7"),
        ({"prompt": None}, "prompt must be text, not None"),
    ],
)
def test_a_wrong_option_is_an_error_at_the_call(
    styled_model: Model, options: SongOptions, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        styled_model.stream(**options)


@pytest.mark.parametrize("option", ["title", "style"])
def test_what_a_model_does_not_have_cannot_be_asked_for(fake_model: Model, option: str) -> None:
    message = rf"{option} cannot be used with this model, .* no {option}s"
    with pytest.raises(OptionError, match=message):
        fake_model.stream(**{option: "ab"})  # type: ignore[misc]


@pytest.mark.parametrize("path", [3, b"songs.onnx", ["songs.onnx"]])
def test_a_path_that_is_none_is_an_error(path: object) -> None:
    with pytest.raises(OptionError, match=re.escape(f"path must be a str or an os.PathLike, not {path}")):
        lyricgen.load(path)  # type: ignore[arg-type]


def test_an_unknown_character_is_an_error_at_the_call(fake_model: Model) -> None:
    with pytest.raises(UnknownCharacterError, match="'X' at position 2"):
        fake_model.stream(prompt="aX")


def test_an_unknown_character_is_named_with_the_option_that_has_it(styled_model: Model) -> None:
    with pytest.raises(
        UnknownCharacterError, match="'X' at position 2 in the title; leave that out"
    ) as caught:
        styled_model.stream(title="aX", prompt="abc")
    assert (caught.value.characters, caught.value.positions, caught.value.option) == (["X"], [1], "title")
    with pytest.raises(UnknownCharacterError, match="'Y' at position 3 in the prompt; leave that out"):
        styled_model.stream(title="ab", prompt="abY")


def test_a_model_that_computes_nan_is_an_error(tmp_path: Path) -> None:
    model = model_with_output_biases(tmp_path, [math.nan] * fake_card().vocabulary.output_size)
    with pytest.raises(NonFiniteLogitsError, match="not finite at character 1"):
        model.generate(seed=0)


def test_a_prompt_from_windows_is_read_as_any_other(fake_model: Model) -> None:
    assert fake_model.generate(seed=1, prompt="ab\r\nba\rab") == fake_model.generate(
        seed=1, prompt="ab\nba\nab"
    )


def test_a_model_shows_what_it_is(fake_model: Model) -> None:
    card = fake_model.card
    shape = f"{card.layers} × {card.hidden_size} LSTM, {card.precision}"
    assert repr(fake_model) == f"<lyricgen.Model fake_model.onnx: {shape}>"
