"""The graph of a model file, node by node: what export builds, and all that the runtime accepts.

A file whose graph differs in anything but its weights is refused, so it can compute nothing but a step
of an LSTM, in an amount of memory that its card foretells. Only the standard library is imported.

Letters for axes: B songs side by side, L layers, H hidden size, V tokens, V_out output units. The gates
stand in the order i, f, o, g (input, forget, output, candidate), so that one Sigmoid serves three.

    table[token]                                   the first layer's input weights and biases, looked up
    gates    = table row + hidden_0 @ recurrent_0            (layer 0)
    gates    = [hidden below, hidden_n] @ weights_n + biases_n     (layers above)
    i, f, o  = sigmoid(gates)         g = tanh(gates)
    cell     = f * cell + i * g       hidden = o * tanh(cell)
    logits   = hidden of the top layer @ output_weights + output_biases

In int8, the factors of each product are whole numbers: the hidden state counts 127ths from 128 up (it
lies between -1 and 1, so the scale is a constant), and the weights count a scale of their column's own,
from -63 to 63. So do the biases of gates, which are added before that scale is applied. With 7 bits the
sums of CPUs that add pairs of products in 16 bits cannot overflow: all CPUs find the same sums.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from lyricgen.model_file import contract
from lyricgen.model_file.card import ModelCard

IR_VERSION = 8
OPSETS = {contract.FP32: {"": 17}, contract.INT8: {"": 17, "com.microsoft": 1}}
"""Versions of the operator sets that the graph of each precision uses, by domain."""
HIGHEST_WEIGHT = 63
"""int8 weights lie between this and its negative: 7 bits."""
HIDDEN_STEPS = 127
"""The int8 hidden state counts 127ths."""

FLOAT, UINT8, INT8, INT64 = 1, 2, 3, 7
"""Element types, numbered as in ONNX."""
_ITEM_BYTES = {FLOAT: 4, UINT8: 1, INT8: 1, INT64: 8}


@dataclass(frozen=True)
class TensorType:
    """Element type and shape of a tensor."""

    element_type: int
    shape: tuple[int | str, ...]
    """A string is the name of an axis of any length."""

    @property
    def size_bytes(self) -> int:
        """Size of the tensor's elements, where no axis has a name."""
        return prod(map(int, self.shape)) * _ITEM_BYTES[self.element_type]


@dataclass(frozen=True)
class Constant:
    """A tensor inside the file."""

    type: TensorType
    content: bytes | None = None
    """Its little-endian elements, where they are the same in all files; None for weights."""


@dataclass(frozen=True)
class Node:
    """One operation."""

    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    axis: int | None = None
    """The only attribute that any node of ours has."""
    domain: str = ""


@dataclass
class Graph:
    """A whole graph. Order counts everywhere."""

    inputs: dict[str, TensorType]
    outputs: dict[str, TensorType]
    constants: dict[str, Constant] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)


def step_graph(card: ModelCard) -> Graph:
    """Return the graph that the file of a model with this card holds."""
    return _StepGraph(card).build()


class _StepGraph:
    """Collects the nodes and constants of one step."""

    def __init__(self, card: ModelCard) -> None:
        self.layers, self.size = card.layers, card.hidden_size
        self.input_size, self.output_size = card.vocabulary.input_size, card.vocabulary.output_size
        self.is_int8 = card.precision == contract.INT8
        songs = contract.SONGS_AXIS
        tokens, logits = TensorType(INT64, (songs,)), TensorType(FLOAT, (songs, self.output_size))
        state = TensorType(FLOAT, (self.layers, songs, self.size))
        inputs = dict(zip(contract.INPUTS, (tokens, state, state), strict=True))
        self.graph = Graph(inputs, dict(zip(contract.OUTPUTS, (logits, state, state), strict=True)))

    def build(self) -> Graph:
        if self.is_int8:
            self._constant("hidden_scale", FLOAT, (), struct.pack("<f", 1 / HIDDEN_STEPS))
            self._constant("hidden_zero", UINT8, (), struct.pack("<B", 128))
            self._constant("one", FLOAT, (), struct.pack("<f", 1.0))
        self._sizes("gate_widths", [3 * self.size, self.size])
        self._sizes("thirds", [self.size] * 3)
        self._sizes("first_axis", [0])
        hidden, cell = self._split_layers(contract.HIDDEN), self._split_layers(contract.CELL)  # (1, B, H)
        next_hidden, next_cell = [], []
        below = ""
        for layer in range(self.layers):
            gates = self._gates(layer, below, hidden[layer])  # (1, B, 4H)
            below, layer_cell = self._cell_update(layer, gates, cell[layer])  # (1, B, H) each
            next_hidden.append(below)
            next_cell.append(layer_cell)
        if self.layers > 1:
            self._node("Concat", next_hidden, contract.NEXT_HIDDEN, axis=0)  # (L, B, H)
            self._node("Concat", next_cell, contract.NEXT_CELL, axis=0)
        shape = (self.size, self.output_size)
        scores = self._product("scores", below, "output_weights", shape, "output_biases")  # (1, B, V_out)
        self._node("Squeeze", [scores, "first_axis"], contract.LOGITS)  # (B, V_out)
        return self.graph

    def _gates(self, layer: int, below: str, hidden: str) -> str:
        """Add the four gates' inputs: from the token or the layer below, and from the layer's own past."""
        four = 4 * self.size
        if layer == 0:
            self._constant("table", FLOAT, (self.input_size, four))
            row = self._node("Gather", ["table", contract.TOKEN], "row")  # (B, 4H)
            product = self._product("product_0", hidden, "recurrent_0", (self.size, four))
            return self._node("Add", [product, row], "gates_0")
        both = self._node("Concat", [below, hidden], f"both_{layer}", axis=2)  # (1, B, 2H)
        shape = (2 * self.size, four)
        return self._product(f"gates_{layer}", both, f"weights_{layer}", shape, f"biases_{layer}")

    def _cell_update(self, layer: int, gates: str, cell: str) -> tuple[str, str]:
        """Add the LSTM's equations."""
        names = [f"ifo_inputs_{layer}", f"g_input_{layer}"]
        ifo_inputs, g_input = self._split(gates, "gate_widths", names, axis=2)
        ifo = self._node("Sigmoid", [ifo_inputs], f"ifo_{layer}")
        i, f, o = self._split(ifo, "thirds", [f"{gate}_{layer}" for gate in "ifo"], axis=2)
        g = self._node("Tanh", [g_input], f"g_{layer}")
        kept = self._node("Mul", [f, cell], f"kept_{layer}")
        added = self._node("Mul", [i, g], f"added_{layer}")
        next_hidden, next_cell = f"hidden_after_{layer}", f"cell_after_{layer}"
        if self.layers == 1:
            next_hidden, next_cell = contract.NEXT_HIDDEN, contract.NEXT_CELL
        self._node("Add", [kept, added], next_cell)
        squashed = self._node("Tanh", [next_cell], f"squashed_{layer}")
        return self._node("Mul", [o, squashed], next_hidden), next_cell

    def _product(self, name: str, value: str, matrix: str, shape: tuple[int, int], biases: str = "") -> str:
        """Add the product of a hidden state with a weight matrix, and its biases if they have a name."""
        if biases:
            self._constant(biases, FLOAT, shape[1:])
        if self.is_int8:
            return self._int8_product(name, value, matrix, shape, biases)
        self._constant(matrix, FLOAT, shape)
        if not biases:
            return self._node("MatMul", [value, matrix], name)
        return self._node("Add", [self._node("MatMul", [value, matrix], f"{name}_product"), biases], name)

    def _int8_product(self, name: str, value: str, matrix: str, shape: tuple[int, int], biases: str) -> str:
        """Add a product in whole numbers.

        Columns of gates get their scales from a node of its own: where the product has a scale for each
        column, onnxruntime prepares them anew with each call, which takes longer for so many.
        """
        self._constant(matrix, INT8, shape)
        scales = self._constant(f"{matrix}_scales", FLOAT, shape[1:])
        is_gates = shape[1] == 4 * self.size
        unscaled = f"{name}_unscaled" if is_gates else name
        whole = self._node("QuantizeLinear", [value, "hidden_scale", "hidden_zero"], f"{value}_int8")
        factors = (whole, matrix, "hidden_scale", "one" if is_gates else scales, "hidden_zero")
        inputs = (*factors, "", biases) if biases else factors  # "": the weights' zero point is 0
        self.graph.nodes.append(Node("MatMulIntegerToFloat", inputs, (unscaled,), domain="com.microsoft"))
        return self._node("Mul", [unscaled, scales], name) if is_gates else name

    def _split_layers(self, state: str) -> list[str]:
        if self.layers == 1:
            return [state]
        sizes = self._sizes("one_layer_each", [1] * self.layers)
        return self._split(state, sizes, [f"{state}_{layer}" for layer in range(self.layers)], axis=0)

    def _node(self, op_type: str, inputs: Sequence[str], output: str, axis: int | None = None) -> str:
        self.graph.nodes.append(Node(op_type, tuple(inputs), (output,), axis))
        return output

    def _split(self, whole: str, sizes: str, outputs: list[str], axis: int) -> list[str]:
        self.graph.nodes.append(Node("Split", (whole, sizes), tuple(outputs), axis))
        return outputs

    def _constant(self, name: str, kind: int, shape: tuple[int, ...], content: bytes | None = None) -> str:
        self.graph.constants[name] = Constant(TensorType(kind, shape), content)
        return name

    def _sizes(self, name: str, sizes: list[int]) -> str:
        return self._constant(name, INT64, (len(sizes),), struct.pack(f"<{len(sizes)}q", *sizes))
