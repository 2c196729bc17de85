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
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch
import typer
from onnx import numpy_helper

from benchmarks import columns, median_seconds, run
from benchmarks.random_networks import random_card, random_network
from export.run import new_card, trained
from export.step import Weights, build_step, serialize
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

ONE, FP32, MANY, TWO_THREADS, BY_PYTHON = (
    "lyricgen, int8",
    "lyricgen, fp32",
    f"lyricgen, int8, {SLOTS} songs",
    f"lyricgen, int8, 2 × {SLOTS} songs, 2 threads",
    "lyricgen, int8, through Python",
)
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
    """One network in the forms that are compared."""

    name: str
    card: ModelCard
    torch_model: CharLSTM
    content: dict[str, bytes]
    """The file in each precision."""


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
    networks = [_random(size) for size in hidden_size or SIZES]
    if bundled:
        networks.append(_bundled())
    with without_threads():
        for network in networks:
            ways = {name: partial(way, characters) for name, way in _ways(network).items()}
            _show(network, median_seconds(ways, rounds))


def _random(hidden_size: int) -> Network:
    card = random_card(hidden_size, OUTPUTS - 1)
    return _without_end(f"2 × {hidden_size}, random", card, random_network(card))


def _bundled() -> Network:
    session = Session.open(CHECKPOINTS_FOLDER, 0)
    model, _weights = trained(session)
    card = new_card(session, contract.FP32)
    return _without_end(f"the bundled model, {card.layers} × {card.hidden_size}", card, model.eval())


def _without_end(name: str, card: ModelCard, model: CharLSTM) -> Network:
    model.output.bias.data[0] = NO_END
    weights: Weights = {key: tensor.numpy() for key, tensor in model.state_dict().items()}
    content = {
        precision: serialize(build_step(weights, replace(card, precision=precision)))
        for precision in contract.PRECISIONS
    }
    return Network(name, card, model, content)


def _ways(network: Network) -> dict[str, Way]:
    files = {name: ModelFile(Path(network.name), content) for name, content in network.content.items()}
    int8, fp32 = Model(files[contract.INT8]), Model(files[contract.FP32])
    by_python = Model(ModelFile(Path(network.name), network.content[contract.INT8], through_python=True))
    eager, quantised = _torch_loop(network.torch_model, network.card), _quantised(network.torch_model)
    ways: dict[str, Way] = {
        ONE: partial(_one_song, int8),
        FP32: partial(_one_song, fp32),
        BY_PYTHON: partial(_one_song, by_python),
        MANY: partial(_many_songs, int8, 1),
        TWO_THREADS: partial(_many_songs, int8, 2),
        EAGER: eager,
        EAGER_ALONE: _without_onednn(eager),
        USUAL: _usual_loop(network),
        USUAL_ALONE: _usual_loop(network, threads=1),
        FLOOR: _reader(network.content[contract.INT8]),
        OUTSIDE: partial(_kernel_alone, files[contract.INT8]),
    }
    return ways if quantised is None else ways | {DYNAMIC: _torch_loop(quantised, network.card)}


def _options(characters: int) -> SongOptions:
    return {"temperature": TEMPERATURE, "seed": 1, "max_length": characters, "exact_length": True}


def _one_song(model: Model, characters: int) -> int:
    return len(model.generate(**_options(characters)).text)


def _many_songs(model: Model, threads: int, characters: int) -> int:
    options = _options(characters // 2)
    songs = model.songs(range(SLOTS * threads), slots=SLOTS, threads=threads, **options)
    return sum(len(song.text) for song in songs)


def _quantised(model: CharLSTM) -> torch.nn.Module | None:
    """Return the network in PyTorch's int8; None if this PyTorch has that no more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it will move to another package
        try:
            from torch.ao.quantization import quantize_dynamic
        except ImportError:
            return None
        kinds = {torch.nn.LSTM, torch.nn.Linear}
        quantised: torch.nn.Module = quantize_dynamic(model, kinds, torch.qint8)  # type: ignore[no-untyped-call]
        return quantised


def _torch_loop(model: torch.nn.Module, card: ModelCard) -> Way:
    size = (card.layers, 1, card.hidden_size)

    @torch.inference_mode()
    def write(characters: int) -> int:
        state, token, text = (torch.zeros(size), torch.zeros(size)), torch.tensor([[SOS]]), []
        for _ in range(characters // 10):
            logits, state = model(token, state)
            unit = torch.multinomial(torch.softmax(logits[0, 0] / TEMPERATURE, 0), 1)
            text.append(int(unit))
            token = (unit + card.vocabulary.eos)[None]
        return len(text)

    return write


def _without_onednn(way: Way) -> Way:
    def write(characters: int) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a GPU that nobody asked for
            with torch.backends.mkldnn.flags(enabled=False):
                return way(characters)

    return write


def _usual_loop(network: Network, threads: int = 0) -> Way:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads  # 0: onnxruntime's own choice, one for each core
    session = ort.InferenceSession(network.content[contract.FP32], options)
    card = network.card
    zeros = np.zeros((card.layers, 1, card.hidden_size), np.float32)

    def write(characters: int) -> int:
        token, hidden, cell, text = np.array([SOS]), zeros, zeros, []
        for _ in range(characters):
            inputs = {contract.TOKEN: token, contract.HIDDEN: hidden, contract.CELL: cell}
            logits, hidden, cell = session.run(None, inputs)
            logits = logits[0].astype(np.float64) / TEMPERATURE
            weights = np.exp(logits - logits.max())
            unit = np.random.choice(len(weights), p=weights / weights.sum())
            text.append(unit)
            token = np.array([card.vocabulary.eos + unit])
        return len(text)

    return write


@numba.njit
def _add_up(words: Any) -> Any:  # noqa: ANN401
    total = np.uint64(0)
    for place in range(words.size):  # by index: so LLVM adds many at a time
        total += words[place]
    return total


def _reader(content: bytes) -> Way:
    """Return what reads as many bytes as the file has int8 weights, once for each character."""
    initializers = onnx.load_from_string(content).graph.initializer
    arrays = [numpy_helper.to_array(tensor) for tensor in initializers]
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
    logits: npt.NDArray[np.float32] = batch._slots.steps.logits
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
