"""Thousands of damaged model files: each is refused with our error, or is a step and writes a song."""

import faulthandler
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, helper

from export.step import build_step
from lyricgen.engine.step_model import ModelFile
from lyricgen.errors import ModelFormatError, NonFiniteLogitsError
from lyricgen.generator import BUNDLED_MODEL_PATH, Model, Song
from lyricgen.model_file.card import ModelCard
from lyricgen.model_file.protobuf import varint
from lyricgen.model_file.step_graph import step_graph
from tests.make_fake_model import FAKE_INT8_MODEL_PATH, FAKE_MODEL_PATH, FAKE_STYLED_MODEL_PATH, fake_weights
from tests.runtime.test_protobuf import padded

FAKE_PATHS = (FAKE_MODEL_PATH, FAKE_INT8_MODEL_PATH, FAKE_STYLED_MODEL_PATH)
FEW, MANY, MANY_BUNDLED = 400, 5000, 100
HANG_SECONDS = 60
MAX_LENGTH = 20
REFUSED, OPENED, NOT_FINITE = "refused", "opened", "not finite"

Draw = Callable[[st.SearchStrategy], object]
Changes = Callable[[Sequence[Path]], st.SearchStrategy[bytes]]


@dataclass(frozen=True)
class Source:
    """A real file, and the positions inside and outside of its tensors' data."""

    content: bytes
    data: npt.NDArray[np.int64]
    structure: npt.NDArray[np.int64]


@lru_cache
def source(path: Path) -> Source:
    content = path.read_bytes()
    is_data = np.zeros(len(content), bool)
    for tensor in onnx.load_from_string(content).graph.initializer:
        start = content.index(tensor.raw_data)
        is_data[start : start + len(tensor.raw_data)] = True
    return Source(content, np.flatnonzero(is_data), np.flatnonzero(~is_data))


def signed(content: bytes) -> bytes:
    """The file with the right hash of its tensors: whoever writes a hostile file can put it there."""
    try:
        model = onnx.load_from_string(content)
    except DecodeError:
        return content
    digest = hashlib.sha256(b"".join(tensor.raw_data for tensor in model.graph.initializer)).hexdigest()
    written = [entry.value for entry in model.metadata_props if entry.key == "lyricgen.tensors_sha256"]
    if not (written and written[0] and isinstance(written[0], str)):  # bytes where it is no UTF-8
        return content
    return content.replace(written[0].encode(), json.dumps(digest).encode())


# What is asked of each file.


def outcome(content: bytes) -> str:
    """What becomes of a file; anything but these three is a failure."""
    content = signed(content)
    try:
        file = ModelFile(Path("fuzzed.onnx"), content)
    except ModelFormatError:
        return REFUSED
    assert skeleton(onnx.load_from_string(content), file.card) == expected_skeleton(file.card)
    try:
        song = Model(file).generate(max_length=MAX_LENGTH, seed=1, temperature=1.0)
    except NonFiniteLogitsError:
        return NOT_FINITE
    assert isinstance(song, Song)
    assert len(song.text) <= MAX_LENGTH
    return OPENED


def skeleton(model: ModelProto, card: ModelCard) -> ModelProto:
    """The model without its weights and metadata."""
    constants = step_graph(card).constants
    for tensor in model.graph.initializer:
        if constants[tensor.name].content is None:
            tensor.ClearField("raw_data")
    model.ClearField("metadata_props")
    return model


def expected_skeleton(card: ModelCard) -> ModelProto:
    """Made from the card alone, and read by google.protobuf, not by our reader."""
    return skeleton(build_step(fake_weights(card), card), card)


def fuzz(files: st.SearchStrategy[bytes], examples: int, capfd: pytest.CaptureFixture[str]) -> Counter[str]:
    """Count what becomes of `examples` files; a hang ends the process with a traceback."""
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(files)
    def run(content: bytes) -> None:
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        try:
            outcomes[outcome(content)] += 1
        finally:
            faulthandler.cancel_dump_traceback_later()

    with capfd.disabled():  # so that the traceback of a hang is seen
        run()
    return outcomes


# Changes of bytes.

EXTREMES = [
    *(varint(value) for value in (0, 1, 127, 128, 2**14, 2**63, 2**64 - 1)),
    *(varint(value) for value in (2**31 - 1, 2**31, 2**32 - 1, 2**32)),
    padded(0, 10),
    padded(8, 5),
    b"\xff" * 11,
    b"\x80" * 20,
]
SHORT = st.integers(1, 40)
CHANGES = st.sampled_from([1, 1, 1, 2, 3])
"""How many changes one file undergoes; hardly any survives several."""


def place(draw: Draw, chosen: Source, length: int) -> int:
    """A position in a file that once was `chosen`: as often among its structure as among its data."""
    positions = chosen.structure if draw(st.booleans()) else chosen.data
    return min(int(positions[draw(st.integers(0, len(positions) - 1))]), length)


def flip(draw: Draw, content: bytes, at: int, _other: bytes) -> bytes:
    flipped = content[at] ^ 1 << draw(st.integers(0, 7)) if at < len(content) else 0
    return content[:at] + bytes([flipped]) + content[at + 1 :]


def overwrite(draw: Draw, content: bytes, at: int, _other: bytes) -> bytes:
    written = draw(st.binary(min_size=1, max_size=8))
    return content[:at] + written + content[at + len(written) :]


def insert(draw: Draw, content: bytes, at: int, _other: bytes) -> bytes:
    return content[:at] + draw(st.binary(min_size=1, max_size=8)) + content[at:]


def delete(draw: Draw, content: bytes, at: int, _other: bytes) -> bytes:
    return content[:at] + content[at + draw(SHORT) :]


def truncate(_draw: Draw, content: bytes, at: int, _other: bytes) -> bytes:
    return content[:at]


def duplicate(draw: Draw, content: bytes, at: int, _other: bytes) -> bytes:
    piece = content[at : at + draw(SHORT)]
    return content[:at] + piece * draw(st.integers(2, 5)) + content[at + len(piece) :]


def swap(draw: Draw, content: bytes, at: int, _other: bytes) -> bytes:
    middle, end = at + draw(SHORT), at + 2 * draw(SHORT)
    return content[:at] + content[middle:end] + content[at:middle] + content[max(middle, end) :]


def splice(draw: Draw, content: bytes, at: int, other: bytes) -> bytes:
    return content[:at] + other[draw(st.sampled_from([at, draw(st.integers(0, len(other)))])) :]


def overwrite_extreme(draw: Draw, content: bytes, at: int, _other: bytes) -> bytes:
    extreme = draw(st.sampled_from(EXTREMES))
    return content[:at] + extreme + content[at + draw(st.sampled_from([1, len(extreme)])) :]


def insert_extreme(draw: Draw, content: bytes, at: int, _other: bytes) -> bytes:
    return content[:at] + draw(st.sampled_from(EXTREMES)) + content[at:]


BYTE_CHANGES = (
    *(flip, overwrite, insert, delete, truncate, duplicate, swap, splice, overwrite_extreme, insert_extreme),
    *(flip, overwrite, flip, overwrite, flip, overwrite),  # the gentlest more often
)


@st.composite
def changed_bytes(draw: Draw, paths: Sequence[Path]) -> bytes:
    sources = [source(path) for path in paths]
    chosen, other = draw(st.sampled_from(sources)), draw(st.sampled_from(sources))
    content = chosen.content
    for _ in range(draw(CHANGES)):
        change = draw(st.sampled_from(BYTE_CHANGES))
        content = change(draw, content, place(draw, chosen, len(content)), other.content)
    return content


# Changes of what the bytes mean.

NAMES = st.sampled_from(["", "none", "token", "hidden", "table", "row", "first_axis", "B", "axis", "\0", "é"])
OPERATORS = st.sampled_from(["Add", "Mul", "Tanh", "Loop", "If", "Identity", "MatMul", "Evil", ""])
NUMBERS = st.sampled_from([-(2**63), -(2**31), -1, 0, 1, 2, 3, 5, 7, 16, 2**31 - 1, 2**32 + 1, 2**63 - 1])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FLOATS = st.sampled_from([0.0, -0.0, 1e-45, 1.0, -1e38, 3.4e38, np.inf, -np.inf, np.nan])


def repeated_fields(model: ModelProto) -> list[object]:
    graph = model.graph
    fields = [graph.node, graph.initializer, graph.input, graph.output]
    fields += [model.opset_import, model.metadata_props]
    fields += [field for node in graph.node for field in (node.input, node.output, node.attribute)]
    fields += [tensor.dims for tensor in graph.initializer]
    fields += [value.type.tensor_type.shape.dim for value in (*graph.input, *graph.output)]
    return [field for field in fields if len(field)]


def some(draw: Draw, values: Sequence[object]) -> object:
    return values[draw(st.integers(0, len(values) - 1))] if values else None


def drop(draw: Draw, model: ModelProto) -> None:
    field = some(draw, repeated_fields(model))
    del field[draw(st.integers(0, len(field) - 1))]


def repeat(draw: Draw, model: ModelProto) -> None:
    field = some(draw, repeated_fields(model))
    field.append(some(draw, field))


def add_another(draw: Draw, model: ModelProto) -> None:
    """Append a copy of the last input, output or tensor under a name of its own."""
    field = draw(st.sampled_from([model.graph.input, model.graph.output, model.graph.initializer]))
    if len(field):
        field.append(field[-1])
        field[-1].name = draw(NAMES)


def add_node(draw: Draw, model: ModelProto) -> None:
    node = helper.make_node(draw(OPERATORS), [draw(NAMES)], ["more"])
    model.graph.node.insert(draw(st.integers(0, len(model.graph.node))), node)


def reorder(draw: Draw, model: ModelProto) -> None:
    field = some(draw, repeated_fields(model))
    entries = draw(st.permutations(list(field)[:50])) + list(field)[50:]
    del field[:]
    field.extend(entries)


def rename(draw: Draw, model: ModelProto) -> None:
    graph = model.graph
    named = [model, *graph.node, *graph.initializer, *graph.input, *graph.output]
    entry = some(draw, [*named, *(attribute for node in graph.node for attribute in node.attribute)])
    setattr(entry, "producer_name" if entry is model else "name", draw(NAMES))


def rewire(draw: Draw, model: ModelProto) -> None:
    node = some(draw, model.graph.node)
    field = draw(st.sampled_from([node.input, node.output])) if node else []
    if len(field):
        field[draw(st.integers(0, len(field) - 1))] = draw(NAMES)


def change_operator(draw: Draw, model: ModelProto) -> None:
    if node := some(draw, model.graph.node):
        setattr(node, draw(st.sampled_from(["op_type", "domain"])), draw(OPERATORS))


def change_attribute(draw: Draw, model: ModelProto) -> None:
    if node := some(draw, model.graph.node):
        value = draw(st.sampled_from([0, 1, -1, 2.0, "a", [1, 2], onnx.TensorProto(), onnx.GraphProto()]))
        node.attribute.append(helper.make_attribute(draw(st.sampled_from(["axis", "body", "to"])), value))


def change_axis(draw: Draw, model: ModelProto) -> None:
    if attribute := some(draw, [attribute for node in model.graph.node for attribute in node.attribute]):
        attribute.i = draw(NUMBERS)


def retype(draw: Draw, model: ModelProto) -> None:
    values = [value.type.tensor_type for value in (*model.graph.input, *model.graph.output)]
    if entry := some(draw, [*values, *model.graph.initializer]):
        field = "data_type" if isinstance(entry, onnx.TensorProto) else "elem_type"
        setattr(entry, field, draw(st.integers(-1, 25)))


def change_length(draw: Draw, model: ModelProto) -> None:
    if tensor := some(draw, [tensor for tensor in model.graph.initializer if tensor.dims]):
        tensor.dims[draw(st.integers(0, len(tensor.dims) - 1))] = draw(NUMBERS)


def change_dimension(draw: Draw, model: ModelProto) -> None:
    values = [*model.graph.input, *model.graph.output]
    if dimension := some(draw, [dim for value in values for dim in value.type.tensor_type.shape.dim]):
        change = draw(NUMBERS | NAMES)
        setattr(dimension, "dim_param" if isinstance(change, str) else "dim_value", change)


def change_weights(draw: Draw, model: ModelProto) -> None:
    """What is no concern of the check: any numbers, not finite ones included."""
    weights = [tensor for tensor in model.graph.initializer if len(tensor.raw_data) > 16]
    if tensor := some(draw, weights):
        data = bytearray(tensor.raw_data)
        extreme = np.float32(draw(FLOATS)).tobytes()
        for at in draw(st.lists(st.integers(0, len(data) // 4 - 1), min_size=1, max_size=8)):
            data[4 * at : 4 * at + 4] = extreme
        tensor.raw_data = bytes(data)


def fill_weights(draw: Draw, model: ModelProto) -> None:
    weights = [tensor for tensor in model.graph.initializer if len(tensor.raw_data) > 16]
    if tensor := some(draw, weights):
        tensor.raw_data = draw(st.binary(min_size=4, max_size=4)) * (len(tensor.raw_data) // 4)


def cut_weights(draw: Draw, model: ModelProto) -> None:
    if tensor := some(draw, model.graph.initializer):
        tensor.raw_data = tensor.raw_data[: draw(st.integers(0, len(tensor.raw_data)))]


def refer_to_a_file(draw: Draw, model: ModelProto) -> None:
    if tensor := some(draw, model.graph.initializer):
        location = draw(st.sampled_from(["/dev/zero", "a", "*/_ORT_MEM_ADDR_/*"]))
        tensor.external_data.add(key="location", value=location)
        tensor.data_location = draw(st.sampled_from([0, 1]))


def change_property(draw: Draw, model: ModelProto) -> None:
    if entry := some(draw, model.metadata_props):
        entry.value = draw(st.text(max_size=10) | JSON.map(json.dumps))


def change_inside_property(draw: Draw, model: ModelProto) -> None:
    """Put any value in place of one deep in the card."""
    if entry := some(draw, model.metadata_props):
        try:
            value = json.loads(entry.value)
        except ValueError:  # an earlier change
            return
        if isinstance(value, dict | list) and value:
            keys = list(value) if isinstance(value, dict) else range(len(value))
            value[some(draw, keys)] = draw(JSON)
        entry.value = json.dumps(value)


def change_card_number(draw: Draw, model: ModelProto) -> None:
    keys = ["layers", "hidden_size", "sos", "eos", "format", "suggested_temperature"]
    wanted = "lyricgen." + draw(st.sampled_from(keys))
    for entry in model.metadata_props:
        if entry.key == wanted:
            entry.value = json.dumps(draw(NUMBERS))


def add_property(draw: Draw, model: ModelProto) -> None:
    key = draw(st.sampled_from(["author", "", "lyricgen.", "lyricgen.layers", "ort_config", "\0"]))
    model.metadata_props.add(key=key, value=draw(st.text(max_size=20)))


def change_versions(draw: Draw, model: ModelProto) -> None:
    model.ir_version = draw(st.integers(0, 15))
    model.opset_import.add(domain=draw(NAMES), version=draw(NUMBERS))


TYPED_CHANGES = (
    *(drop, repeat, reorder, rename, rewire, change_operator, change_attribute, change_axis, retype),
    *(change_length, change_dimension, cut_weights, refer_to_a_file, change_card_number, change_versions),
    *(change_property, change_inside_property, add_property, change_weights, fill_weights),
    *(add_another, add_node),
    *(change_inside_property, add_property, change_weights, fill_weights) * 2,  # the gentlest more often
)


@st.composite
def changed_models(draw: Draw, paths: Sequence[Path]) -> bytes:
    model = onnx.load_from_string(source(draw(st.sampled_from(paths))).content)
    for _ in range(draw(CHANGES)):
        draw(st.sampled_from(TYPED_CHANGES))(draw, model)
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("path", [*FAKE_PATHS, BUNDLED_MODEL_PATH])
def test_the_files_before_the_changes_open(path: Path) -> None:
    assert outcome(source(path).content) == OPENED


@pytest.mark.parametrize("changes", [changed_bytes, changed_models])
@pytest.mark.parametrize(
    ("paths", "examples"),
    [
        (FAKE_PATHS, FEW),
        pytest.param(FAKE_PATHS, MANY, marks=pytest.mark.slow),
        pytest.param([BUNDLED_MODEL_PATH], MANY_BUNDLED, marks=pytest.mark.slow),
    ],
)
def test_changed_files_are_refused_or_harmless(
    changes: Changes, paths: Sequence[Path], examples: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """The changes are neither all so gross that any reader refuses them, nor all harmless."""
    outcomes = fuzz(changes(paths), examples, capfd)
    assert outcomes.total() >= examples
    assert outcomes[REFUSED] >= examples / 4
    assert outcomes[OPENED] >= examples / 20
