"""That a song is the same however it is written: beside others, in threads, streamed, without the C API."""

import contextlib
import gc
import itertools
import math
import threading
import weakref
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import numpy as np
import pytest

import lyricgen
from lyricgen.engine import slots as engine
from lyricgen.engine import threads as threads_module
from lyricgen.engine.slots import Batch, WrittenSong
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.errors import NonFiniteLogitsError, OptionError, OrtError
from lyricgen.generator import BUNDLED_MODEL_PATH, Model
from lyricgen.options import SongOptions
from lyricgen.vocabulary import SOS, Vocabulary
from tests.make_fake_model import (
    FAKE_INT8_MODEL_PATH,
    FAKE_MODEL_PATH,
    biased_model_path,
    fake_card,
)
from tests.runtime.conftest import python

Advances = list[tuple[int, list[int]]]
SONGS = range(70)
OPTIONS: list[SongOptions] = [
    {},
    {"temperature": 0, "max_length": 100},
    {"temperature": 1.2, "top_k": 4, "top_p": 0.7, "min_p": 0.02, "max_length": 300},
    {"prompt": "abc\n"},
    {"max_length": 40},
    {"max_length": 40, "exact_length": True},
]


@pytest.fixture
def advances(monkeypatch: pytest.MonkeyPatch) -> Advances:
    """Each call of `Batch.advance`: the batch's size and the indexes of the songs that were over then."""
    calls: Advances = []
    advance = Batch.advance

    def watched(batch: Batch) -> list[WrittenSong]:
        size, over = batch.size, advance(batch)
        calls.append((size, [song.index for song in over]))
        return over

    monkeypatch.setattr(Batch, "advance", watched)
    return calls


@pytest.mark.parametrize(
    ("path", "options"),
    [
        *((path, options) for path in (FAKE_MODEL_PATH, FAKE_INT8_MODEL_PATH) for options in OPTIONS),
        (BUNDLED_MODEL_PATH, {"form": "free", "max_length": 100}),
    ],
    ids=str,
)
def test_a_song_is_the_same_however_it_is_written(path: Path, options: SongOptions) -> None:
    """Alone, streamed, in batches of 1, 8 and 64 slots, in 1 and 2 threads, compiled and by Python."""
    asked: SongOptions = {**options, "seed": 9}
    models = [Model(ModelFile(path, through_python=way)) for way in (False, True)]
    assert [model.runs_on.split("through its ")[1] for model in models] == ["C API", "Python module"]
    alone = [models[0].generate(index=index, **asked) for index in SONGS]
    assert len({song.text for song in alone}) > 20 or options.get("temperature") == 0
    for other in models:
        for slots, threads in ((1, 1), (8, 2), (64, 1)):
            assert list(other.songs(SONGS, slots=slots, threads=threads, **asked)) == alone
        for song in alone[:10]:
            stream = other.stream(index=song.index, **asked)
            assert (list(stream), stream.song, stream.finished) == (list(song.text), song, song.finished)


@pytest.mark.parametrize("threads", [1, 2])
def test_songs_as_they_end_are_those_in_order(fake_model: Model, threads: int) -> None:
    expected = list(fake_model.songs(range(40), seed=5))
    found = list(fake_model.songs(range(40), seed=5, threads=threads, in_order=False))
    assert [song.index for song in found] != list(range(40))
    assert sorted(found, key=lambda song: song.index) == expected
    alone = list(fake_model.songs(range(40), seed=5, threads=1, slots=40, in_order=False))
    pieces = [-(-len(song.text) // 64) for song in alone]
    assert pieces == sorted(pieces)  # none waits for a longer one


def test_a_stream_hands_out_lines_meanwhile(
    fake_model: Model, advances: Advances, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "STEPS", 1)
    stream = fake_model.stream(seed=2)
    assert advances == []
    first = next(stream)
    while first == "\n":
        first = next(stream)
    at_first_line = len(advances)
    rest = "".join(stream)
    assert 0 < at_first_line < len(advances)
    assert at_first_line <= 3 + len(first + rest.partition("\n")[0])


def test_songs_come_in_the_order_asked_for(fake_model: Model) -> None:
    asked = [7, 2**64 - 1, 0, 500, 3]
    songs = list(fake_model.songs(asked, seed=3, slots=3))
    assert list(fake_model.songs([])) == []
    assert len({song.seed for song in fake_model.songs(range(10))}) == 1  # one was chosen
    assert songs == [fake_model.generate(seed=3, index=index) for index in asked]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"indexes": [1, 2, 1]}, "indexes must be different numbers, not 1"),
        ({"indexes": 5}, r"indexes must be a range or a list, such as range\(100\), not 5"),
        ({"indexes": itertools.count()}, "indexes must be a range or a list"),
        ({"indexes": [[1]]}, "index must be a whole number"),
        ({"in_order": "no"}, "in_order must be True or False, not no"),
        ({"indexes": range(-3, 3)}, "index must be"),
        ({"indexes": range(2**64 - 1, 2**64 + 1)}, "index must be"),
        ({"indexes": range(2**64)}, "indexes must be fewer"),
        ({"slots": 0}, "slots must be a whole number from 1 to 64, not 0"),
        ({"threads": 0}, "threads must be a whole number from 1"),
        ({"top_p": 0}, "top_p must be"),
    ],
)
def test_a_wrong_option_is_an_error(fake_model: Model, words: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        fake_model.songs(**{"indexes": range(3), **words})


def test_a_long_song_keeps_nobody_waiting(fake_model: Model, advances: Advances) -> None:
    """The longest of 60 songs comes first, in one of 8 slots: most others are written before it ends."""
    lengths = {index: len(fake_model.generate(seed=4, index=index).text) for index in range(60)}
    longest = max(lengths, key=lambda index: lengths[index])
    others = [index for index in lengths if index != longest]
    assert lengths[longest] > 2 * np.mean(list(lengths.values()))
    advances.clear()
    songs = fake_model.songs([longest, *others], seed=4, slots=8, threads=1)
    assert next(songs).index == longest
    assert sum(len(over) for _, over in advances) > 30  # slots were filled again and again


def test_the_songs_kept_back_are_few(fake_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    start = create_autospec(Batch.start, side_effect=Batch.start)
    monkeypatch.setattr(Batch, "start", start)
    monkeypatch.setattr(threads_module, "_MAX_AHEAD", 10)
    for threads in (1, 2):
        start.reset_mock()
        for song in fake_model.songs(range(200), seed=3, slots=8, threads=threads):
            assert start.call_args.args[2] <= song.index + 10 + 8 * threads
        assert [call.args[2] for call in start.call_args_list] == list(range(200))


def test_the_batch_becomes_narrower_at_the_end(fake_model: Model, advances: Advances) -> None:
    list(fake_model.songs(range(64), seed=3, slots=64, threads=1))
    sizes = [size for size, _ in advances]
    assert sizes[0] == 64
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] <= 2


def test_a_prompt_longer_than_the_room_at_first_is_read(fake_model: Model) -> None:
    prompt = "abc " * 1500
    songs = list(fake_model.songs(range(3), seed=1, prompt=prompt, max_length=6100, threads=1))
    assert all(song.text.startswith(prompt) for song in songs)
    assert len({song.text for song in songs}) == 3


def expected_bits(file: ModelFile, text: str, *, ended: bool) -> list[float]:
    """-log2 of the probability of each character, and of EOS, at temperature 1."""
    model, words = StepModel(file), file.card.vocabulary
    tokens, costs = words.encode(text) + [words.eos] * ended, []
    model.token[0] = SOS
    for token in tokens:
        model.step()
        logits = model.logits[0].astype(np.float64)
        costs.append((np.log(np.exp(logits).sum()) - logits[token - words.eos]) / np.log(2))
        model.token[0] = token
    return costs


@pytest.mark.parametrize("temperature", [0.0, 0.75, 1.0])
@pytest.mark.parametrize("max_length", [25, 400])
def test_bits_per_character_are_those_of_the_text_in_the_model(temperature: float, max_length: int) -> None:
    file = ModelFile(FAKE_MODEL_PATH)
    for index in range(20):
        song = Model(file).generate(
            seed=6, index=index, temperature=temperature, prompt="ab", top_k=5, max_length=max_length
        )
        costs = expected_bits(file, song.text, ended=song.finished == "eos")[2:]
        assert song.bits_per_character == (pytest.approx(np.mean(costs), rel=1e-5) if costs else None)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_model_that_computes_nan_is_an_error_in_any_thread(tmp_path: Path, threads: int) -> None:
    path = biased_model_path(tmp_path, [math.nan] * fake_card().vocabulary.output_size)
    songs = lyricgen.load(path).songs(range(50), threads=threads, slots=4)
    with pytest.raises(NonFiniteLogitsError, match="not finite at character 1"):
        list(songs)


def test_threads_end_when_the_songs_do_or_nobody_wants_more(fake_model: Model) -> None:
    before = threading.active_count()
    songs = fake_model.songs(range(10**9), seed=3, threads=2)
    next(songs)
    assert threading.active_count() == before + 2
    songs.close()
    assert threading.active_count() == before
    list(fake_model.songs(range(40), seed=3, threads=2))
    assert threading.active_count() == before


def test_the_prefix_is_read_once_for_all_songs(styled_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    step = create_autospec(StepModel.step, side_effect=StepModel.step)
    monkeypatch.setattr(StepModel, "step", step)
    list(styled_model.songs(range(50), seed=1, style="folk", title="ab", prompt="cd"))
    assert step.call_count == len([SOS, "folk", *"ab\n\ncd"])


@pytest.mark.parametrize("way", [False, True])
def test_a_failing_step_is_onnxruntimes_error(monkeypatch: pytest.MonkeyPatch, *, way: bool) -> None:
    """A token id that the model does not have: what a defect of ours would look like."""
    model = Model(ModelFile(FAKE_MODEL_PATH, through_python=way))
    monkeypatch.setattr(Vocabulary, "eos", 10**6)  # unit u of the output is read as token eos + u
    with pytest.raises(OrtError, match=r"fake_model\.onnx: .*Gather"):
        model.generate(seed=1)


def test_songs_that_a_worker_closes_hang_nobody(fake_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the garbage collector meets them in a worker's thread, under the lock."""
    start, errors = Batch.start, []
    songs = fake_model.songs(range(1000), seed=1, threads=2, slots=1)
    waiting, before = threading.Event(), threading.enumerate()

    def close_after(batch: Batch, slot: int, index: int) -> None:
        start(batch, slot, index)
        if waiting.is_set():
            try:
                with contextlib.suppress(ValueError):  # the other worker is closing it
                    songs.close()
            except RuntimeError as error:
                errors.append(error)

    monkeypatch.setattr(Batch, "start", close_after)
    next(songs)
    waiting.set()
    for worker in set(threading.enumerate()) - set(before):
        worker.join(10)
        assert not worker.is_alive()
    assert errors == []
    with pytest.raises(StopIteration):
        next(songs)


@pytest.mark.parametrize("allowed", [0, 1])
def test_fewer_threads_will_do(fake_model: Model, monkeypatch: pytest.MonkeyPatch, allowed: int) -> None:
    start, left = threading.Thread.start, [1] * allowed

    def start_some(thread: threading.Thread) -> None:
        if not left:
            raise RuntimeError("can't start new thread")
        left.pop()
        start(thread)

    expected = list(fake_model.songs(range(20), seed=1, threads=1))
    monkeypatch.setattr(threading.Thread, "start", start_some)
    assert list(fake_model.songs(range(20), seed=1, threads=4)) == expected


def test_an_abandoned_stream_needs_no_garbage_collector(fake_model: Model) -> None:
    gc.collect()
    gc.disable()
    try:
        stream = fake_model.stream(seed=1)
        next(stream)
        gone = weakref.ref(stream)
        del stream
        assert gone() is None
    finally:
        gc.enable()


INTERRUPTED_EVERYWHERE = f"""
import sys, threading
import lyricgen
from lyricgen.engine import threads

model, number = lyricgen.load({str(FAKE_MODEL_PATH)!r}), 0

def interrupt(frame, event, argument):
    global left
    is_lock = isinstance(frame.f_locals.get("self"), threading.Condition)
    if frame.f_code.co_filename != threads.__file__ and not is_lock:
        return None
    left -= 1
    if left == 0:
        raise KeyboardInterrupt
    return interrupt

while True:
    number += 1
    left, songs = number, model.songs(range(40), seed=1, threads=2, max_length=50)
    sys.settrace(interrupt)
    try:
        for song in songs:
            pass
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    songs.close()
    if left > 0:
        break
print(number)
"""


def test_ctrl_c_leaves_no_thread_waiting_wherever_it_comes() -> None:
    """An exception at each line of the caller; where it has just taken a lock, others would wait for ever."""
    assert int(python(INTERRUPTED_EVERYWHERE, check=True, timeout=120).stdout) > 100  # and it has ended
