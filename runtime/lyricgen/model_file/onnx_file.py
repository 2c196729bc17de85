"""Checking a model file without the onnx package, and without trusting it.

onnxruntime opens whatever is a graph: also one that reads other files, loops for ever or asks for all
the memory. So the only file that a model with such a card can have is encoded here, and the file must
be equal to it, byte by byte, in all but its weights; onnxruntime sees no other. Only the standard
library is imported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice

from lyricgen.model_file.card import ModelCard
from lyricgen.model_file.contract import KEY_PREFIX, ContractError
from lyricgen.model_file.protobuf import field, read_fields, start_of_field
from lyricgen.model_file.step_graph import (
    HIGHEST_WEIGHT,
    INT8,
    IR_VERSION,
    OPSETS,
    Constant,
    Node,
    TensorType,
    step_graph,
)
from lyricgen.printable import shortened

MAX_FIELDS = 10_000
"""Outermost fields of a file: properties, mostly."""
MAX_METADATA_BYTES = 2**23
"""Bytes of all properties; a text in memory may take four times as much."""
_METADATA_FIELD = 14
_INTEGER = 2
"""The type of an attribute that is one integer."""
_SESSION_OPTIONS_KEY = "ort_config"
"""A property from which onnxruntime takes its options, if the environment lets it."""
_INT8_WEIGHTS = bytes(value % 256 for value in range(-HIGHEST_WEIGHT, HIGHEST_WEIGHT + 1))

Part = tuple[str, bytes | Constant]
"""A piece of a file and its name for errors: its bytes, or a tensor whose content goes into the hash."""


def check_model(content: bytes) -> ModelCard:
    """Return the card of a model file, if everything else in the file is what its card says.

    Raises:
        ContractError: it is not.
    """
    if not content:
        raise ContractError("not a model", "a file made with python -m export", "an empty file")
    view = memoryview(content)
    properties = _read_properties(view)
    card = ModelCard.from_properties(properties)
    digest = hashlib.sha256()
    position = 0
    for name, expected in _parts(card):
        found = view[position : position + _size(expected)]
        position += len(found)
        if isinstance(expected, Constant):
            digest.update(found)
            _check_tensor(name, expected, found)
        else:
            _expect_bytes(name, expected, found)
    entries = [field(1, key) + field(2, text) for key, text in properties.items()]
    metadata = b"".join(field(_METADATA_FIELD, entry) for entry in entries)
    _expect_bytes("metadata", metadata, view[position:])
    if card.tensors_sha256 != digest.hexdigest():  # damage that no shape shows: a bit flipped on the way
        what = "damaged on its way (copy it again): sha256 of its tensors"
        raise ContractError(what, shortened(card.tensors_sha256, 16), shortened(digest.hexdigest(), 16))
    return card


def _read_properties(content: memoryview) -> dict[str, str]:
    """Return the string properties, whatever else is in the file."""
    properties: dict[str, str] = {}
    size = 0
    for count, (number, value) in enumerate(read_fields(content), 1):
        size += len(value) if number == _METADATA_FIELD else 0
        if count > MAX_FIELDS or size > MAX_METADATA_BYTES:
            expected = f"at most {MAX_FIELDS:,} of {MAX_METADATA_BYTES:,} bytes"
            raise ContractError("properties of the file", expected, "more")
        if number == _METADATA_FIELD:
            entry = dict(islice(read_fields(value), 2))
            try:
                key, text = (str(entry.get(part, b""), "utf-8") for part in (1, 2))
            except UnicodeDecodeError as error:
                raise ContractError("metadata", "UTF-8", "other bytes") from error
            properties[key] = text
    if _SESSION_OPTIONS_KEY in properties:
        raise ContractError("metadata", f"no {_SESSION_OPTIONS_KEY}", "options for onnxruntime")
    if KEY_PREFIX + "format" not in properties:
        raise ContractError("not a lyricgen model", "a file made with python -m export", "another file")
    return properties


def _check_tensor(name: str, expected: Constant, found: memoryview) -> None:
    if expected.content is not None:
        _expect_bytes(name, expected.content, found)
    elif expected.type.element_type == INT8 and bytes(found).translate(None, _INT8_WEIGHTS):
        raise ContractError(name, f"numbers up to ±{HIGHEST_WEIGHT}", "others")


def _expect_bytes(name: str, expected: bytes, found: memoryview) -> None:
    if expected != found:
        wanted = "the bytes that its card allows (copy it again, or export its session again)"
        raise ContractError(name, wanted, "other bytes")


# The messages of onnx.proto, encoded: the numbers are those of their fields.


def _parts(card: ModelCard) -> Iterator[Part]:
    """Yield the only file that a model with this card can have, up to its metadata."""
    graph = list(_graph_parts(card))
    yield "version of ONNX", field(1, IR_VERSION)
    yield "version of lyricgen", field(2, "lyricgen") + field(3, card.provenance.creating_version)
    yield "size of the graph", start_of_field(7, sum(_size(part) for _, part in graph))
    yield from graph
    for domain, version in OPSETS[card.precision].items():
        yield "operator sets", field(8, field(1, domain) + field(2, version))


def _graph_parts(card: ModelCard) -> Iterator[Part]:
    graph = step_graph(card)
    for node in graph.nodes:
        yield f"node {node.outputs[0]}", field(1, _node(node))
    yield "name of the graph", field(2, "lyricgen_step")
    for name, constant in graph.constants.items():
        yield f"type of tensor {name}", _start_of_tensor(name, constant.type)
        yield f"tensor {name}", constant
    for number, values in ((11, graph.inputs), (12, graph.outputs)):
        for name, tensor_type in values.items():
            yield f"type of {name}", field(number, field(1, name) + field(2, field(1, _type(tensor_type))))


def _size(part: bytes | Constant) -> int:
    return part.type.size_bytes if isinstance(part, Constant) else len(part)


def _node(node: Node) -> bytes:
    names = [field(1, name) for name in node.inputs] + [field(2, name) for name in node.outputs]
    axis = b""
    if node.axis is not None:
        axis = field(5, field(1, "axis") + field(3, node.axis) + field(20, _INTEGER))
    domain = field(7, node.domain) if node.domain else b""
    return b"".join(names) + field(3, node.outputs[0]) + field(4, node.op_type) + axis + domain


def _start_of_tensor(name: str, kind: TensorType) -> bytes:
    """Return what stands before the content of a tensor."""
    axes = b"".join(field(1, length) for length in kind.shape)
    head = axes + field(2, kind.element_type) + field(8, name) + start_of_field(9, kind.size_bytes)
    return start_of_field(5, len(head) + kind.size_bytes) + head


def _type(kind: TensorType) -> bytes:
    axes = [field(1, field(2 if isinstance(length, str) else 1, length)) for length in kind.shape]
    return field(1, kind.element_type) + field(2, b"".join(axes))
