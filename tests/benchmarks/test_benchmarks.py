import importlib
import itertools
import math
import pkgutil
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import typer

import benchmarks
from benchmarks import (
    baselines,
    drafts,
    fine_tuning,
    forms,
    generation,
    memory,
    ngrams,
    padding,
    precision,
    start_to_finish,
    studio,
    training,
    transformer,
)
from lyricgen.errors import LyricgenError, OptionError
from lyricgen.song.english import pronunciations
from lyricgen.song.originality import KnownLines, pack_lines
from lyricgen.song.phonemes import strengths
from lyricgen.song.sound import ENGLISH, words
from tests.conftest import Apps
from train.config import PRESETS
from train.corpus.encoded import EncodedSongs
from train.optimization import has_bf16

CORPUS = Path(__file__).parents[1] / "data" / "small_songs.csv"
NAMES = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))
Printed = Callable[..., list[str]]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """Call a benchmark's main and return the lines that it prints, none of them too long for a terminal."""

    def lines(main: Callable[..., None], *arguments: object, **options: object) -> list[str]:
        main(*arguments, **options)
        found = capsys.readouterr().out.splitlines()
        assert max(map(len, found)) <= 80
        return found

    return lines


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_says_what_it_is_and_has_help(name: str, run: Apps) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    assert module.__doc__
    is_command = hasattr(module, "main")
    assert (f"python -m benchmarks.{name}" in module.__doc__) == is_command
    if is_command:
        app = typer.Typer()
        app.command()(module.main)
        outcome = run(app, name)("--help")
        assert (outcome.code, outcome.err) == (0, "")
        assert "Usage" in outcome.out


def test_ways_take_turns_and_are_warm_when_they_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that says how long each turn took: the first turns 100 s, then 1, 2, 3 for 10 units."""
    turns: list[str] = []
    seconds = {"a": iter([100, 1, 3, 2]), "b": iter([100, 5, 5, 5])}
    clock = SimpleNamespace(now=0.0)

    def way(name: str) -> Callable[[], int]:
        def turn() -> int:
            turns.append(name)
            clock.now += next(seconds[name])
            return 10

        return turn

    monkeypatch.setattr(benchmarks, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    assert benchmarks.median_seconds({name: way(name) for name in "ab"}, 3) == {"a": 0.2, "b": 0.5}
    assert "".join(turns) == "abababab"


@pytest.mark.slow
def test_memory_is_measured_on_two_sizes(printed: Printed) -> None:
    small, large, difference = printed(memory.main, megabytes=2, small_megabytes=1)
    peaks = [float(line.split("peak ")[1].split()[0]) for line in (small, large)]
    assert all(0.2 < peak < 2 for peak in peaks)
    assert float(difference.split()[1]) == pytest.approx(peaks[1] - peaks[0], abs=0.011)


def test_generation_is_measured_in_every_way(printed: Printed) -> None:
    _, title, _head, *lines = printed(generation.main, [8], bundled=False, rounds=1, characters=100)
    assert title == "2 × 8, random, 100 output units"
    figures = {line[:44].strip(): line[44:].split() for line in lines}
    ways = {generation.FLOOR, generation.OUTSIDE}.union(*generation.RATIOS.values())
    assert set(figures) == {*ways, *generation.RATIOS, "int8 in floors"}
    microseconds = {way: float(figures[way][0]) for way in ways}
    for name, (slow, fast) in generation.RATIOS.items():
        expected = microseconds[slow] / microseconds[fast]
        assert float(figures[name][0]) == pytest.approx(expected, rel=0.02, abs=0.01)
    assert microseconds[generation.OUTSIDE] < microseconds[generation.ONE] < 1000
    assert microseconds[generation.FLOOR] < microseconds[generation.ONE]


def test_every_way_writes_as_many_characters_as_it_says() -> None:
    network = generation.random(8)
    written = {name: way(200) for name, way in generation.ways_to_write(network).items()}
    by_torch = (generation.EAGER, generation.EAGER_ALONE, generation.DYNAMIC)
    expected = dict.fromkeys(written, 200) | dict.fromkeys(by_torch, 20)
    expected |= {generation.MANY: 64 * 100, generation.TWO_THREADS: 128 * 100, generation.OUTSIDE: 2000}
    assert written == expected


def test_the_floor_reads_all_int8_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(generation, "_add_up", lambda words: read.append(words.nbytes))
    network = generation.random(16)
    generation._reader(network.content["int8"])(3)
    layers, output = 16 * 64 + 32 * 64, 16 * 100
    assert read == [layers + output] * 3


def test_without_quantisation_pytorch_int8_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.ao.quantization, "quantize_dynamic")
    ways = generation.ways_to_write(generation.random(8))
    assert generation.DYNAMIC not in ways
    assert generation.EAGER in ways


@pytest.mark.slow
def test_a_song_is_measured_from_start_to_finish(printed: Printed) -> None:
    _, *lines = printed(start_to_finish.main, characters=50, runs=1)
    figures = {line[:40].strip(): line[40:].split() for line in lines}
    assert list(figures) == [
        "lyricgen-run",
        "import torch",
        start_to_finish.TORCH,
        start_to_finish.TORCH_ALONE,
    ]
    seconds = {name: float(columns[0]) for name, columns in figures.items()}
    for name, columns in figures.items():
        expected = seconds["lyricgen-run"] / seconds[name]
        assert float(columns[1]) == pytest.approx(expected, abs=0.03, rel=0.03)


def test_a_way_that_writes_another_number_of_characters_is_an_error() -> None:
    words = ["-c", "print('abc')"]
    assert start_to_finish.write("short", words, 3) == 1
    with pytest.raises(LyricgenError, match="short: wrote 3 characters, not 4"):
        start_to_finish.write("short", words, 4)


@pytest.mark.slow
def test_songs_with_a_form_are_measured(printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "RUNS", 1)
    monkeypatch.setattr(forms, "DEPTHS", (4, 128))
    monkeypatch.setattr(forms, "LINES", (4, 8))
    lines = printed(forms.main, songs=1)
    assert lines[0] == "1 songs, ABAB 8,6,8,6 × 3: 12 lines, 6 pairs that should rhyme"
    figures = {line[:46].strip(): line[46:].split() for line in lines if line[46:].strip()}
    assert figures["pairs that rhyme"][0] == figures["rhyme"][0] == "100.0%"
    assert figures["pairs of a word with itself"] == ["0.0%"]
    seconds = {name: float(figures[name][0]) for name in ("4 candidates", "128 candidates", "import torch")}
    assert 0 < seconds["4 candidates"] < seconds["128 candidates"]
    assert 0 < float(figures["the network's share of a song"][0].rstrip("%")) <= 105


@pytest.mark.skipif(not shutil.which(forms.ESPEAK), reason="eSpeak NG is not installed")
def test_espeak_judges_rhymes_and_syllables() -> None:
    pairs = [("love", "above"), ("fire", "higher"), ("worn", "horn"), ("better", "letter")]
    not_rhymes = [("love", "move"), ("see", "sea"), ("love", "love"), ("table", "apple")]
    assert forms.rhymes_by_espeak(pairs + not_rhymes) == [True] * 4 + [False] * 4
    lines = ["The moon is low, and so am I", "Little fire", '"Oh, heavenly!"']
    assert forms.syllables_by_espeak(lines) == [range(8, 9), range(3, 5), range(4, 5)]


def test_without_espeak_nobody_else_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert not forms.rhymes_by_espeak([("love", "above")])
    assert not forms.syllables_by_espeak(["love"])


def test_a_line_is_iambic_by_its_longer_words() -> None:
    iambic = ["Shall I compare thee to a summer's day", "The moon is low and so am I", "Rough winds do shake"]
    other = ["Summer is gone", "A yellow and golden day"]
    spoken = sorted({word.lower() for line in iambic + other for word in words(line)})
    judges = [{word: [strengths(one) for one in pronunciations(word)] for word in spoken}]
    if shutil.which(forms.ESPEAK):
        judges.append(forms.stresses_by_espeak(spoken))
    for said in judges:
        assert all(forms.is_iambic(line, said) for line in iambic)
        assert not any(forms.is_iambic(line, said) for line in other)


def test_ngrams_are_mixed_as_witten_and_bell_say() -> None:
    training = songs_of([[2, 3, 2], [2, 2]])
    held_out = songs_of([[2, 3]])
    by_order = {order: bits for order, _, bits in ngrams.bits_by_order(training, held_out)}
    # Symbols, 0 before each song and before them all, 1 a song's end; asked: 2, 3, 1.
    read = [0, 2, 3, 2, 1, 0, 2, 2, 1]
    one = {symbol: (read.count(symbol) + 4 / 4) / (9 + 4) for symbol in (1, 2, 3)}
    assert by_order[1] == pytest.approx(-sum(math.log2(one[s]) for s in (2, 3, 1)) / 3)
    two = [(2 + 2 * one[2]) / (3 + 2), (1 + 3 * one[3]) / (4 + 3), (0 + 1 * one[1]) / (1 + 1)]
    assert by_order[2] == pytest.approx(-sum(map(math.log2, two)) / 3)


def test_the_transformer_is_asked_for_each_symbol_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    lengths = [1, 2, 127, 128, 129, 255, 256, 257, 258, 600]
    songs = songs_of([[2 + n % 3 for n in range(length)] for length in lengths])
    model = transformer.Transformer(5, 4)
    monkeypatch.setattr(model, "forward", lambda tokens: torch.zeros(*tokens.shape, 4))
    bits = transformer.bits_per_character(model, songs, torch.device("cpu"))
    assert bits == pytest.approx(2.0)  # four symbols, all alike


@pytest.mark.slow
def test_the_transformer_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count()
    monkeypatch.setattr(transformer, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    monkeypatch.setattr(transformer, "BATCH", 2)
    songs = songs_of([[2, 3, 4] * 40] * 30)
    model = transformer.train_for(60, songs, 5, torch.device("cpu"))
    assert transformer.bits_per_character(model, songs, torch.device("cpu")) < 1.0


def test_the_transformer_sees_nothing_of_what_comes() -> None:
    torch.manual_seed(0)
    model = transformer.Transformer(5, 4).eval()
    tokens = torch.randint(0, 5, (1, 20))
    other = tokens.clone()
    other[0, 10:] = 0
    with torch.no_grad():
        assert torch.allclose(model(tokens)[0, :10], model(other)[0, :10], atol=1e-5)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds as short as can be, and small networks."""
    monkeypatch.setattr(padding, "ROUNDS", 1)
    monkeypatch.setattr(training, "PRESETS", {"tiny": PRESETS["tiny"]})
    monkeypatch.setattr(training, "STEPS", 1)
    monkeypatch.setattr(precision, "RANDOM_SIZES", (8,))


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_baselines_are_compared_on_one_split(printed: Printed) -> None:
    lines = printed(baselines.main, CORPUS, minutes=0.02, ways="ppmd,n-grams,padded,seed")[2:]
    assert [line[:34].strip() for line in lines] == [
        "PPMd, order 10",
        *(f"{order}-grams (Witten-Bell)" for order in range(5, 10)),
        "2 × 128, padded songs, Adam",
        "lyricgen seed, 2 × 128",
    ]
    assert all(1 < float(line.split()[-1]) < 8 for line in lines)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_fine_tuning_is_compared_with_training_from_scratch(printed: Printed) -> None:
    lines = printed(fine_tuning.main, CORPUS, from_session=0, minutes=0.02)
    assert [line[:24].strip() for line in lines[2:5]] == [
        "from session 0",
        "seed from scratch",
        "base from scratch",
    ]
    bits = [float(line.split()[-1]) for line in lines[2:5]]
    assert float(lines[5].split()[-4]) == pytest.approx(min(bits[1:]) - bits[0], abs=2e-4)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_the_other_benchmarks_run(printed: Printed) -> None:
    slots, padded, ratio = printed(padding.main, CORPUS, "tiny")[-3:]
    speeds = [float(line.split()[1].replace(",", "")) for line in (slots, padded)]
    assert float(ratio.split()[1]) == pytest.approx(speeds[0] / speeds[1], abs=0.02, rel=0.02)
    if has_bf16(torch.device("cpu")):
        assert printed(training.main)[1].split()[0] == "tiny"
    else:
        with pytest.raises(OptionError, match="PyTorch has no LSTM in bf16"):
            training.main()
    assert "7 bits, a scale for each column" in "\n".join(printed(precision.main))


def test_an_unknown_baseline_is_an_error() -> None:
    with pytest.raises(LyricgenError, match="ways must be some of"):
        baselines.main(ways="magic")


def songs_of(songs: list[list[int]]) -> EncodedSongs:
    """Songs of the symbols 2 and up, with 1 for their ends."""
    tokens = np.array([symbol for song in songs for symbol in [*song, 1]], np.uint8)
    starts = np.cumsum([0, *(len(song) + 1 for song in songs)])
    return EncodedSongs(tokens, starts, np.zeros(len(songs), np.int64), 1)


def test_drafts_are_measured(printed: Printed) -> None:
    found = dict(re.split("  +", line, maxsplit=1) for line in printed(drafts.main, songs=3)[1:])
    assert len(found) == 6
    assert float(found["rhyme with all lines of their letter"].rstrip("%")) >= 90
    assert float(found["have the syllables of such a line, ± 1"].rstrip("%")) >= 90
    gain, error = map(float, found["bits less for the two lines behind, if they are looked at"].split(" ± "))
    assert abs(gain) <= 10 * error + 0.01  # of the same size; of 100 songs, it is above 0


@pytest.mark.slow
def test_the_studio_is_measured(printed: Printed) -> None:
    found = dict(re.split("  +", line, maxsplit=1) for line in printed(studio.main, minutes=0.05, songs=4))
    assert len(found) == 6
    assert float(found["songs a second, 8 clients / --samples"]) > 0.3
    assert int(found["requests in 0.05 minutes of mixed load"]) > 8
    assert found["of them failed"] == "0"


def test_lines_that_are_taken_out_rhyme_and_stand_there_once() -> None:
    song = "Low Moon\n\nThe day\nA stone\nThe way\nA stone\n\nThe day\nA bone\n"
    cases = list(drafts._lines_taken_out(song, ENGLISH))
    assert [case.taken for case in cases] == ["The way"]
    assert cases[0].partners == ["The day"]
    assert (cases[0].number, cases[0].draft) == (2, song.replace("The way", "..."))


def test_drafts_are_of_songs_that_the_model_has_not_read() -> None:
    read = ["The moon is on the hill", "And every star is still", "Oh my love", "I walk the road alone"]
    known = KnownLines(pack_lines(read))
    assert drafts._was_read("\n".join(read), known)
    assert drafts._was_read("\n".join([*read, "A line that nobody has ever read"]), known)
    assert not drafts._was_read("\n".join([read[0], "A line that nobody has ever read"]), known)
    assert not drafts._was_read("Oh my love\nOh my love\n", known)
    assert not drafts._was_read("\n".join(read), ())


def test_drafts_need_songs_that_rhyme(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_text("text\n" + "The day is long and cold\n" * 2 + "Another text that is a song\n" * 2)
    with pytest.raises(LyricgenError, match="has 0 new songs with a line that rhymes; 5 are needed"):
        drafts.main(corpus=path, songs=5)
