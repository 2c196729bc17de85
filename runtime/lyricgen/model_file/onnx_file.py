"""Reading a model file without the onnx package, and without trusting it.

onnxruntime opens whatever is a graph: also one that reads other files, loops for ever or asks for all
the memory. So the bytes are read here first and compared with the only graph that a model with such a
card has; onnxruntime sees no other. Only the standard library is imported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest
from math import prod
from typing import TypeVar

from lyricgen.model_file.card import ModelCard
from lyricgen.model_file.contract import KEY_PREFIX, ContractError
from lyricgen.model_file.protobuf import Budget, Field, Message, Refused, Schema, parse, read_fields
from lyricgen.model_file.step_graph import (
    HIGHEST_WEIGHT,
    INT8,
    IR_VERSION,
    ITEM_BYTES,
    OPSETS,
    Constant,
    Graph,
    Node,
    TensorType,
    step_graph,
)
from lyricgen.printable import shortened

T = TypeVar("T")

# The messages of onnx.proto, with the fields that our files have and those that others may try.
_EXTERNAL = Refused("external data", "all weights inside the file", "a reference to another file")
_SUBGRAPH = Refused("attributes", "an axis at most", "a graph inside a node (control flow)")
_PROPERTY = Schema("property", {1: Field("key", str), 2: Field("value", str)})
_DIMENSION = Schema("dimension", {1: Field("dim_value", int), 2: Field("dim_param", str)})
_SHAPE = Schema("shape", {1: Field("dim", _DIMENSION, many=True)})
_TENSOR_TYPE = Schema("tensor type", {1: Field("elem_type", int), 2: Field("shape", _SHAPE)})
_TYPE = Schema("type", {1: Field("tensor_type", _TENSOR_TYPE)})
_VALUE = Schema("input or output", {1: Field("name", str), 2: Field("type", _TYPE)})
_TENSOR = Schema(
    "tensor",
    {
        1: Field("dims", int, many=True),
        2: Field("data_type", int),
        8: Field("name", str),
        9: Field("raw_data", bytes),
        13: _EXTERNAL,
        14: _EXTERNAL,
    },
)
_ATTRIBUTE = Schema(
    "attribute",
    {1: Field("name", str), 3: Field("i", int), 20: Field("type", int), 6: _SUBGRAPH, 11: _SUBGRAPH},
)
_NODE = Schema(
    "node",
    {
        1: Field("input", str, many=True),
        2: Field("output", str, many=True),
        3: Field("name", str),
        4: Field("op_type", str),
        5: Field("attribute", _ATTRIBUTE, many=True),
        7: Field("domain", str),
    },
)
_GRAPH = Schema(
    "graph",
    {
        1: Field("node", _NODE, many=True),
        2: Field("name", str),
        5: Field("initializer", _TENSOR, many=True),
        11: Field("input", _VALUE, many=True),
        12: Field("output", _VALUE, many=True),
        15: Refused("tensors", "dense ones", "a sparse one"),
    },
)
_OPERATOR_SET = Schema("operator set", {1: Field("domain", str), 2: Field("version", int)})
_INT8_WEIGHTS = bytes(value % 256 for value in range(-HIGHEST_WEIGHT, HIGHEST_WEIGHT + 1))
_INTEGER = 2
"""The type of an attribute that is one integer."""
_METADATA_FIELD = 14
_ORT_FORMAT_MARK = b"ORTM"
"""Where these are the bytes 4 to 7, onnxruntime reads no protocol buffers but a format of its own."""
_SESSION_OPTIONS_KEY = "ort_config"
"""A property from which onnxruntime takes its options, if the environment lets it."""
_MODEL = Schema(
    "model",
    {
        1: Field("ir_version", int),
        2: Field("producer_name", str),
        3: Field("producer_version", str),
        7: Field("graph", _GRAPH),
        8: Field("opset_import", _OPERATOR_SET, many=True),
        _METADATA_FIELD: Field("metadata_props", _PROPERTY, many=True),
        25: Refused("operators", "those of ONNX and onnxruntime", "a function of the file's own"),
    },
)


def check_model(content: bytes) -> ModelCard:
    """Return the card of a model file, if everything else in the file is what its card says.

    Raises:
        ContractError: it is not.
    """
    if not content:
        raise ContractError("not a model", "a file made with python -m export", "an empty file")
    if content[4:8] == _ORT_FORMAT_MARK:
        raise ContractError("file format", "ONNX", "onnxruntime's own")
    card = ModelCard.from_properties(_properties(content))
    model = parse(memoryview(content), _MODEL, Budget())
    _expect("ONNX IR version", IR_VERSION, _one(model, "ir_version", 0))
    versions = [(_one(entry, "domain", ""), _one(entry, "version", 0)) for entry in model["opset_import"]]
    _expect("operator sets", list(OPSETS[card.precision].items()), versions)
    if not model["graph"]:
        raise ContractError("model", "a graph", "none")
    _compare(step_graph(card), model["graph"][0])
    _check_hash(card.tensors_sha256, model["graph"][0]["initializer"])
    return card


def _check_hash(expected: str, tensors: Sequence[Message]) -> None:
    """Find damage that no shape shows: a bit that flipped on the way."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(_one(tensor, "raw_data", memoryview(b"")))
    if digest.hexdigest() != expected:
        what = "damaged on its way (copy it again): sha256 of its tensors"
        raise ContractError(what, shortened(expected, 16), shortened(digest.hexdigest(), 16))


def _properties(content: bytes) -> dict[str, str]:
    """Return the string properties, whatever else is in the file.

    Raises:
        ContractError: it is no lyricgen model, or has a property twice.
    """
    properties: dict[str, str] = {}
    budget = Budget()
    for number, value in read_fields(memoryview(content), budget):
        if number == _METADATA_FIELD and isinstance(value, memoryview):
            entry = parse(value, _PROPERTY, budget)
            key = _one(entry, "key", "")
            if key in properties:
                raise ContractError("metadata", f"{shortened(key)} once", "twice")
            if key == _SESSION_OPTIONS_KEY:
                raise ContractError("metadata", f"no {key}", "options for onnxruntime")
            properties[key] = _one(entry, "value", "")
    if KEY_PREFIX + "format" not in properties:
        raise ContractError("not a lyricgen model", "a file made with python -m export", "another file")
    return properties


def _compare(expected: Graph, found: Message) -> None:
    for side in ("input", "output"):
        types: Mapping[str, TensorType] = getattr(expected, f"{side}s")
        entries = found[side]
        _expect_names(side, types, [_one(entry, "name", "") for entry in entries])
        for (name, tensor_type), entry in zip(types.items(), entries, strict=True):
            _expect(f"{side} {name}", tensor_type, _value_type(entry))
    tensors = found["initializer"]
    _expect_names("tensor", expected.constants, [_one(tensor, "name", "") for tensor in tensors])
    for (name, constant), tensor in zip(expected.constants.items(), tensors, strict=True):
        _compare_tensor(name, constant, tensor)
    _expect("number of nodes", len(expected.nodes), len(found["node"]))
    for number, (node, entry) in enumerate(zip(expected.nodes, found["node"], strict=True), 1):
        _expect(f"node {number}", node, _node(entry))


def _compare_tensor(name: str, expected: Constant, found: Message) -> None:
    tensor_type = TensorType(_one(found, "data_type", 0), tuple(found["dims"]))
    _expect(f"tensor {name}", expected.type, tensor_type)
    content = _one(found, "raw_data", memoryview(b""))
    size = prod(tensor_type.shape) * ITEM_BYTES[tensor_type.element_type]
    _expect(f"bytes of tensor {name}", size, len(content))
    if expected.content is not None and content != expected.content:
        raise ContractError(f"tensor {name}", "the numbers that all models have there", "others")
    if expected.type.element_type == INT8 and bytes(content).translate(None, _INT8_WEIGHTS):
        raise ContractError(f"tensor {name}", f"numbers up to ±{HIGHEST_WEIGHT}", "others")


def _value_type(found: Message) -> TensorType:
    """Return the type of an input or output; without a shape where the file states none."""
    nothing: Message = {}
    tensor_type = _one(_one(found, "type", nothing), "tensor_type", nothing)
    dimensions = _one(tensor_type, "shape", nothing).get("dim", [])
    return TensorType(_one(tensor_type, "elem_type", 0), tuple(map(_axis_length, dimensions)))


def _axis_length(found: Message) -> int | str:
    lengths = found["dim_param"] + found["dim_value"]
    if len(lengths) != 1:
        raise ContractError("dimension", "a number or a name", f"{len(lengths)} of them")
    length: int | str = lengths[0]
    return length


def _node(found: Message) -> Node:
    attributes = found["attribute"]
    axis = None
    for attribute in attributes:
        name = _one(attribute, "name", "")
        if axis is not None or name != "axis" or not attribute["i"] or attribute["type"] != [_INTEGER]:
            raise ContractError("attributes", "an axis at most", shortened(name))
        axis = attribute["i"][0]
    inputs, outputs = tuple(found["input"]), tuple(found["output"])
    return Node(_one(found, "op_type", ""), inputs, outputs, axis, _one(found, "domain", ""))


def _one(message: Message, name: str, default: T) -> T:
    """Return the value of a field that occurs once at most."""
    values: Sequence[T] = message.get(name, [])
    return values[0] if values else default


def _expect(what: str, expected: object, found: object) -> None:
    if expected != found:
        raise ContractError(what, shortened(str(expected), 150), shortened(str(found), 150))


def _expect_names(what: str, expected: Collection[str], found: Collection[str]) -> None:
    for number, pair in enumerate(zip_longest(expected, found, fillvalue="none"), 1):
        _expect(f"name of {what} {number}", *pair)
    _expect(f"number of {what}s", len(expected), len(found))  # one more may call itself "none"
