"""Songs as the public functions write them: what is asked for, how they end, what is refused, threads."""

import asyncio
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lyricgen
from lyricgen.engine import slots
from lyricgen.engine.sampling import choose
from lyricgen.engine.slots import Batch
from lyricgen.errors import OptionError, UnknownCharacterError
from lyricgen.generator import Model
from lyricgen.options import SongOptions
from tests.make_fake_model import (
    biased_model_path,
    biases,
    fake_styled_card,
    fake_styled_weights,
    suggesting_model_path,
)
from tests.runtime.conftest import python
from tests.runtime.test_step_model import reference_step


def song_by_the_equations(given: list[int], prefix: str = "") -> str:
    """Song 2 of seed 3 of the styled model at temperature 0.9, after the tokens `given` and a prefix."""
    words = fake_styled_card().vocabulary
    weights = {name: weight.astype(np.float64) for name, weight in fake_styled_weights().items()}
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


@pytest.mark.parametrize(
    ("options", "given", "prefix"),
    [
        ({}, [0], ""),
        ({"style": "Folk"}, [0, 1], ""),
        ({"style": "hymn"}, [0, 2], ""),
        ({"style": "hymn", "title": "ab", "prompt": "cd"}, [0, 2], "ab\n\ncd"),
    ],
)
def test_a_song_is_what_the_equations_say(
    styled_model: Model, options: SongOptions, given: list[int], prefix: str
) -> None:
    """The whole chain (what is given, state, temperature, random numbers, feedback, EOS) in a plain loop.

    A style is no character: the first one is still drawn with random number 0.
    """
    asked: SongOptions = {**options, "temperature": 0.9, "seed": 3}
    song = styled_model.generate(index=2, **asked)
    assert (song.text, song.finished) == (song_by_the_equations(given, prefix), "eos")
    assert "".join(styled_model.stream(index=2, **asked)) == song.text


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({"title": " \tab   cd\n"}, {"title": "ab cd"}),
        ({"title": "ab"}, {"prompt": "ab\n\n"}),
        *(({"title": blank}, {}) for blank in (None, "", " \n")),
        ({"style": "FOLK"}, {"style": "Folk"}),
        ({"prompt": "a’b"}, {"prompt": "a'b"}),
        ({"prompt": "ab\r\nba\rab"}, {"prompt": "ab\nba\nab"}),
        ({"temperature": 0.75}, {}),
    ],
)
def test_the_same_wish_is_the_same_song(styled_model: Model, options: SongOptions, same: SongOptions) -> None:
    one: SongOptions = {**options, "seed": 1}
    other: SongOptions = {**same, "seed": 1}
    assert styled_model.generate(**one) == styled_model.generate(**other)


def test_another_seed_or_index_gives_another_song(fake_model: Model) -> None:
    songs = {fake_model.generate(seed=seed, index=index).text for seed, index in [(1, 0), (2, 0), (1, 1)]}
    assert len(songs) == 3


@pytest.mark.parametrize(
    ("scores", "options", "text", "finished"),
    [
        ({"EOS": 30}, {}, "", "eos"),
        ({"a": 30}, {"max_length": 50}, "a" * 50, "length"),  # one endless line is kept
        ({"a": 30}, {"max_length": 20_000}, "a" * 20_000, "length"),  # longer than the room at first
        ({"a": 30}, {"prompt": "ab", "max_length": 2}, "ab", "length"),
        ({"newline": 30}, {"prompt": "ab\ncd", "max_length": 9}, "ab\ncd", "length"),  # empty lines go
    ],
    ids=str,
)
def test_a_song_stops_at_eos_or_is_cut(
    tmp_path: Path, scores: dict[str, float], options: SongOptions, text: str, finished: str
) -> None:
    song = lyricgen.load(biased_model_path(tmp_path, biases(**scores))).generate(**options)
    assert (song.text, song.finished) == (text, finished)
    wrote_nothing = finished == "length" and text == options.get("prompt")
    assert (song.bits_per_character is None) == wrote_nothing


def test_a_song_without_end_is_cut_to_its_last_whole_line_or_exactly(fake_model: Model) -> None:
    cuts = 0
    for index in range(40):
        whole, cut = (fake_model.generate(seed=1, index=index, max_length=most) for most in (6000, 40))
        exact = fake_model.generate(seed=1, index=index, max_length=40, exact_length=True)
        assert exact.text == whole.text[:40]
        assert exact.finished == cut.finished == ("eos" if len(whole.text) <= 40 else "length")
        if cut.finished == "length":
            cuts += 1
            assert cut.text == (exact.text.rpartition("\n")[0].rstrip("\n") or exact.text)
    assert cuts > 10


def test_a_finished_song_of_exactly_the_maximum_length_is_not_cut(fake_model: Model) -> None:
    song = fake_model.generate(seed=7)
    assert song.finished == "eos"
    assert fake_model.generate(seed=7, max_length=len(song.text)) == song
    assert fake_model.generate(seed=7, max_length=len(song.text) - 1).finished == "length"


def test_title_and_empty_line_take_room_and_a_style_does_not(styled_model: Model) -> None:
    assert styled_model.generate(title="ab", prompt="cd", max_length=6).text == "ab\n\ncd"
    assert styled_model.generate(style="Folk", temperature=0, max_length=1).text == "a"


def test_a_song_has_a_title_if_its_model_writes_titles(fake_model: Model, styled_model: Model) -> None:
    song = styled_model.generate(title="ab", prompt="c\n\nd\n", seed=1, max_length=9)
    assert (str(song), song.title, [*map(str, song.lines)]) == ("ab\n\nc\n\nd\n", "ab", ["c", "d"])
    assert styled_model.generate(prompt="ab\nc", seed=1, max_length=5).title is None
    untitled = fake_model.generate(prompt="ab\n\nc\n", seed=1, max_length=6)
    assert (untitled.title, [*map(str, untitled.lines)]) == (None, ["ab", "c"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature must be a number from 0 to 100, not -0.1"),
        ({"temperature": "0.7"}, "temperature must be"),
        ({"top_p": 0}, "top_p must be a number above 0, up to 1, not 0"),
        ({"min_p": -0.1}, "min_p must be a number from 0 to 1, not -0.1"),
        ({"max_length": 0}, "max_length must be a whole number from 1 to 10000000, not 0"),
        ({"max_length": 2, "prompt": "abc"}, "max_length must be at least the prompt's 3 characters"),
        ({"max_length": 5, "title": "ab", "prompt": "cd"}, "at least the title and prompt's 6 characters"),
        ({"exact_length": "false"}, "exact_length must be True or False, not false"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"seed": 2**64}, "seed must be"),
        ({"index": -1}, "index must be"),
        ({"index": [1]}, "index must be a whole number"),
        ({"style": "rock"}, "style must be one of Folk, hymn, not rock"),
        ({"title": "a\nb"}, r"title must be one line of text, not 'a\\nb'"),
        ({"title": "a\u2028b"}, "title must be one line of text"),
        ({"title": 7}, "title must be text, not 7"),
        ({"prompt": None}, "prompt must be text, not None"),
    ],
)
def test_a_wrong_option_is_an_error(styled_model: Model, options: dict[str, Any], message: str) -> None:
    for ask in (styled_model.stream, styled_model.generate):
        with pytest.raises(OptionError, match=message):
            ask(**options)


@pytest.mark.parametrize("option", ["title", "style"])
def test_what_a_model_does_not_have_cannot_be_asked_for(fake_model: Model, option: str) -> None:
    words: dict[str, Any] = {option: "ab"}
    with pytest.raises(OptionError, match=rf"{option} cannot be used with this model, .* no {option}s"):
        fake_model.stream(**words)
    assert fake_model.generate(title=" \n", seed=1) == fake_model.generate(seed=1)


def test_songs_without_a_wish_have_the_suggested_styles_in_turns(styled_model: Model, tmp_path: Path) -> None:
    model = lyricgen.load(suggesting_model_path(tmp_path, "hymn", "Folk"))
    kinds: list[SongOptions] = [{"form": "free"}, {"form": "x AABB", "candidates": 4}]
    for seed, styles in ((6, ["hymn", "Folk", "hymn"]), (7, ["Folk", "hymn", "Folk"])):
        for kind in kinds:
            asked: SongOptions = {**kind, "seed": seed}
            songs = list(model.songs(range(3), **asked))
            assert [song.style for song in songs] == styles
            for song in songs:
                with_style: SongOptions = {**asked, "style": song.style}
                assert song == model.generate(index=song.index, **with_style)
                assert song == model.generate(index=song.index, **asked)
            without: SongOptions = {**asked, "style": ""}
            assert model.generate(**without).style is None
            assert model.generate(**without) == styled_model.generate(**asked)


@pytest.mark.parametrize("name", ["temprature", "threads", "slots", "in_order", "indexes"])
def test_an_option_that_one_song_does_not_have_is_named(fake_model: Model, name: str) -> None:
    options: dict[str, Any] = {name: 1}
    for ask in (fake_model.stream, fake_model.generate):
        with pytest.raises(TypeError, match=f"no option '{name}', but temperature, top_k, top_p"):
            ask(**options)


def test_an_unknown_character_is_named_with_the_option_that_has_it(styled_model: Model) -> None:
    with pytest.raises(UnknownCharacterError, match="'X' at position 2 in the title; leave that") as caught:
        styled_model.stream(title="aX", prompt="abc")
    assert (caught.value.characters, caught.value.positions, caught.value.option) == (["X"], [1], "title")
    with pytest.raises(UnknownCharacterError, match="'Y' at position 3 in the prompt; leave that out"):
        styled_model.stream(title="ab", prompt="abY")


class PathOfBytes(os.PathLike[bytes]):
    def __fspath__(self) -> bytes:
        return b"songs.onnx"

    def __str__(self) -> str:
        return "a path of bytes"


@pytest.mark.parametrize("path", [3, b"songs.onnx", ["songs.onnx"], "", PathOfBytes()])
def test_a_path_that_is_none_is_an_error(path: object) -> None:
    expected = "the name of a file, not ''" if path == "" else f"a str or an os.PathLike, not {path}"
    with pytest.raises(OptionError, match=re.escape(f"path must be {expected}")):
        lyricgen.load(path)  # type: ignore[arg-type]


def test_a_model_shows_what_it_is(fake_model: Model) -> None:
    card = fake_model.card
    shape = f"{card.layers} × {card.hidden_size} LSTM, {card.precision}"
    assert repr(fake_model) == f"<lyricgen.Model fake_model.onnx: {shape}>"


def test_many_songs_written_at_once_by_threads_are_the_same(fake_model: Model) -> None:
    alone = [list(fake_model.songs(range(8), seed=seed)) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda seed: list(fake_model.songs(range(8), seed=seed, threads=2)), range(4))
        assert list(found) == alone


@pytest.mark.parametrize("options", [{"form": "free"}, {"rhyme": "AABB", "candidates": 8}])
def test_pieces_of_a_stream_are_its_song(fake_model: Model, options: SongOptions) -> None:
    asked: SongOptions = {**options, "seed": 7, "max_length": 300}
    stream = fake_model.stream(**asked)
    song = fake_model.generate(**asked)
    assert "".join(piece.text for piece in stream.pieces()) == song.text
    assert stream.song == song


def test_lines_are_shown_before_they_are_settled() -> None:
    model, text, opened = lyricgen.load(), "", []
    stream = model.stream(form="song", title="Low Moon", seed=3, candidates=32)
    for piece in stream.pieces():
        text += piece.text
        opened.append(text + piece.open)
    assert opened[0].startswith("Low Moon\n\n")
    assert opened[0].count("\n") == 2  # the title, and a line that has to be rhymed
    assert opened[-1] == text == model.generate(form="song", title="Low Moon", seed=3, candidates=32).text
    assert all(one.splitlines()[:1] == ["Low Moon"] for one in opened)


@pytest.mark.parametrize("most", range(1, 120, 9))
def test_a_form_that_is_cut_says_the_same_in_pieces(fake_model: Model, most: int) -> None:
    asked: SongOptions = {"rhyme": "AABB", "candidates": 8, "seed": 7}
    whole = fake_model.generate(**asked).text
    asked["max_length"] = most
    stream = fake_model.stream(**asked)
    pieces = list(stream.pieces())
    text = "".join(piece.text for piece in pieces)
    assert stream.song is not None
    assert text == stream.song.text
    assert whole.startswith(text)
    assert len(text) <= most
    assert pieces == [] or pieces[-1].open == ""
    assert len(text) == len(whole) or len(whole[: most + 1].rpartition("\n")[0].rstrip("\n")) <= len(text)


def test_streams_read_in_threads_are_the_same(fake_model: Model) -> None:
    alone = [fake_model.generate(seed=5, index=index) for index in range(16)]
    streams = [fake_model.stream(seed=5, index=index) for index in range(16)]
    begun = [next(stream, "") for stream in streams]
    with ThreadPoolExecutor(8) as pool:
        rests = list(pool.map("".join, streams))
    assert [stream.song for stream in streams] == alone
    assert [first + rest for first, rest in zip(begun, rests, strict=True)] == [song.text for song in alone]


def test_the_first_models_of_a_process_may_be_opened_by_threads_at_once(fake_model: Model) -> None:
    done = python(
        "import sys, lyricgen\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    texts = pool.map(lambda path: lyricgen.load(path).generate(seed=5).text, sys.argv[1:] * 8)\n"
        "print(ascii(sorted(set(texts))))",
        fake_model.path,
    )
    assert done.stdout == ascii([fake_model.generate(seed=5).text]) + "\n"


def test_an_event_loop_runs_on_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = lyricgen.load(biased_model_path(tmp_path, biases(a=30)))  # its songs never end
    monkeypatch.setattr(slots, "STEPS", 20_000)  # one call of the kernel writes a whole song
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

    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # a thread keeps Python's lock until it gives it away itself
    try:
        assert any(asyncio.run(ticks_inside()) for _ in range(5))
    finally:
        sys.setswitchinterval(interval)
