"""How fast songs are written: lyricgen against PyTorch, the usual loop, and the speed of the cache.

    python -m benchmarks.generation                       the bundled model and three random ones
    python -m benchmarks.generation --hidden-size 512     one of them

All ways write songs of a fixed length (the end of a song is made all but impossible) at temperature 0.75,
in turn, round after round; the table shows medians. One thread, unless it says otherwise. The random networks
have two layers and 100 output units. "Against PyTorch" is against its fastest way in fp32.

PyTorch, eager     the module that was trained, softmax and torch.multinomial, one character at a time; as it
                   is, and with oneDNN switched off, which prepares the LSTM's weights anew for each character
PyTorch, int8      the same, by torch.ao.quantization.quantize_dynamic
the usual loop     onnxruntime's session.run with a dictionary, softmax and choice of numpy, fp32; onnxruntime
                   takes all cores unless it is told otherwise
floor              adding up as many bytes as the int8 file has int8 weights, once per character, in compiled
                   code. All of them are read in each step; what is fp32 (the look-up of the first layer, of
                   which a step reads one row, scales and biases) does not count
outside the step   the compiled loop without its calls of onnxruntime: what lyricgen adds to a character
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numba
import numpy as np
import onnx
import onnxruntime as ort
import torch
import typer
from onnx import numpy_helper

from benchmarks import columns, median_seconds, run
from benchmarks.random_networks import random_network
from export.run import new_card, trained
from export.step import build_step, serialize
from lyricgen.engine.record import NOT_RUN
from lyricgen.engine.slots import Batch, read_prefix
from lyricgen.engine.step_model import ModelFile
from lyricgen.generator import Model
from lyricgen.model_file import contract
from lyricgen.model_file.card import ModelCard
from lyricgen.options import SongOptions, plan_song
from lyricgen.vocabulary import SOS
from train.evaluation import without_threads
from train.model import CharLSTM
from train.session import Session
from train.session_folders import CHECKPOINTS_FOLDER

SIZES = (128, 512, 1024)
OUTPUTS = 100
TEMPERATURE = 0.75
NO_END = -1e4
"""Score of EOS."""
SLOTS = 64

ONE, FP32, BY_PYTHON = "lyricgen, int8", "lyricgen, fp32", "lyricgen, int8, through Python"
MANY, TWO_THREADS = f"{ONE}, {SLOTS} songs", f"{ONE}, 2 × {SLOTS} songs, 2 threads"
EAGER, EAGER_ALONE, DYNAMIC = "PyTorch, eager", "PyTorch, eager, without oneDNN", "PyTorch, int8"
USUAL, USUAL_ALONE = "the usual loop, fp32, all cores", "the usual loop, fp32"
FLOOR, OUTSIDE = "floor", "outside the step"

RATIOS = {
    "int8 against PyTorch, eager": (EAGER, ONE),
    "int8 against PyTorch, eager, without oneDNN": (EAGER_ALONE, ONE),
    "int8 against PyTorch, int8": (DYNAMIC, ONE),
    "int8 against the usual loop": (USUAL_ALONE, ONE),
    "fp32 against the usual loop": (USUAL_ALONE, FP32),
    "fp32 against the usual loop on all cores": (USUAL, FP32),
    f"{SLOTS} songs against one": (ONE, MANY),
    "2 threads against one": (MANY, TWO_THREADS),
    "compiled loop against Python's": (BY_PYTHON, ONE),
}
"""How many times as long the first way takes as the second."""

Way = Callable[[int], int]
"""Writes about so many characters; returns how many it wrote."""


@dataclass
class Network:
    """One network in the forms that are compared; its songs do not end by themselves."""

    name: str
    card: ModelCard
    torch_model: CharLSTM

    def __post_init__(self) -> None:
        self.torch_model.output.bias.data[0] = NO_END
        weights = {key: tensor.numpy() for key, tensor in self.torch_model.state_dict().items()}
        cards = {precision: replace(self.card, precision=precision) for precision in contract.PRECISIONS}
        self.content = {name: serialize(build_step(weights, card)) for name, card in cards.items()}
        """The file in each precision."""

    def file(self, precision: str, *, through_python: bool = False) -> ModelFile:
        """Return the file as lyricgen reads it."""
        return ModelFile(Path(self.name), self.content[precision], through_python=through_python)


def main(
    hidden_size: Annotated[
        list[int] | None, typer.Option(help="Sizes of random networks.", show_default="128, 512, 1024")
    ] = None,
    *,
    bundled: Annotated[bool, typer.Option(help="Measure the bundled model, too.")] = True,
    characters: Annotated[int, typer.Option(help="Of a song; PyTorch writes a tenth.", min=20)] = 1000,
    rounds: Annotated[int, typer.Option(help="How often each way is measured.", min=1)] = 7,
) -> None:
    """Print a table for each network."""
    networks = [random(size) for size in hidden_size or SIZES]
    if bundled:
        session = Session.open(CHECKPOINTS_FOLDER, 0)
        card = new_card(session, contract.FP32)
        name = f"the bundled model, {card.layers} × {card.hidden_size}"
        networks.append(Network(name, card, trained(session)[0].eval()))
    with without_threads():
        for network in networks:
            ways = {name: partial(way, characters) for name, way in ways_to_write(network).items()}
            _show(network, median_seconds(ways, rounds))


def random(hidden_size: int) -> Network:
    """Return a network with random weights."""
    return Network(f"2 × {hidden_size}, random", *random_network(hidden_size, OUTPUTS - 1))


def ways_to_write(network: Network) -> dict[str, Way]:
    """Return all ways to write songs with a network, and what they are measured by."""
    int8 = Model(network.file(contract.INT8))
    eager = partial(_by_torch, network.torch_model, network.card)
    ways: dict[str, Way] = {
        ONE: partial(_one_song, int8),
        FP32: partial(_one_song, Model(network.file(contract.FP32))),
        BY_PYTHON: partial(_one_song, Model(network.file(contract.INT8, through_python=True))),
        MANY: partial(_many_songs, int8, 1),
        TWO_THREADS: partial(_many_songs, int8, 2),
        EAGER: eager,
        EAGER_ALONE: partial(_without_onednn, eager),
        USUAL: partial(_usual_loop, _usual_session(network, 0), network.card),  # 0: onnxruntime takes all
        USUAL_ALONE: partial(_usual_loop, _usual_session(network, 1), network.card),
        FLOOR: _reader(network.content[contract.INT8]),
        OUTSIDE: partial(_kernel_alone, network.file(contract.INT8)),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it will move to another package
        try:
            from torch.ao.quantization import quantize_dynamic
        except ImportError:
            return ways
        kinds = {torch.nn.LSTM, torch.nn.Linear}
        quantised = quantize_dynamic(network.torch_model, kinds, torch.qint8)  # type: ignore[no-untyped-call]
        return ways | {DYNAMIC: partial(_by_torch, quantised, network.card)}


def _options(characters: int) -> SongOptions:
    length: SongOptions = {"max_length": characters, "exact_length": True}
    return {"form": "free", "temperature": TEMPERATURE, "seed": 1, **length}


def _one_song(model: Model, characters: int) -> int:
    return len(model.generate(**_options(characters)).text)


def _many_songs(model: Model, threads: int, characters: int) -> int:
    options = _options(characters // 2)
    songs = model.songs(range(SLOTS * threads), slots=SLOTS, threads=threads, **options)
    return sum(len(song.text) for song in songs)


@torch.inference_mode()
def _by_torch(model: torch.nn.Module, card: ModelCard, characters: int) -> int:
    size = (card.layers, 1, card.hidden_size)
    state, token, text = (torch.zeros(size), torch.zeros(size)), torch.tensor([[SOS]]), []
    for _ in range(characters // 10):
        logits, state = model(token, state)
        unit = torch.multinomial(torch.softmax(logits[0, 0] / TEMPERATURE, 0), 1)
        text.append(int(unit))
        token = (unit + card.vocabulary.eos)[None]
    return len(text)


def _without_onednn(way: Way, characters: int) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a GPU that nobody asked for
        with torch.backends.mkldnn.flags(enabled=False):
            return way(characters)


def _usual_session(network: Network, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(network.content[contract.FP32], options)


def _usual_loop(session: ort.InferenceSession, card: ModelCard, characters: int) -> int:
    hidden = cell = np.zeros((card.layers, 1, card.hidden_size), np.float32)
    token, text = np.array([SOS]), []
    for _ in range(characters):
        inputs = {contract.TOKEN: token, contract.HIDDEN: hidden, contract.CELL: cell}
        logits, hidden, cell = session.run(None, inputs)
        logits = logits[0].astype(np.float64) / TEMPERATURE
        weights = np.exp(logits - logits.max())
        unit = np.random.choice(len(weights), p=weights / weights.sum())
        text.append(unit)
        token = np.array([card.vocabulary.eos + unit])
    return len(text)


@numba.njit
def _add_up(words: Any) -> Any:  # noqa: ANN401
    total = np.uint64(0)
    for place in range(words.size):  # by index: so LLVM adds many at a time
        total += words[place]
    return total


def _reader(content: bytes) -> Way:
    """Return what reads as many bytes as the file has int8 weights, once for each character."""
    arrays = map(numpy_helper.to_array, onnx.load_from_string(content).graph.initializer)
    size = sum(array.nbytes for array in arrays if array.dtype == np.int8)
    words = np.random.default_rng(1).integers(0, 2**63, size // 8, np.uint64)

    def read(characters: int) -> int:
        for _ in range(characters):
            _add_up(words)
        return characters

    return read


def _kernel_alone(file: ModelFile, characters: int) -> int:
    """Let the kernel draw ten times as many from the same logits, with no step between."""
    characters *= 10
    plan = plan_song(file.card, _options(characters))
    batch = Batch(file, plan, read_prefix(file, plan), 1)
    batch.start(0, 0)
    batch._move(1, characters + 1)
    logits = batch._slots.steps.logits
    logits[:] = np.random.default_rng(1).normal(0, 3, logits.shape)
    logits[0, 0] = NO_END
    batch._record["run"] = NOT_RUN
    batch._call(characters)
    return int(batch._slots.length[0])


def _show(network: Network, seconds: dict[str, float]) -> None:
    print(f"\n{network.name}, {network.card.vocabulary.output_size} output units")
    row = columns(44, 16, 18)
    row("", "µs per character", "against PyTorch")
    pytorch = min(seconds[EAGER], seconds[EAGER_ALONE])
    for name, taken in seconds.items():
        against = "" if name in (FLOOR, OUTSIDE) else f"{pytorch / taken:.1f} ×"
        row(name, f"{1e6 * taken:.2f}", against)
    if DYNAMIC not in seconds:
        row(DYNAMIC, "not in this one")
    for name, (slow, fast) in RATIOS.items():
        if slow in seconds:
            row(name, f"{seconds[slow] / seconds[fast]:.2f} ×")
    row("int8 in floors", f"{seconds[ONE] / seconds[FLOOR]:.2f}")


if __name__ == "__main__":
    run(main)
