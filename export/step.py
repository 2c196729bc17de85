"""The step graph: trained weights → one ONNX step with explicit state, built node by node.

Building it by hand gives the fewest nodes (each costs about half a microsecond per character), one
file, a fixed opset and the same bytes every time. The first layer's one-hot product is a look-up in
a table that already holds its biases.

Letters for axes: B songs side by side, L layers, H hidden size, V tokens, V_out output units.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from lyricgen import contract
from lyricgen.contract import ModelCard

OPSET = 17
IR_VERSION = 8

FloatArray = npt.NDArray[np.float32]
Weights = Mapping[str, FloatArray]
"""The state dictionary of a CharLSTM, as numpy arrays."""


def build_step(weights: Weights, card: ModelCard) -> onnx.ModelProto:
    """Return the step of a trained model as an ONNX model that carries `card`."""
    graph = _StepGraph(weights, card)
    model = helper.make_model(
        graph.build(),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="lyricgen",
        producer_version=card.provenance.creating_version,
    )
    describe(model, card)
    return model


def describe(model: onnx.ModelProto, card: ModelCard) -> None:
    """Let a model carry `card` in place of the one that it carries."""
    helper.set_model_props(model, card.to_properties())


def serialize(model: onnx.ModelProto) -> bytes:
    """Return the bytes of a model, the same every time."""
    content: bytes = model.SerializeToString(deterministic=True)
    return content


class _StepGraph:
    """Collects the nodes and weights of one step."""

    def __init__(self, weights: Weights, card: ModelCard) -> None:
        self.weights, self.card = weights, card
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def build(self) -> onnx.GraphProto:
        hidden, cell = (
            self._split_layers(contract.HIDDEN),
            self._split_layers(contract.CELL),
        )  # L of (1, B, H)
        next_hidden, next_cell = [], []
        below = ""
        for layer in range(self.card.layers):
            gates = self._gates(layer, below, hidden[layer])  # (1, B, 4H)
            below, layer_cell = self._cell_update(layer, gates, cell[layer])  # (1, B, H) each
            next_hidden.append(below)
            next_cell.append(layer_cell)
        self._concat(next_hidden, contract.NEXT_HIDDEN, axis=0)
        self._concat(next_cell, contract.NEXT_CELL, axis=0)
        self._logits(below)
        return helper.make_graph(self.nodes, "lyricgen_step", *self._interface(), self.constants)

    def _gates(self, layer: int, below: str, hidden: str) -> str:
        """Add the four gates' inputs: from the token or the layer below, and from the layer's own past."""
        own, biases = self._matrix(f"weight_hh_l{layer}"), self._biases(layer)
        inputs = self._matrix(f"weight_ih_l{layer}")
        if layer == 0:
            table = self._constant("table", inputs + biases)  # (V, 4H)
            row = self._node("Gather", [table, contract.TOKEN], "row")  # (B, 4H)
            product = self._node("MatMul", [hidden, self._constant("recurrent_0", own)], "product_0")
            return self._node("Add", [product, row], "gates_0")
        both = self._concat([below, hidden], f"both_{layer}", axis=2)  # (1, B, 2H)
        matrix = self._constant(f"weights_{layer}", np.concatenate([inputs, own]))  # (2H, 4H)
        product = self._node("MatMul", [both, matrix], f"product_{layer}")
        return self._node("Add", [product, self._constant(f"biases_{layer}", biases)], f"gates_{layer}")

    def _cell_update(self, layer: int, gates: str, cell: str) -> tuple[str, str]:
        """Add the LSTM's equations; the gates stand in the order i, f, o, g."""
        size = self.card.hidden_size
        widths = self._constant(f"widths_{layer}", np.array([3 * size, size], np.int64))
        sigmoids, candidate = self._split(gates, widths, [f"ifo_inputs_{layer}", f"g_input_{layer}"], axis=2)
        ifo = self._node("Sigmoid", [sigmoids], f"ifo_{layer}")
        thirds = self._constant(f"thirds_{layer}", np.array([size] * 3, np.int64))
        i, f, o = self._split(ifo, thirds, [f"i_{layer}", f"f_{layer}", f"o_{layer}"], axis=2)
        g = self._node("Tanh", [candidate], f"g_{layer}")
        kept = self._node("Mul", [f, cell], f"kept_{layer}")
        added = self._node("Mul", [i, g], f"added_{layer}")
        next_cell = self._node("Add", [kept, added], f"cell_after_{layer}")
        squashed = self._node("Tanh", [next_cell], f"squashed_{layer}")
        return self._node("Mul", [o, squashed], f"hidden_after_{layer}"), next_cell

    def _logits(self, hidden: str) -> None:
        matrix = self._constant("output_weights", self.weights["output.weight"].T)  # (H, V_out)
        product = self._node("MatMul", [hidden, matrix], "output_product")  # (1, B, V_out)
        scores = self._node(
            "Add", [product, self._constant("output_biases", self.weights["output.bias"])], "scores"
        )
        self._node(
            "Squeeze", [scores, self._constant("first_axis", np.array([0], np.int64))], contract.LOGITS
        )  # (B, V_out)

    def _matrix(self, name: str) -> FloatArray:
        """Return an LSTM weight matrix as (inputs, 4H), its gates reordered from torch's i, f, g, o."""
        return self._reorder(self.weights[f"lstm.{name}"]).T

    def _biases(self, layer: int) -> FloatArray:
        both = self.weights[f"lstm.bias_ih_l{layer}"] + self.weights[f"lstm.bias_hh_l{layer}"]
        return self._reorder(both)

    @staticmethod
    def _reorder(gates: FloatArray) -> FloatArray:
        i, f, g, o = np.split(gates, 4)
        return np.concatenate([i, f, o, g])

    def _split_layers(self, state: str) -> list[str]:
        if self.card.layers == 1:
            return [state]
        ones = self._constant(f"ones_{state}", np.ones(self.card.layers, np.int64))
        return self._split(state, ones, [f"{state}_{layer}" for layer in range(self.card.layers)], axis=0)

    def _split(self, value: str, widths: str, outputs: list[str], axis: int) -> list[str]:
        self.nodes.append(helper.make_node("Split", [value, widths], outputs, outputs[0], axis=axis))
        return outputs

    def _concat(self, values: list[str], output: str, axis: int) -> str:
        self.nodes.append(helper.make_node("Concat", values, [output], output, axis=axis))
        return output

    def _node(self, op_type: str, inputs: list[str], output: str) -> str:
        self.nodes.append(helper.make_node(op_type, inputs, [output], output))
        return output

    def _constant(self, name: str, array: npt.NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _interface(self) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
        card, value, songs = self.card, helper.make_tensor_value_info, contract.SONGS_AXIS
        state: list[str | int | None] = [card.layers, songs, card.hidden_size]
        inputs = [
            value(contract.TOKEN, TensorProto.INT64, [songs]),
            value(contract.HIDDEN, TensorProto.FLOAT, state),
            value(contract.CELL, TensorProto.FLOAT, state),
        ]
        outputs = [
            value(contract.LOGITS, TensorProto.FLOAT, [songs, card.vocabulary.output_size]),
            value(contract.NEXT_HIDDEN, TensorProto.FLOAT, state),
            value(contract.NEXT_CELL, TensorProto.FLOAT, state),
        ]
        return inputs, outputs
