"""What each way to hold the weights costs in bits per character, and gains in speed and size.

    python -m benchmarks.precision                                   random weights: speed and size only
    python -m benchmarks.precision --session 1                       a trained session, its held-out songs
    python -m benchmarks.precision --session 0 --held-out songs.csv  ... or other songs

The exported file has 7 bits and a scale for each column. Beside it: 8 bits (which CPUs without VNNI add up
wrongly), one scale for a whole matrix, fp32, and the graph of PyTorch's own exporter (TorchScript's, which
keeps the LSTM operator). All are timed in turn, one song on one thread; the last line is a network so small
that only the nodes count.
"""

from __future__ import annotations

import tempfile
import warnings
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch
import typer
from onnx import numpy_helper

from benchmarks import columns, run
from benchmarks.random_networks import random_network
from export.held_out import other_songs
from export.run import new_card, trained
from export.step import build_step, serialize
from export.verify import measure_bits_per_character, median_step_seconds
from lyricgen.engine.ort_python_api import OrtPythonSession
from lyricgen.engine.step_model import ModelFile
from lyricgen.model_file import contract
from lyricgen.model_file.card import ModelCard
from train.model import CharLSTM
from train.session import Session
from train.session_folders import CHECKPOINTS_FOLDER

RANDOM_SIZES = (128, 512, 1024)
SMALL_SIZE = 8
"""Hidden size of the network that takes no time but for its nodes."""
CHARACTERS = 96
EXPORTED = "7 bits, a scale for each column"


class Unchecked(ModelFile):
    """A model file with a graph that lyricgen does not accept."""

    def __init__(self, card: ModelCard, step: onnx.ModelProto) -> None:
        content = serialize(step)
        self.path, self.card, self.size_bytes = Path("variant"), card, len(content)
        is_ours = step.producer_name == "lyricgen"
        levels = ort.GraphOptimizationLevel  # ours as users run it, PyTorch's as well as onnxruntime can
        level = levels.ORT_DISABLE_ALL if is_ours else levels.ORT_ENABLE_ALL
        self.ort_session = OrtPythonSession(content, level)
        self.nodes = len(step.graph.node)


def main(
    session: Annotated[
        int | None, typer.Option(help="A trained session.", show_default="random weights")
    ] = None,
    held_out: Annotated[
        Path | None, typer.Option(help="Songs to measure on.", show_default="those that the session held out")
    ] = None,
) -> None:
    """Print a table for each network."""
    if session is None:
        for size in RANDOM_SIZES:
            _show(_variants(*random_network(size, CHARACTERS)))
    else:
        opened = Session.open(CHECKPOINTS_FOLDER, session)
        files = _variants(new_card(opened, contract.FP32), trained(opened)[0])
        with ExitStack() as stack:
            if held_out is None:
                songs = opened.songs("held_out")
            else:
                songs = stack.enter_context(other_songs(held_out, opened.config.corpus, opened)).encoded
            bits = {name: round(measure_bits_per_character(file, songs), 4) for name, file in files.items()}
        _show(files, bits)
    files = _variants(*random_network(SMALL_SIZE, CHARACTERS))
    small = {"fp32": files["fp32"], "int8": files[EXPORTED]}
    for name, seconds in median_step_seconds(small).items():
        nodes, taken = small[name].nodes, 1e6 * seconds
        print(f"2 × {SMALL_SIZE} {name}: {taken:.1f} µs for {nodes} nodes, {taken / nodes:.2f} µs each")


def _variants(card: ModelCard, model: CharLSTM) -> dict[str, Unchecked]:
    weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
    fp32, int8 = (
        build_step(weights, replace(card, precision=name)) for name in (contract.FP32, contract.INT8)
    )
    variants = {"fp32": fp32, "fp32, by PyTorch's exporter": _traced(model)}
    for bits in (7, 8):
        variants[f"{bits} bits, a scale for each matrix"] = _requantised(int8, fp32, bits, axis=None)
        variants[f"{bits} bits, a scale for each column"] = _requantised(int8, fp32, bits, axis=0)
    return {name: Unchecked(card, step) for name, step in variants.items()}


def _requantised(
    int8: onnx.ModelProto, fp32: onnx.ModelProto, bits: int, axis: int | None
) -> onnx.ModelProto:
    """Return an int8 step with its matrices rounded to `bits` bits; axis None: one scale for all columns."""
    step = onnx.ModelProto()
    step.CopyFrom(int8)
    exact = {tensor.name: numpy_helper.to_array(tensor) for tensor in fp32.graph.initializer}
    tensors = {tensor.name: tensor for tensor in step.graph.initializer}
    for name in [name for name in tensors if f"{name}_scales" in tensors]:
        scales = np.asarray(np.abs(exact[name]).max(axis=axis) / (2 ** (bits - 1) - 1), np.float32)
        changed: dict[str, npt.NDArray[Any]] = {
            name: np.rint(exact[name] / scales).astype(np.int8),
            f"{name}_scales": scales,
        }
        if name.startswith("weights_"):
            biases = name.replace("weights", "biases")
            changed[biases] = np.asarray(exact[biases] / scales, np.float32)
        for key, array in changed.items():
            tensors[key].CopyFrom(numpy_helper.from_array(array, key))
    return step


class _Step(torch.nn.Module):
    """The single step of a network as its exporter wants it: one token for each song."""

    def __init__(self, model: CharLSTM) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, token: torch.Tensor, hidden: torch.Tensor, cell: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        logits, (hidden, cell) = self.model(token[None], (hidden, cell))
        return logits[0], hidden, cell


def _traced(model: CharLSTM) -> onnx.ModelProto:
    """Return the step as PyTorch's exporter writes it."""
    axes = {contract.TOKEN: {0: "B"}, contract.LOGITS: {0: "B"}}
    axes |= {name: {1: "B"} for name in (*contract.INPUTS[1:], *contract.OUTPUTS[1:])}
    arguments = (torch.zeros(2, dtype=torch.int64), *model.initial_state(2))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Step(model).eval(),
            arguments,
            f"{folder}/step.onnx",
            dynamo=False,
            input_names=contract.INPUTS,
            output_names=contract.OUTPUTS,
            dynamic_axes=axes,
            opset_version=17,
        )
        return onnx.load(f"{folder}/step.onnx")


def _show(files: dict[str, Unchecked], bits: dict[str, float] | None = None) -> None:
    times = {name: 1e6 * seconds for name, seconds in median_step_seconds(files).items()}
    card = files["fp32"].card
    print(f"\n{card.layers} × {card.hidden_size}, {card.vocabulary.output_size} output units")
    row = columns(32, 6, 6, 8, 8, 20)
    row("", "MB", "nodes", "µs", "speed", "bits per character")
    for name, file in files.items():
        quality = f"{bits[name]:.4f} ({bits[name] - bits['fp32']:+.4f})" if bits else ""
        speed = f"{times['fp32'] / times[name]:.2f} ×"
        row(name, f"{file.size_bytes / 1e6:.1f}", str(file.nodes), f"{times[name]:.1f}", speed, quality)


if __name__ == "__main__":
    run(main)
