"""The step as ONNX: the graph that the runtime expects, filled with trained weights.

Built node by node, not traced by PyTorch's exporter: fewer nodes (each costs about half a microsecond per
character), one file, a fixed operator set and the same bytes every time.

Letters for axes: H hidden size, V tokens, V_out output units.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from lyricgen.model_file import contract
from lyricgen.model_file.card import ModelCard
from lyricgen.model_file.step_graph import HIGHEST_WEIGHT, IR_VERSION, OPSETS, Graph, TensorType, step_graph

Floats32 = npt.NDArray[np.float32]
Weights = Mapping[str, Floats32]
"""The state dictionary of a CharLSTM, as numpy arrays."""
Array = npt.NDArray[np.generic]
_NOTHING = 1e-20
"""A column of weights no larger than this is all zeros: its scale divides biases."""


def build_step(weights: Weights, card: ModelCard) -> onnx.ModelProto:
    """Return the step of a trained model as an ONNX model.

    Args:
        weights: the model's, under PyTorch's names.
        card: what the file is to say about itself; the hash of its tensors is filled in.
    """
    graph = step_graph(card)
    tensors = _tensors(graph, _arrays(weights, card))
    digest = hashlib.sha256(b"".join(tensor.raw_data for tensor in tensors))
    nodes = [
        helper.make_node(n.op_type, n.inputs, n.outputs, n.outputs[0], domain=n.domain or None, axis=n.axis)
        for n in graph.nodes
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "lyricgen_step", _values(graph.inputs), _values(graph.outputs), tensors),
        opset_imports=[helper.make_opsetid(*entry) for entry in OPSETS[card.precision].items()],
        ir_version=IR_VERSION,
        producer_name="lyricgen",
        producer_version=card.provenance.creating_version,
    )
    set_card(model, replace(card, tensors_sha256=digest.hexdigest()))
    return model


def set_card(model: onnx.ModelProto, card: ModelCard) -> None:
    """Let a model carry `card` in place of the one that it carries."""
    helper.set_model_props(model, card.to_properties())


def serialize(model: onnx.ModelProto) -> bytes:
    """Return the bytes of a model, the same every time."""
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _arrays(weights: Weights, card: ModelCard) -> dict[str, Array]:
    """Return the weights under the names that they have in the graph."""
    products = {"output_weights": weights["output.weight"].T}  # (H, V_out)
    biases = {"output_biases": weights["output.bias"]}
    arrays: dict[str, Array] = {}
    for layer in range(card.layers):
        inputs, own = (_reorder(weights[f"lstm.weight_{kind}_l{layer}"]).T for kind in ("ih", "hh"))
        summed = _reorder(weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"])
        if layer == 0:
            arrays["table"] = inputs + summed  # (V, 4H)
            products["recurrent_0"] = own  # (H, 4H)
        else:
            biases[f"biases_{layer}"] = summed
            products[f"weights_{layer}"] = np.concatenate([inputs, own])  # (2H, 4H)
    for name, matrix in products.items():
        if card.precision == contract.INT8:
            arrays[name], scales = quantize(matrix)
            arrays[f"{name}_scales"] = scales
            if name.startswith("weights_"):  # gates' biases are added before their scales apply
                biases[name.replace("weights", "biases")] /= scales
        else:
            arrays[name] = matrix
    return arrays | biases


def _reorder(gates: Floats32) -> Floats32:
    """Put gates into the graph's order i, f, o, g; PyTorch's is i, f, g, o."""
    i, f, g, o = np.split(gates, 4)
    return np.concatenate([i, f, o, g])


def quantize(matrix: Floats32) -> tuple[npt.NDArray[np.int8], Floats32]:
    """Round weights to whole multiples of their column's scale.

    Args:
        matrix: (inputs, outputs) finite weights.

    Returns:
        Whole numbers from -63 to 63 (inputs, outputs), and the scales (outputs,): their product is the
        matrix, up to half a scale.
    """
    highest = np.abs(matrix).max(axis=0)
    scales = np.where(highest > _NOTHING, highest, 1).astype(np.float32) / np.float32(HIGHEST_WEIGHT)
    return np.rint(matrix / scales).astype(np.int8), scales


def _tensors(graph: Graph, arrays: Mapping[str, Array]) -> list[onnx.TensorProto]:
    tensors = []
    for name, constant in graph.constants.items():
        if constant.content is None:
            tensors.append(numpy_helper.from_array(arrays[name], name))
        else:
            lengths = [int(length) for length in constant.type.shape]
            kind = constant.type.element_type
            tensors.append(helper.make_tensor(name, kind, lengths, constant.content, raw=True))
    return tensors


def _values(types: Mapping[str, TensorType]) -> list[onnx.ValueInfoProto]:
    make = helper.make_tensor_value_info
    return [make(name, kind.element_type, kind.shape) for name, kind in types.items()]
