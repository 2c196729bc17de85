import importlib
import itertools
import math
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import benchmarks
from benchmarks import generation, ngrams, start_to_finish, transformer
from train.corpus.encoded import EncodedSongs

ROOT = Path(__file__).parents[2]
NAMES = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_can_be_imported(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    assert module.__doc__
    assert not hasattr(module, "main") or f"python -m benchmarks.{name}" in module.__doc__


def test_a_missing_corpus_is_one_line() -> None:
    outcome = run("fine_tuning", "--corpus", "nothing.csv")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert outcome.stderr == "error: nothing.csv: no such file\n"


def test_memory_is_measured_on_two_sizes() -> None:
    outcome = run("memory", "--megabytes", 2, "--small-megabytes", 1)
    assert outcome.returncode == 0, outcome.stderr
    small, large, difference = outcome.stdout.splitlines()
    peaks = [float(line.split("peak ")[1].split()[0]) for line in (small, large)]
    assert all(0.2 < peak < 2 for peak in peaks)
    assert float(difference.split()[1]) == pytest.approx(peaks[1] - peaks[0], abs=0.011)


def test_generation_is_measured_in_every_way() -> None:
    arguments = ("--hidden-size", 8, "--no-bundled", "--rounds", 1, "--characters", 100)
    outcome = run("generation", *arguments)
    assert outcome.returncode == 0, outcome.stderr
    title, _head, *lines = outcome.stdout.split("\n")[1:-1]
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
    network = generation._random(8)
    written = {name: way(200) for name, way in generation._ways(network).items()}
    by_torch = (generation.EAGER, generation.EAGER_ALONE, generation.DYNAMIC)
    expected = dict.fromkeys(written, 200) | dict.fromkeys(by_torch, 20)
    expected |= {generation.MANY: 64 * 100, generation.TWO_THREADS: 128 * 100, generation.OUTSIDE: 2000}
    assert written == expected


def test_the_floor_reads_all_int8_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(generation, "_add_up", lambda words: read.append(words.nbytes))
    network = generation._random(16)
    generation._reader(network.content["int8"])(3)
    layers, output = 16 * 64 + 32 * 64, 16 * 100
    assert read == [layers + output] * 3


def test_without_quantisation_pytorch_int8_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.ao.quantization, "quantize_dynamic")
    ways = generation._ways(generation._random(8))
    assert generation.DYNAMIC not in ways
    assert generation.EAGER in ways


def test_a_song_is_measured_from_start_to_finish() -> None:
    outcome = run("start_to_finish", "--characters", 50, "--runs", 1)
    assert outcome.returncode == 0, outcome.stderr
    figures = {line[:40].strip(): line[40:].split() for line in outcome.stdout.splitlines()[1:]}
    assert list(figures) == ["lyricgen-run", "import torch", *start_to_finish.BY_TORCH]
    seconds = {name: float(columns[0]) for name, columns in figures.items()}
    assert all(0.05 < taken < 60 for taken in seconds.values())
    for name, columns in figures.items():
        expected = seconds["lyricgen-run"] / seconds[name]
        assert float(columns[1]) == pytest.approx(expected, abs=0.03, rel=0.03)


def test_a_way_that_writes_another_number_of_characters_is_an_error() -> None:
    commands = {"short": [sys.executable, "-c", "print('abc')"]}
    assert start_to_finish._measure(commands, 3, 1)["short"] > 0
    with pytest.raises(start_to_finish.WrongLengthError, match="short: wrote 3 characters, not 4"):
        start_to_finish._measure(commands, 4, 1)


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


def test_baselines_are_compared_on_one_split() -> None:
    corpus = ROOT / "tests" / "data" / "small_songs.csv"
    outcome = run("baselines", "--corpus", corpus, "--minutes", 0.02, "--ways", "ppmd,n-grams,padded,seed")
    assert outcome.returncode == 0, outcome.stderr
    names = [line[:34].strip() for line in outcome.stdout.splitlines()[2:]]
    assert names[0] == "PPMd, order 10"
    assert names[1:6] == [f"{order}-grams (Witten-Bell)" for order in range(5, 10)]
    assert names[6:] == ["2 × 128, padded songs, Adam", "lyricgen seed, 2 × 128"]
    figures = [float(line.split()[-1]) for line in outcome.stdout.splitlines()[2:]]
    assert all(1 < bits < 8 for bits in figures)


def test_an_unknown_baseline_is_one_line() -> None:
    outcome = run("baselines", "--ways", "magic")
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("error: --ways must be some of")


def songs_of(songs: list[list[int]]) -> EncodedSongs:
    """Songs of the symbols 2 and up, with 1 for their ends."""
    tokens = np.array([symbol for song in songs for symbol in [*song, 1]], np.uint8)
    starts = np.cumsum([0, *(len(song) + 1 for song in songs)])
    return EncodedSongs(tokens, starts, np.zeros(len(songs), np.int64), 1)
