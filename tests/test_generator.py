import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import lyricgen
from lyricgen.errors import NonFiniteLogitsError, OptionError, UnknownCharacterError
from lyricgen.generator import Model
from lyricgen.sampling import draw, uniform
from lyricgen.step_model import StepModel
from tests.make_fake_model import biased_model_path, biases, fake_card, fake_weights
from tests.test_step_model import reference_step


def model_with_output_biases(folder: Path, biases: list[float]) -> Model:
    return lyricgen.load(biased_model_path(folder, biases))


def test_a_song_is_what_the_equations_say(fake_model: Model) -> None:
    """The whole chain (state, temperature, random numbers, feedback, EOS) against a plain loop."""
    weights = {name: weight.astype(np.float64) for name, weight in fake_weights(fake_card()).items()}
    words = fake_card().vocabulary
    hidden = cell = np.zeros((2, 1, 5))
    tokens, token = [], 0
    while len(tokens) < 6000 and token != words.eos:
        logits, hidden, cell = reference_step(weights, np.array([token]), hidden, cell)
        token = words.eos + draw(logits[0].astype(np.float32), 0.9, uniform(3, 2, len(tokens)))
        tokens.append(token)
    song = fake_model.generate(temperature=0.9, seed=3, index=2)
    assert song.finished == "eos"
    assert song.text == words.decode(tokens[:-1])


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
    steps = 0
    step = StepModel.step

    def counted(model: StepModel) -> None:
        nonlocal steps
        steps += 1
        step(model)

    monkeypatch.setattr(StepModel, "step", counted)
    stream = fake_model.stream(seed=2)
    assert steps == 0
    first = next(stream)
    while first == "\n":
        first = next(stream)
    at_first_line = steps
    rest = "".join(stream)
    assert 0 < at_first_line < steps
    assert at_first_line <= 3 + len(first + rest.partition("\n")[0])


def test_songs_written_at_once_by_threads_are_the_same(fake_model: Model) -> None:
    alone = [fake_model.generate(seed=5, index=index) for index in range(16)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda index: fake_model.generate(seed=5, index=index), range(16))) == alone


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
        ({"max_length": -5}, "max_length must be"),
        ({"max_length": 10.5}, "max_length must be"),
        ({"max_length": 2, "prompt": "abc"}, "max_length must be at least the prompt's 3 characters"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"seed": 1.5}, "seed must be"),
        ({"seed": True}, "seed must be"),
        ({"seed": 2**64}, "seed must be"),
        ({"index": -1}, "index must be"),
    ],
)
def test_an_option_out_of_range_is_an_error_at_the_call(
    fake_model: Model, options: dict[str, float], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        fake_model.stream(**options)  # type: ignore[arg-type]


def test_an_unknown_character_is_an_error_at_the_call(fake_model: Model) -> None:
    with pytest.raises(UnknownCharacterError, match="'X' at position 2"):
        fake_model.stream(prompt="aX")


def test_a_model_that_computes_nan_is_an_error(tmp_path: Path) -> None:
    model = model_with_output_biases(tmp_path, [math.nan] * fake_card().vocabulary.output_size)
    with pytest.raises(NonFiniteLogitsError, match="not finite at character 1"):
        model.generate(seed=0)
