"""Files as strangers may send them: each is a real model with one thing changed."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

from export.step import build_step, serialize
from lyricgen.engine import step_model
from lyricgen.engine.step_model import ModelFile
from lyricgen.errors import ModelFormatError
from lyricgen.generator import BUNDLED_MODEL_PATH, Model
from lyricgen.model_file import contract
from lyricgen.model_file.protobuf import field, varint
from tests.make_fake_model import (
    FAKE_INT8_MODEL_PATH,
    FAKE_MODEL_PATH,
    FAKE_STYLED_MODEL_PATH,
    fake_card,
    fake_weights,
)
from tests.runtime.test_protobuf import padded

PATH = Path("model.onnx")
"""Only a name for errors."""
FP32, INT8 = FAKE_MODEL_PATH.read_bytes(), FAKE_INT8_MODEL_PATH.read_bytes()
BOTH = pytest.mark.parametrize("content", [FP32, INT8], ids=["fp32", "int8"])
QUICK_SECONDS = 5
GRAPH_FIELD, METADATA_FIELD = 7, 14

Change = Callable[[ModelProto], object]


def changed(change: Change, content: bytes = FP32) -> bytes:
    model = onnx.load_from_string(content)
    change(model)
    changed_content: bytes = model.SerializeToString()
    return changed_content


def assert_refused(content: bytes, message: str = "") -> None:
    """The error names the file and matches `message`, and onnxruntime has not seen the bytes."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OrtCSession", "OrtPythonSession"):
            patch.setattr(step_model, name, lambda *_, **__: pytest.fail("onnxruntime saw it"))
        start = time.process_time()
        with pytest.raises(ModelFormatError, match=f"^model.onnx: .*{message}") as caught:
            ModelFile(PATH, content)
        assert time.process_time() - start < QUICK_SECONDS
    assert "expected" in str(caught.value)
    assert "found" in str(caught.value)
    assert len(str(caught.value)) < 500


def tensor(model: ModelProto, name: str) -> TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def node(model: ModelProto, op_type: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == op_type)


def with_array(name: str, array: object, dtype: type = np.int64) -> Change:
    value = numpy_helper.from_array(np.array(array, dtype), name)
    return lambda model: tensor(model, name).CopyFrom(value)


def with_text(key: str, text: str) -> Change:
    return lambda model: setattr(
        next(entry for entry in model.metadata_props if entry.key == "lyricgen." + key), "value", text
    )


def with_property(key: str, value: object) -> Change:
    return with_text(key, json.dumps(value))


def without_property(key: str) -> Change:
    return lambda model: model.metadata_props.remove(
        next(entry for entry in model.metadata_props if entry.key == "lyricgen." + key)
    )


def property_entry(key: str, value: str) -> bytes:
    return field(METADATA_FIELD, field(1, key) + field(2, value))


def floats(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def small_graph() -> onnx.GraphProto:
    identity = helper.make_node("Identity", ["x"], ["y"])
    return helper.make_graph([identity], "inner", [floats("x", [1])], [floats("y", [1])])


# What is accepted.


@pytest.mark.parametrize(
    "path", [FAKE_MODEL_PATH, FAKE_INT8_MODEL_PATH, FAKE_STYLED_MODEL_PATH, BUNDLED_MODEL_PATH]
)
def test_a_model_of_ours_opens(path: Path) -> None:
    assert ModelFile(path).card.layers >= 1


@pytest.mark.parametrize("precision", contract.PRECISIONS)
@pytest.mark.parametrize(("layers", "hidden_size"), [(1, 1), (1, 7), (2, 3), (3, 5), (16, 2)])
def test_whatever_export_builds_opens(precision: str, layers: int, hidden_size: int) -> None:
    card = replace(fake_card(precision), layers=layers, hidden_size=hidden_size)
    content = serialize(build_step(fake_weights(card), card))
    found = ModelFile(PATH, content).card
    assert found == replace(card, tensors_sha256=found.tensors_sha256)


@BOTH
def test_a_model_written_anew_by_the_onnx_package_opens(content: bytes) -> None:
    written_anew = changed(ModelProto.IsInitialized, content)
    assert ModelFile(PATH, written_anew).card == ModelFile(PATH, content).card


@BOTH
def test_other_weights_need_their_own_hash(content: bytes) -> None:
    table = numpy_helper.to_array(tensor(onnx.load_from_string(content), "table"))
    other = changed(with_array("table", table * np.nan, np.float32), content)
    assert_refused(other, "damaged on its way .*: sha256 of its tensors: expected")
    tensors = onnx.load_from_string(other).graph.initializer
    digest = hashlib.sha256(b"".join(tensor.raw_data for tensor in tensors)).hexdigest()
    assert ModelFile(PATH, changed(with_property("tensors_sha256", digest), other)).size_bytes > 0


@pytest.mark.parametrize("value", ["", "not { JSON", "\0\x1b[2J", "a" * 2**20])
def test_properties_of_others_are_harmless(value: str) -> None:
    content = FP32 + property_entry("author", value)
    song = Model(ModelFile(PATH, content)).generate(seed=1, temperature=0.0)
    assert song == Model(ModelFile(PATH, FP32)).generate(seed=1, temperature=0.0)


def test_the_order_of_metadata_does_not_count() -> None:
    def reverse(model: ModelProto) -> None:
        entries = list(model.metadata_props)[::-1]
        del model.metadata_props[:]
        model.metadata_props.extend(entries)

    assert ModelFile(PATH, changed(reverse)).card == ModelFile(PATH, FP32).card


# What is no model at all.


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"a text, no model", bytes(1000), b"\xff" * 1000, b"\x08\x08" * 50, bytes(range(256)) * 4),
        *(b"PK\x03\x04" + bytes(100), b'{"lyricgen.format": 1}', "Strophe eins\n".encode("utf-16")),
        b"\x0b" * 100_000,  # groups in groups
        helper.make_model(small_graph()).SerializeToString(),
    ],
)
def test_what_is_no_model_of_ours_is_refused(content: bytes) -> None:
    assert_refused(content, "(not a model|cut off or damaged|not a lyricgen model)")


@BOTH
def test_a_truncated_file_is_refused_at_every_length(content: bytes) -> None:
    for length in range(len(content)):
        with pytest.raises(ModelFormatError):
            ModelFile(PATH, content[:length])


@pytest.mark.parametrize("extra", [b"\0", b"\x08", b"\x08\x08", b"more", bytes(100), FP32, b"\x14\0\0\0ORTM"])
@BOTH
def test_a_file_with_more_before_or_behind_is_refused(content: bytes, extra: bytes) -> None:
    """ORTM marks onnxruntime's own format: it would run a graph that hides among the weights."""
    assert_refused(content + extra)
    assert_refused(extra + content)


# Metadata.


def with_null_after_the_key(model: ModelProto) -> None:
    next(p for p in model.metadata_props if p.key == "lyricgen.layers").key += "\0"


def with_styles(*styles: str) -> Change:
    def change(model: ModelProto) -> None:
        with_property("styles", styles)(model)
        with_property("eos", 1 + len(styles))(model)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.ClearField("metadata_props"), "not a lyricgen model"),
        (without_property("format"), "not a lyricgen model"),
        (without_property("layers"), "lyricgen.layers"),
        (with_null_after_the_key, "lyricgen.layers"),
        (with_property("format", 2), "model format"),
        (with_property("layers", 1), "size of the graph"),
        (with_property("layers", 3), "size of the graph"),
        (with_property("hidden_size", 6), "size of the graph"),
        (with_property("hidden_size", 8192), "size of the graph"),
        (with_property("characters", ["a", "b"]), "size of the graph"),
        (with_property("characters", []), "size of the graph"),
        (with_property("characters", [chr(0x10000 + n) for n in range(contract.MAX_CHARACTERS)]), "size of"),
        (with_styles("one"), "size of the graph"),
        (
            with_property("provenance", fake_card().to_json()["provenance"] | {"creating_version": "7"}),
            "version",
        ),
    ],
)
@BOTH
def test_a_card_that_is_incomplete_or_contradicts_the_graph_is_refused(
    content: bytes, change: Change, message: str
) -> None:
    assert_refused(changed(change, content), message)


@pytest.mark.parametrize(("content", "precision"), [(FP32, "int8"), (INT8, "fp32")])
def test_a_card_of_another_precision_is_refused(content: bytes, precision: str) -> None:
    assert_refused(changed(with_property("precision", precision), content), "size of the graph")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (property_entry("lyricgen.more", "1"), "metadata"),
        (property_entry("lyricgen.layers", "2"), ""),
        (property_entry("a", "") * 2, ""),
        (property_entry("", "") * 2, ""),
        (property_entry("ort_config", "{}"), "metadata: expected no ort_config"),
        (field(METADATA_FIELD, b"\x0a\x01\xff"), "metadata: expected UTF-8"),
        (field(METADATA_FIELD, field(2, b"\xff")), "metadata: expected UTF-8"),
        (field(METADATA_FIELD, field(1, "a") * 2), ""),
        (field(METADATA_FIELD, field(3, "a")), ""),
        (field(METADATA_FIELD, field(2, "a") + field(1, "b")), ""),
        (field(METADATA_FIELD, field(1, 1) + field(2, "b")), ""),
        (field(METADATA_FIELD, field(1, "a") + field(2, "b") + field(3, "c")), ""),
        (varint(METADATA_FIELD << 3 | 2) + padded(6, 2) + field(1, "a") + field(2, "b"), ""),
        (field(METADATA_FIELD, 1), ""),
        (varint(1000 << 3 | 3) + varint(1000 << 3 | 4), "not a model that can be read"),  # a group
    ],
)
@BOTH
def test_a_property_that_does_not_belong_is_refused(content: bytes, entry: bytes, message: str) -> None:
    assert_refused(content + entry, message)
    assert_refused(entry + content)


# The graph: inputs and outputs, tensors, nodes.


def value(model: ModelProto, name: str) -> onnx.TypeProto.Tensor:
    values = [*model.graph.input, *model.graph.output]
    return next(entry for entry in values if entry.name == name).type.tensor_type


def with_value(name: str, **changes: object) -> Change:
    """Set elem_type, or dim_value or dim_param of an axis: dim_value=(axis, length)."""

    def change(model: ModelProto) -> None:
        for key, new in changes.items():
            found = value(model, name)
            if isinstance(new, tuple):
                found, new = found.shape.dim[new[0]], new[1]
            setattr(found, key, new)

    return change


def with_renamed_output(model: ModelProto) -> None:
    for entry in model.graph.node:
        entry.output[:] = ["scores" if name == contract.LOGITS else name for name in entry.output]
    model.graph.output[0].name = "scores"


def with_swapped_outputs(model: ModelProto) -> None:
    first, second = model.graph.output[1].name, model.graph.output[2].name
    model.graph.output[1].name, model.graph.output[2].name = second, first


def with_sequence_type(model: ModelProto) -> None:
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [1]))
    model.graph.input[1].type.CopyFrom(kind)


OTHER_VALUES: list[Change] = [
    with_value("token", elem_type=6),
    with_value("hidden", elem_type=11),
    with_value("logits", elem_type=7),
    with_value("cell", elem_type=-1),
    with_value("hidden", dim_value=(1, 1)),
    with_value("token", dim_value=(0, 1)),
    with_value("next_cell", dim_value=(2, 6)),
    with_value("cell", dim_value=(0, -1)),
    with_value("cell", dim_value=(0, 2**62)),
    with_value("hidden", dim_param=(1, "N")),
    with_value("hidden", dim_param=(1, "B\0")),
    with_value("hidden", dim_param=(2, "B")),
    lambda m: value(m, "cell").shape.dim.add(dim_value=1),
    lambda m: value(m, "cell").shape.dim.pop(),
    lambda m: value(m, "cell").shape.dim[0].Clear(),
    lambda m: value(m, "cell").ClearField("shape"),
    lambda m: m.graph.input[2].ClearField("type"),
    lambda m: setattr(m.graph.input[2].type, "denotation", "IMAGE"),
    lambda m: setattr(m.graph.input[2], "doc_string", "a"),
    with_sequence_type,
    lambda m: m.graph.input.append(floats("more", [1])),
    lambda m: m.graph.output.append(floats("more", [1])),
    lambda m: m.graph.input.append(m.graph.input[0]),
    lambda m: m.graph.input.pop(),
    lambda m: m.graph.output.pop(),
    lambda m: m.graph.input.reverse(),
    with_renamed_output,
    with_swapped_outputs,
    lambda m: m.graph.ClearField("input"),
    lambda m: m.ClearField("graph"),
    lambda m: m.graph.Clear(),
    lambda m: m.graph.CopyFrom(small_graph()),
]


def as_type(dtype: type) -> Change:
    def change(model: ModelProto) -> None:
        array = numpy_helper.to_array(tensor(model, "table"))
        tensor(model, "table").CopyFrom(numpy_helper.from_array(array.astype(dtype), "table"))

    return change


def without_last_row(model: ModelProto) -> None:
    table = tensor(model, "table")
    table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table)[:-1], "table"))


def with_float_data(model: ModelProto) -> None:
    table = tensor(model, "table")
    table.float_data.extend(numpy_helper.to_array(table).ravel())
    table.ClearField("raw_data")


def with_external_data(model: ModelProto) -> None:
    table = tensor(model, "table")
    table.ClearField("raw_data")
    table.data_location = TensorProto.EXTERNAL
    table.external_data.add(key="location", value="../../etc/passwd")


def with_dims(name: str, dims: list[int]) -> Change:
    def change(model: ModelProto) -> None:
        tensor(model, name).dims[:] = dims

    return change


def with_claimed_terabytes(model: ModelProto) -> None:
    with_dims("table", [2**20, 2**20])(model)
    tensor(model, "table").ClearField("raw_data")


def with_sparse_tensor(model: ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "table")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [11, 20]))


def with_table(field_name: str, new: object) -> Change:
    return lambda model: setattr(tensor(model, "table"), field_name, new)


OTHER_TENSORS: list[Change] = [
    with_external_data,
    lambda m: tensor(m, "table").external_data.add(key="location", value="/dev/zero"),
    with_table("data_location", TensorProto.EXTERNAL),
    with_table("data_location", TensorProto.DEFAULT),
    without_last_row,
    *map(as_type, (np.float64, np.float16, np.int64)),
    lambda m: tensor(m, "table").CopyFrom(helper.make_tensor("table", TensorProto.STRING, [1], [b"a"])),
    *(with_dims("table", dims) for dims in ([20, 11], [220], [], [11, 20, 1], [-11, -20], [0, 20])),
    *(with_dims("table", dims) for dims in ([-(2**63), 20], [1_342_177_280, 1], [2**62, 4], [1] * 10_000)),
    with_dims("gate_widths", [1]),
    with_claimed_terabytes,
    *(with_table("raw_data", bytes(size)) for size in (0, 879, 884)),
    *(lambda m, name=name: tensor(m, "table").ClearField(name) for name in ("raw_data", "data_type")),
    with_float_data,
    lambda m: tensor(m, "table").float_data.extend([1.0] * 10),
    lambda m: tensor(m, "table").segment.SetInParent(),
    with_table("doc_string", "a"),
    with_table("name", "table\0"),
    with_sparse_tensor,
    lambda m: m.graph.initializer.append(numpy_helper.from_array(np.ones(3), "more")),
    lambda m: m.graph.initializer.append(tensor(m, "table")),
    lambda m: m.graph.initializer.reverse(),
    lambda m: m.graph.initializer.pop(),
    lambda m: m.graph.ClearField("initializer"),
    with_array("gate_widths", [10, 10]),
    with_array("gate_widths", [2**62, -(2**62) + 20]),
    with_array("thirds", [5, 6, 4]),
    with_array("one_layer_each", [2, 0]),
    with_array("first_axis", [1]),
    with_array("first_axis", [-1]),
]


def with_node(op_type: str, domain: str = "", **attributes: object) -> Change:
    extra = helper.make_node(op_type, ["hidden"], ["more"], domain=domain, **attributes)
    return lambda model: model.graph.node.append(extra)


def with_attribute(**attributes: object) -> Change:
    """Give the first Split, which has an axis, more attributes."""
    extra = [helper.make_attribute(name, value) for name, value in attributes.items()]
    return lambda model: node(model, "Split").attribute.extend(extra)


def with_axis_as(change: Callable[[AttributeProto], object]) -> Change:
    return lambda model: change(node(model, "Split").attribute[0])


def with_tanh(field_name: str, new: str) -> Change:
    return lambda model: setattr(node(model, "Tanh"), field_name, new)


OTHER_NODES: list[Change] = [
    with_node("If", then_branch=small_graph(), else_branch=small_graph()),
    with_node("Loop", body=small_graph()),
    with_node("Scan", body=small_graph(), num_scan_inputs=1),
    with_node("Identity", graphs=[small_graph(), small_graph()]),
    *(with_attribute(body=small_graph()), with_attribute(num_outputs=2), with_attribute(axis=0)),
    *(with_node("Identity"), with_node("Evil", "example.com"), with_node("PyOp", "ai.onnx.contrib")),
    lambda m: m.graph.node.append(m.graph.node[-1]),
    *(lambda m, place=place: m.graph.node.pop(place) for place in (-1, 0)),
    lambda m: m.graph.ClearField("node"),
    lambda m: m.graph.node.reverse(),
    *(with_axis_as(lambda a, axis=axis: setattr(a, "i", axis)) for axis in (1, -3)),
    *(with_axis_as(lambda a, name=name: a.ClearField(name)) for name in ("i", "type", "name")),
    with_axis_as(lambda a: setattr(a, "type", 7)),
    with_axis_as(lambda a: setattr(a, "f", 0.0)),
    with_axis_as(lambda a: a.ints.append(0)),
    with_axis_as(lambda a: a.t.SetInParent()),
    with_axis_as(lambda a: setattr(a, "s", b"0")),
    with_axis_as(lambda a: setattr(a, "ref_attr_name", "x")),
    lambda m: node(m, "Split").ClearField("attribute"),
    *(with_tanh("op_type", new) for new in ("Exp", "Tanh\0", "")),
    *(with_tanh("domain", new) for new in ("ai.onnx", "evil")),
    *(with_tanh(name, "a") for name in ("name", "doc_string", "overload")),
    lambda m: node(m, "Tanh").metadata_props.add(key="a"),
    lambda m: node(m, "Tanh").input.append(""),
    lambda m: node(m, "Tanh").input.pop(),
    lambda m: node(m, "Tanh").output.append("a"),
    lambda m: node(m, "Gather").input.reverse(),
    lambda m: node(m, "Tanh").output.pop(),
]


def with_function(model: ModelProto) -> None:
    tanh = helper.make_node("Identity", ["x"], ["y"])
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("", "Tanh", ["x"], ["y"], [tanh], opset))


def with_opset(*entries: tuple[str, int]) -> Change:
    def change(model: ModelProto) -> None:
        del model.opset_import[:]
        model.opset_import.extend(helper.make_opsetid(*entry) for entry in entries)

    return change


OTHERS: list[Change] = [
    *(lambda m, version=version: setattr(m, "ir_version", version) for version in (9, -1)),
    lambda m: m.ClearField("ir_version"),
    *(lambda m, name=name: setattr(m, name, "ORTM") for name in ("producer_name", "producer_version")),
    with_opset(("", 18), ("com.microsoft", 1)),
    with_opset(("", 17), ("", 17)),
    with_opset(("", 17), ("com.microsoft", 1), ("", 21)),
    with_opset(("ai.onnx", 17), ("com.microsoft", 1)),
    with_opset(("", 17), ("ai.onnx.contrib", 1)),
    with_opset(),
    with_function,
    lambda m: m.training_info.add(),
    *(lambda m, name=name: setattr(m, name, "a") for name in ("doc_string", "domain")),
    lambda m: setattr(m, "model_version", 1),
    *(lambda m, name=name: setattr(m.graph, name, "a") for name in ("name", "doc_string")),
    lambda m: m.graph.value_info.append(floats("row", [1])),
    lambda m: m.graph.metadata_props.add(key="a"),
    lambda m: m.graph.quantization_annotation.add(tensor_name="table"),
]


@pytest.mark.parametrize("change", [*OTHER_VALUES, *OTHER_TENSORS, *OTHER_NODES, *OTHERS])
@BOTH
def test_a_file_that_differs_from_what_export_writes_is_refused(content: bytes, change: Change) -> None:
    other = changed(change, content)
    assert other != content
    assert_refused(other)


@pytest.mark.parametrize(
    "change",
    [
        *(with_array("hidden_scale", scale, np.float32) for scale in (1 / 126, 0, np.nan)),
        with_array("hidden_zero", 0, np.uint8),
        with_array("one", 2, np.float32),
    ],
)
def test_the_scales_of_int8_are_fixed(change: Change) -> None:
    assert_refused(changed(change, INT8), "tensor")


def test_int8_weights_have_seven_bits() -> None:
    shape = tuple(tensor(onnx.load_from_string(INT8), "output_weights").dims)
    assert_refused(changed(with_array("output_weights", np.full(shape, 64), np.int8), INT8), "up to ±63")


@pytest.mark.parametrize("index", range(len(onnx.load_from_string(INT8).graph.node)))
def test_each_node_counts(index: int) -> None:
    def change(model: ModelProto) -> None:
        inputs = model.graph.node[index].input
        inputs[0] = "x" * len(inputs[0])

    assert_refused(changed(change, INT8), "node")


# What the onnx package would not write.


def with_raw_tensor(written: bytes) -> bytes:
    """Replace the bytes of the tensor called table, all sizes around it included."""
    table = tensor(onnx.load_from_string(FP32), "table").SerializeToString()
    model = onnx.load_from_string(FP32)
    graph = model.graph.SerializeToString().replace(field(5, table), field(5, written))
    return FP32.replace(field(GRAPH_FIELD, model.graph.SerializeToString()), field(GRAPH_FIELD, graph))


TABLE = tensor(onnx.load_from_string(FP32), "table").SerializeToString()


def test_a_tensor_replaced_by_itself_is_the_same_file() -> None:
    assert with_raw_tensor(TABLE) == FP32


@pytest.mark.parametrize(
    "written",
    [
        *(TABLE + padded(13 << 3 | 2, n) + padded(6, n) + field(1, "a") + field(2, "b") for n in (1, 2, 10)),
        *(TABLE + padded(14 << 3, n) + padded(TensorProto.EXTERNAL, n) for n in (1, 2, 10)),
        field(1, bytes([11, 20])) + TABLE[4:],  # packed dims
        TABLE.replace(field(2, 1), field(2, 2**32 + 1)),
        TABLE.replace(field(2, 1), padded(2 << 3, 2) + b"\1"),
        *(TABLE + extra for extra in (field(2, 1), field(8, b"table"), field(9, bytes(880)))),
    ],
)
def test_a_tensor_in_another_encoding_is_refused(written: bytes) -> None:
    content = with_raw_tensor(written)
    assert content != FP32
    assert_refused(content)


@BOTH
def test_a_graph_in_two_parts_is_refused(content: bytes) -> None:
    """Readers of protocol buffers merge them."""
    model = onnx.load_from_string(content)
    first, second = onnx.GraphProto(), onnx.GraphProto()
    first.CopyFrom(model.graph)
    second.initializer.append(first.initializer.pop())
    model.ClearField("graph")
    parts = b"".join(field(GRAPH_FIELD, part.SerializeToString()) for part in (first, second))
    assert onnx.load_from_string(model.SerializeToString() + parts) == onnx.load_from_string(content)
    assert_refused(model.SerializeToString() + parts)


# Files that only want to be expensive.


def test_deeply_nested_subgraphs_are_quickly_refused() -> None:
    attribute = b""
    for _ in range(20_000):
        attribute = field(1, b"body") + field(6, field(1, field(5, attribute))) + field(20, 5)
    assert_refused(FP32.replace(b"lyricgen_step", field(1, field(5, attribute))))
    assert_refused(FP32 + field(GRAPH_FIELD, field(1, field(5, attribute))))


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("characters", '["a"' + ',"a"' * 10**7 + "]"),
        ("characters", '["a"' + ',"a"' * 10**5 + "]"),
        ("characters", "[" * 10**7),
        ("characters", "[" * 5 * 10**6),
        ("characters", '["' + '\\"' * 5 * 10**5),
        ("styles", "[0" + ",0" * 10**6 + "]"),
        ("styles", "[0" + ",0" * 10**4 + "]"),
        ("layers", "1" * 10**6),
        ("layers", '"' + "a" * 10**4 + '"'),
        ("precision", '"' + "a" * 9**4 + '"'),
        *((key, "[" * 10**5 + "]" * 10**5) for key in ("provenance", "held_out")),
    ],
)
def test_an_enormous_property_is_quickly_refused(key: str, text: str) -> None:
    assert_refused(changed(with_text(key, text)))


@pytest.mark.parametrize(
    "piece",
    [
        *(field(1, 8), field(METADATA_FIELD, b""), property_entry("a", "")),
        *(field(GRAPH_FIELD, b""), field(99, 0), property_entry("a", "a" * 2**20)),
    ],
)
def test_100_megabytes_more_are_quickly_refused(piece: bytes) -> None:
    assert_refused(FP32 + piece * (10**8 // len(piece)), "properties of the file: expected at most 10,000")


@pytest.mark.parametrize("piece", [b"\x0a\0", b"\x2a\0", b"\x5a\0", b"\x62\0", field(5, field(1, 1) * 9)])
def test_a_graph_of_millions_of_parts_is_quickly_refused(piece: bytes) -> None:
    model = onnx.load_from_string(FP32)
    graph = field(GRAPH_FIELD, model.graph.SerializeToString())
    assert_refused(FP32.replace(graph, field(GRAPH_FIELD, piece * 10**6)))
