"""Files as strangers may send them: each is a real model with one thing changed."""

import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, ModelProto, StringStringEntryProto, TensorProto, helper, numpy_helper

from export.step import build_step, serialize
from lyricgen.engine import step_model
from lyricgen.engine.step_model import ModelFile
from lyricgen.errors import ModelFormatError
from lyricgen.generator import BUNDLED_MODEL_PATH, Model
from lyricgen.model_file import contract, onnx_file, protobuf
from tests.make_fake_model import (
    FAKE_INT8_MODEL_PATH,
    FAKE_MODEL_PATH,
    FAKE_STYLED_MODEL_PATH,
    fake_card,
    fake_weights,
)
from tests.runtime.test_protobuf import block, number, varint

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


def assert_refused(content: bytes, message: str) -> None:
    """The error names the file and matches `message`, and onnxruntime has not seen the bytes."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OrtCSession", "OrtPythonSession"):
            patch.setattr(step_model, name, lambda *_, **__: pytest.fail("onnxruntime saw it"))
        with pytest.raises(ModelFormatError, match=f"^model.onnx: .*{message}") as caught:
            ModelFile(PATH, content)
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


def with_property(key: str, value: object) -> Change:
    def change(model: ModelProto) -> None:
        next(p for p in model.metadata_props if p.key == "lyricgen." + key).value = json.dumps(value)

    return change


def property_entry(key: str, value: str) -> bytes:
    return block(METADATA_FIELD, StringStringEntryProto(key=key, value=value).SerializeToString())


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


def test_names_that_compute_nothing_are_free() -> None:
    def rename(model: ModelProto) -> None:
        model.graph.name = model.producer_name = model.producer_version = "\0any"
        for index, entry in enumerate(model.graph.node):
            entry.name = f"\0{index}"

    assert ModelFile(PATH, changed(rename)).card == ModelFile(PATH, FP32).card


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
        b"a text, no model",
        b"\x00" * 1000,
        b"\xff" * 1000,
        b"\x08\x08" * 50,
        bytes(range(256)) * 4,
        b"PK\x03\x04" + bytes(100),
        b'{"lyricgen.format": 1}',
        "Strophe eins\n".encode("utf-16"),
        b"\x0b" * 100_000,  # groups in groups
    ],
)
def test_what_is_not_onnx_is_refused(content: bytes) -> None:
    assert_refused(content, "(not a model that can be read|the file|not a lyricgen model): expected")


def test_an_empty_file_is_no_lyricgen_model() -> None:
    assert_refused(b"", "not a model: expected a file made with python -m export, found an empty file")


def test_another_onnx_model_is_no_lyricgen_model() -> None:
    other = helper.make_model(small_graph())
    assert_refused(
        other.SerializeToString(), "not a lyricgen model: expected a file made with python -m export"
    )


def test_another_onnx_model_with_our_metadata_is_refused() -> None:
    def change(model: ModelProto) -> None:
        model.graph.CopyFrom(small_graph())

    assert_refused(changed(change), "name of input 1: expected token, found x")


@BOTH
def test_a_truncated_file_is_refused_at_every_length(content: bytes) -> None:
    for length in range(len(content)):
        with pytest.raises(contract.ContractError):
            onnx_file.check_model(content[:length])


@BOTH
def test_a_file_with_something_behind_it_is_refused(content: bytes) -> None:
    for tail in (b"\x00", b"\x08", b"\x08\x08", b"more", bytes(100), content):
        assert_refused(content + tail, "")


def test_a_file_in_onnxruntimes_own_format_is_refused() -> None:
    assert_refused(b"\x14\x00\x00\x00ORTM" + FP32, "file format: expected ONNX, found onnxruntime's own")


@BOTH
def test_a_model_that_onnxruntime_would_take_for_its_own_format_is_refused(content: bytes) -> None:
    """Of such a file it would run a graph that hides among the weights, and not the one checked."""
    content = changed(lambda model: setattr(model, "producer_name", "ORTM"), content)
    assert content[4:8] == b"ORTM"
    assert_refused(content, "file format: expected ONNX, found onnxruntime's own")


# Metadata.


def without_metadata(model: ModelProto) -> None:
    del model.metadata_props[:]


def without_layers(model: ModelProto) -> None:
    kept = [entry for entry in model.metadata_props if entry.key != "lyricgen.layers"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)


def with_key_without_prefix(model: ModelProto) -> None:
    for entry in model.metadata_props:
        entry.key = entry.key.removeprefix("lyricgen.")


def with_null_after_the_key(model: ModelProto) -> None:
    next(p for p in model.metadata_props if p.key == "lyricgen.layers").key += "\0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_metadata, "not a lyricgen model: expected a file made with python -m export"),
        (with_key_without_prefix, "not a lyricgen model: expected a file made with python -m export"),
        (without_layers, r"metadata: expected lyricgen\.layers .*, found none"),
        (with_null_after_the_key, r"metadata: expected lyricgen\.layers .*, found none"),
        (with_property("format", 2), r"model format: expected 1 \(upgrade .*, found 2"),
        (with_property("layers", "two"), r"lyricgen\.layers: expected int, found "),
        (with_property("layers", 17), r"lyricgen\.layers: expected an integer from 1 to 16, found 17"),
        (with_property("hidden_size", 10**6), r"lyricgen\.hidden_size: expected .* to 8192, found 1000000"),
        (with_property("precision", "int4"), r"lyricgen\.precision: expected int8 or fp32, found int4"),
        (with_property("eos", 3), r"lyricgen\.eos: expected 1, found 3"),
        (with_property("characters", ["ab"]), "expected a vocabulary, found every character must be"),
        (with_property("characters", ["\n"] * 2), "expected a vocabulary, found characters must be"),
        (with_property("characters", ["\ud800"]), "expected a vocabulary, found every character must be"),
    ],
)
def test_metadata_that_breaks_the_contract_is_refused(change: Change, message: str) -> None:
    assert_refused(changed(change), message)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (property_entry("lyricgen.more", "1"), r"metadata: expected no lyricgen\.more, found one"),
        (property_entry("lyricgen.layers", "2"), r"metadata: expected lyricgen\.layers once, found twice"),
        (property_entry("a", "") * 2, "metadata: expected a once, found twice"),
        (property_entry("", "") * 2, "metadata: expected  once, found twice"),
        (property_entry("ort_config", "{}"), "metadata: expected no ort_config, found options for onnxr"),
        (block(METADATA_FIELD, b"\x0a\x01\xff"), "property key: expected UTF-8, found other bytes"),
        (block(METADATA_FIELD, block(2, b"\xff")), "property value: expected UTF-8, found other bytes"),
        (block(METADATA_FIELD, block(1, b"a") * 2), "property: expected one key, found several"),
        (block(METADATA_FIELD, block(3, b"a")), "property: expected no field 3, found one"),
        (number(METADATA_FIELD, 1), "expected an ONNX file, found other bytes"),
    ],
)
@BOTH
def test_a_property_that_does_not_belong_is_refused(content: bytes, entry: bytes, message: str) -> None:
    assert_refused(content + entry, message)
    assert_refused(entry + content, message)


@pytest.mark.parametrize("key", [entry.key for entry in onnx.load_from_string(FP32).metadata_props])
def test_each_property_is_needed_and_may_not_come_twice(key: str) -> None:
    def drop(model: ModelProto) -> None:
        kept = [entry for entry in model.metadata_props if entry.key != key]
        del model.metadata_props[:]
        model.metadata_props.extend(kept)

    def repeat(model: ModelProto) -> None:
        model.metadata_props.extend([entry for entry in model.metadata_props if entry.key == key])

    assert_refused(changed(drop), "expected")
    assert_refused(changed(repeat), f"metadata: expected {re.escape(key)} once, found twice")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("layers", 1, r"input hidden: expected float32 \(1, B, 5\), found float32 \(2, B, 5\)"),
        ("layers", 3, r"input hidden: expected float32 \(3, B, 5\), found float32 \(2, B, 5\)"),
        ("hidden_size", 6, r"input hidden: expected float32 \(2, B, 6\), found float32 \(2, B, 5\)"),
        ("hidden_size", 8192, r"input hidden: expected float32 \(2, B, 8192\), found float32 \(2, B, 5\)"),
        ("characters", ["a", "b"], r"output logits: expected float32 \(B, 3\), found float32 \(B, 10\)"),
        ("characters", [], r"output logits: expected float32 \(B, 1\), found float32 \(B, 10\)"),
    ],
)
@BOTH
def test_a_card_that_contradicts_the_graph_is_refused(
    content: bytes, key: str, value: object, message: str
) -> None:
    assert_refused(changed(with_property(key, value), content), message)


def test_a_card_of_another_precision_is_refused() -> None:
    assert_refused(
        changed(with_property("precision", "int8")), r"operator sets: expected .*microsoft.*, found "
    )
    assert_refused(
        changed(with_property("precision", "fp32"), INT8), r"operator sets: expected .*, found .*microsoft.*"
    )


def test_a_card_with_other_styles_is_refused() -> None:
    def change(model: ModelProto) -> None:
        with_property("styles", ["one"])(model)
        with_property("eos", 2)(model)

    content = changed(change, FAKE_STYLED_MODEL_PATH.read_bytes())
    assert_refused(content, r"tensor table: expected float32 \(12, 20\), found float32 \(13, 20\)")


# Inputs and outputs.


def value(model: ModelProto, name: str) -> onnx.TypeProto.Tensor:
    values = [*model.graph.input, *model.graph.output]
    return next(entry for entry in values if entry.name == name).type.tensor_type


def with_element_type(name: str, element_type: int) -> Change:
    return lambda model: setattr(value(model, name), "elem_type", element_type)


def with_length(name: str, axis: int, length: int) -> Change:
    return lambda model: setattr(value(model, name).shape.dim[axis], "dim_value", length)


def with_axis_name(name: str, axis: int, text: str) -> Change:
    return lambda model: setattr(value(model, name).shape.dim[axis], "dim_param", text)


def with_sequence_type(model: ModelProto) -> None:
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [1]))
    model.graph.input[1].type.CopyFrom(kind)


def with_renamed_output(model: ModelProto) -> None:
    for entry in model.graph.node:
        entry.output[:] = ["scores" if name == contract.LOGITS else name for name in entry.output]
    model.graph.output[0].name = "scores"


def with_swapped_outputs(model: ModelProto) -> None:
    first, second = model.graph.output[1].name, model.graph.output[2].name
    model.graph.output[1].name, model.graph.output[2].name = second, first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_element_type("token", 6), r"input token: expected int64 \(B\), found element type 6 \(B\)"),
        (
            with_element_type("hidden", 11),
            r"input hidden: expected float32 \(2, B, 5\), found element type 11 ",
        ),
        (with_element_type("logits", 7), r"output logits: expected float32 \(B, 10\), found int64 \(B, 10\)"),
        (with_element_type("cell", -1), r"input cell: expected float32 .*, found element type -1"),
        (
            with_length("hidden", 1, 1),
            r"input hidden: expected float32 \(2, B, 5\), found float32 \(2, 1, 5\)",
        ),
        (with_length("token", 0, 1), r"input token: expected int64 \(B\), found int64 \(1\)"),
        (with_length("next_cell", 2, 6), r"output next_cell: expected .* \(2, B, 5\), found .* \(2, B, 6\)"),
        (with_length("cell", 0, -1), r"input cell: expected .*, found float32 \(-1, B, 5\)"),
        (with_length("cell", 0, 2**62), r"input cell: expected .*, found float32 \(4611686018427387904, B"),
        (with_axis_name("hidden", 1, "N"), r"input hidden: expected .* \(2, B, 5\), found .* \(2, N, 5\)"),
        (with_axis_name("hidden", 1, "B\0"), "input hidden: expected "),
        (with_axis_name("hidden", 2, "B"), r"input hidden: expected .* \(2, B, 5\), found .* \(2, B, B\)"),
        (lambda m: value(m, "cell").shape.dim.add(dim_value=1), r"input cell: expected .*\(2, B, 5, 1\)"),
        (lambda m: value(m, "cell").shape.dim.pop(), r"input cell: expected .*, found float32 \(2, B\)"),
        (lambda m: value(m, "cell").shape.dim[0].Clear(), "dimension: expected a number or a name, found 0"),
        (lambda m: value(m, "cell").ClearField("shape"), r"input cell: expected .*, found float32 \(\)"),
        (lambda m: m.graph.input[2].ClearField("type"), r"input cell: expected .*, found element type 0"),
        (lambda m: setattr(m.graph.input[2].type, "denotation", "IMAGE"), "type: expected no field 6"),
        (lambda m: setattr(m.graph.input[2], "doc_string", "a"), "input or output: expected no field 3"),
        (with_sequence_type, "type: expected no field 4, found one"),
        (lambda m: m.graph.input.append(floats("more", [1])), "name of input 4: expected none, found more"),
        (lambda m: m.graph.output.append(floats("more", [1])), "name of output 4: expected none, found more"),
        (lambda m: m.graph.input.append(m.graph.input[0]), "name of input 4: expected none, found token"),
        (lambda m: m.graph.input.append(floats("none", [1])), "number of inputs: expected 3, found 4"),
        (lambda m: m.graph.output.append(floats("none", [1])), "number of outputs: expected 3, found 4"),
        (lambda m: m.graph.input.pop(), "name of input 3: expected cell, found none"),
        (lambda m: m.graph.output.pop(), "name of output 3: expected next_cell, found none"),
        (lambda m: m.graph.input.reverse(), "name of input 1: expected token, found cell"),
        (with_renamed_output, "name of output 1: expected logits, found scores"),
        (with_swapped_outputs, "name of output 2: expected next_hidden, found next_cell"),
        (lambda m: m.graph.ClearField("input"), "name of input 1: expected token, found none"),
        (lambda m: m.ClearField("graph"), "model: expected a graph, found none"),
        (lambda m: m.graph.Clear(), "name of input 1: expected token, found none"),
    ],
)
@BOTH
def test_other_inputs_and_outputs_are_refused(content: bytes, change: Change, message: str) -> None:
    assert_refused(changed(change, content), message)


# Tensors.


def table_as(dtype: type) -> Change:
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


def with_both_kinds_of_data(model: ModelProto) -> None:
    tensor(model, "table").float_data.extend([1.0] * 10)


def with_external_data(model: ModelProto) -> None:
    table = tensor(model, "table")
    table.ClearField("raw_data")
    table.data_location = TensorProto.EXTERNAL
    table.external_data.add(key="location", value="../../etc/passwd")


def with_external_data_beside_its_own(model: ModelProto) -> None:
    tensor(model, "table").external_data.add(key="location", value="/dev/zero")


def with_data_location(location: int) -> Change:
    return lambda model: setattr(tensor(model, "table"), "data_location", location)


def with_data(content: bytes) -> Change:
    return lambda model: setattr(tensor(model, "table"), "raw_data", content)


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


def with_extra_tensor(name: str) -> Change:
    return lambda model: model.graph.initializer.append(numpy_helper.from_array(np.ones(3), name))


def with_repeated_tensor(model: ModelProto) -> None:
    model.graph.initializer.append(tensor(model, "table"))


def with_string_tensor(model: ModelProto) -> None:
    tensor(model, "table").CopyFrom(helper.make_tensor("table", TensorProto.STRING, [1], [b"a"]))


EXTERNAL = "external data: expected all weights inside the file, found a reference to another file"
TABLE = r"tensor table: expected float32 \(11, 20\), found "


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_external_data, EXTERNAL),
        (with_external_data_beside_its_own, EXTERNAL),
        (with_data_location(TensorProto.EXTERNAL), EXTERNAL),
        (with_data_location(TensorProto.DEFAULT), EXTERNAL),
        (without_last_row, TABLE + r"float32 \(10, 20\)"),
        (table_as(np.float64), TABLE + r"element type 11 \(11, 20\)"),
        (table_as(np.float16), TABLE + r"element type 10 \(11, 20\)"),
        (table_as(np.int64), TABLE + r"int64 \(11, 20\)"),
        (with_string_tensor, "tensor: expected no field 6, found one"),
        (with_dims("table", [20, 11]), TABLE + r"float32 \(20, 11\)"),
        (with_dims("table", [220]), TABLE + r"float32 \(220\)"),
        (with_dims("table", []), TABLE + r"float32 \(\)"),
        (with_dims("table", [11, 20, 1]), TABLE + r"float32 \(11, 20, 1\)"),
        (with_dims("table", [-11, -20]), TABLE + r"float32 \(-11, -20\)"),
        (with_dims("table", [-(2**63), 20]), TABLE + r"float32 \(-9223372036854775808, 20\)"),
        (with_dims("table", [0, 20]), TABLE + r"float32 \(0, 20\)"),
        (with_dims("table", [1_342_177_280, 1]), TABLE + r"float32 \(1342177280, 1\)"),
        (with_dims("table", [2**62, 4]), TABLE + r"float32 \(4611686018427387904, 4\)"),
        (with_dims("table", [1] * 10_000), TABLE + r"float32 \(1, 1, 1"),
        (with_dims("gate_widths", [1]), r"tensor gate_widths: expected int64 \(2\), found int64 \(1\)"),
        (with_claimed_terabytes, TABLE + r"float32 \(1048576, 1048576\)"),
        (with_data(b""), "bytes of tensor table: expected 880, found 0"),
        (with_data(bytes(879)), "bytes of tensor table: expected 880, found 879"),
        (with_data(bytes(884)), "bytes of tensor table: expected 880, found 884"),
        (lambda m: tensor(m, "table").ClearField("raw_data"), "bytes of tensor table: expected 880, found 0"),
        (lambda m: tensor(m, "table").ClearField("data_type"), TABLE + r"element type 0 \(11, 20\)"),
        (with_float_data, "tensor: expected no field 4, found one"),
        (with_both_kinds_of_data, "tensor: expected no field 4, found one"),
        (lambda m: tensor(m, "table").segment.SetInParent(), "tensor: expected no field 3, found one"),
        (lambda m: setattr(tensor(m, "table"), "doc_string", "a"), "tensor: expected no field 12, found one"),
        (with_sparse_tensor, "tensors: expected dense ones, found a sparse one"),
        (with_extra_tensor("more"), r"name of tensor \d+: expected none, found more"),
        (with_extra_tensor("none"), r"number of tensors: expected \d+, found \d+"),
        (with_repeated_tensor, r"name of tensor \d+: expected none, found table"),
        (lambda m: m.graph.initializer.reverse(), r"name of tensor 1: expected \w+, found output_"),
        (lambda m: m.graph.initializer.pop(), r"name of tensor \d+: expected output_\w+, found none"),
        (lambda m: setattr(tensor(m, "table"), "name", "table\0"), r"name of tensor \d+: expected table"),
        (lambda m: m.graph.ClearField("initializer"), r"name of tensor 1: expected \w+, found none"),
    ],
)
@BOTH
def test_other_tensors_are_refused(content: bytes, change: Change, message: str) -> None:
    assert_refused(changed(change, content), message)


@pytest.mark.parametrize("length", [1, 2, 5, 10])
def test_external_data_is_refused_however_its_field_is_written(length: int) -> None:
    table = tensor(onnx.load_from_string(FP32), "table").SerializeToString()
    entry = StringStringEntryProto(key="location", value="other.bin").SerializeToString()
    reference = varint(13 << 3 | 2, length) + varint(len(entry), length) + entry
    location = varint(14 << 3, length) + varint(TensorProto.EXTERNAL, length)
    for extra in (reference, location, location + reference):
        assert_refused(with_raw_tensor("table", table + extra), EXTERNAL)


def with_raw_tensor(name: str, written: bytes) -> bytes:
    """The file with the bytes of one tensor replaced, which the onnx package would not write so."""
    model = onnx.load_from_string(FP32)
    graph = model.graph
    before, after = onnx.GraphProto(), onnx.GraphProto()
    names = [entry.name for entry in graph.initializer]
    before.initializer.extend(graph.initializer[: names.index(name)])
    after.initializer.extend(graph.initializer[names.index(name) + 1 :])
    graph.ClearField("initializer")
    tensors = before.SerializeToString() + block(5, written) + after.SerializeToString()
    content = graph.SerializeToString() + tensors
    model.ClearField("graph")
    return model.SerializeToString() + block(GRAPH_FIELD, content)


def test_a_tensor_written_by_hand_opens() -> None:
    """What the tests with `with_raw_tensor` change is all that is wrong with their files."""
    table = tensor(onnx.load_from_string(FP32), "table")
    assert ModelFile(PATH, with_raw_tensor("table", table.SerializeToString())).card.layers == 2


def test_packed_dims_are_refused() -> None:
    table = tensor(onnx.load_from_string(FP32), "table")
    table.ClearField("dims")
    packed = block(1, bytes([11, 20])) + table.SerializeToString()
    assert onnx.TensorProto.FromString(packed).dims == [11, 20]
    assert_refused(with_raw_tensor("table", packed), "expected an ONNX file, found other bytes")


@pytest.mark.parametrize("extra", [number(2, 1), block(8, b"table"), block(9, bytes(880))])
def test_a_tensor_that_says_something_twice_is_refused(extra: bytes) -> None:
    table = tensor(onnx.load_from_string(FP32), "table").SerializeToString()
    assert_refused(with_raw_tensor("table", table + extra), "tensor: expected one .*, found several")


def test_an_element_type_that_is_ours_only_in_32_bits_is_refused() -> None:
    table = tensor(onnx.load_from_string(FP32), "table")
    table.ClearField("data_type")
    written = number(2, 2**32 + 1) + table.SerializeToString()
    assert_refused(with_raw_tensor("table", written), TABLE + "element type 4294967297")


@pytest.mark.parametrize(
    ("content", "change", "name"),
    [
        (FP32, with_array("gate_widths", [10, 10]), "gate_widths"),
        (FP32, with_array("gate_widths", [2**62, -(2**62) + 20]), "gate_widths"),
        (FP32, with_array("thirds", [5, 6, 4]), "thirds"),
        (FP32, with_array("one_layer_each", [2, 0]), "one_layer_each"),
        (FP32, with_array("first_axis", [1]), "first_axis"),
        (FP32, with_array("first_axis", [-1]), "first_axis"),
        (INT8, with_array("hidden_scale", 1 / 126, np.float32), "hidden_scale"),
        (INT8, with_array("hidden_scale", 0, np.float32), "hidden_scale"),
        (INT8, with_array("hidden_scale", np.nan, np.float32), "hidden_scale"),
        (INT8, with_array("hidden_zero", 0, np.uint8), "hidden_zero"),
    ],
)
def test_a_constant_that_is_not_as_in_all_models_is_refused(
    content: bytes, change: Change, name: str
) -> None:
    message = f"tensor {name}: expected the numbers that all models have there, found others"
    assert_refused(changed(change, content), message)


# Nodes.


def with_node(op_type: str, domain: str = "", **attributes: object) -> Change:
    extra = helper.make_node(op_type, ["hidden"], ["more"], domain=domain, **attributes)
    return lambda model: model.graph.node.append(extra)


def with_attribute(**attributes: object) -> Change:
    """Give the first Split, which has an axis, more attributes."""
    extra = [helper.make_attribute(name, value) for name, value in attributes.items()]
    return lambda model: node(model, "Split").attribute.extend(extra)


def with_axis(axis: int) -> Change:
    return lambda model: setattr(node(model, "Split").attribute[0], "i", axis)


def with_axis_as(change: Callable[[AttributeProto], object]) -> Change:
    return lambda model: change(node(model, "Split").attribute[0])


def with_swapped_nodes(model: ModelProto) -> None:
    first, second = onnx.NodeProto(), onnx.NodeProto()
    first.CopyFrom(model.graph.node[0])
    second.CopyFrom(model.graph.node[1])
    model.graph.node[0].CopyFrom(second)
    model.graph.node[1].CopyFrom(first)


SUBGRAPH = r"attributes: expected an axis at most, found a graph inside a node \(control flow\)"
NODES = r"number of nodes: expected \d+, found "


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_node("If", then_branch=small_graph(), else_branch=small_graph()), SUBGRAPH),
        (with_node("Loop", body=small_graph()), SUBGRAPH),
        (with_node("Scan", body=small_graph(), num_scan_inputs=1), SUBGRAPH),
        (with_node("Identity", graphs=[small_graph(), small_graph()]), SUBGRAPH),
        (with_attribute(body=small_graph()), SUBGRAPH),
        (with_node("Identity"), NODES),
        (with_node("Evil", "example.com"), NODES),
        (with_node("PyOp", "ai.onnx.contrib"), NODES),
        (lambda m: m.graph.node.append(m.graph.node[-1]), NODES),
        (lambda m: m.graph.node.pop(), NODES),
        (lambda m: m.graph.node.pop(0), NODES),
        (lambda m: m.graph.ClearField("node"), NODES + "0"),
        (lambda m: m.graph.node.reverse(), r"node 1: expected Split\(.*\) -> .*, found Squeeze\("),
        (with_swapped_nodes, r"node 1: expected Split\(hidden, .*found Split\(cell, "),
        (with_axis(1), r"node 1: expected .*axis=0\) -> .*, found .*axis=1\) -> "),
        (with_axis(-3), r"node 1: expected .*axis=0\) -> .*, found .*axis=-3\) -> "),
        (with_attribute(num_outputs=2), "attributes: expected an axis at most, found num_outputs"),
        (with_attribute(axis=0), "attributes: expected an axis at most, found axis"),
        (with_axis_as(lambda a: a.ClearField("i")), "attributes: expected an axis at most, found axis"),
        (with_axis_as(lambda a: a.ClearField("type")), "attributes: expected an axis at most, found axis"),
        (with_axis_as(lambda a: a.ClearField("name")), "attributes: expected an axis at most, found "),
        (with_axis_as(lambda a: setattr(a, "type", 7)), "attributes: expected an axis at most, found axis"),
        (with_axis_as(lambda a: setattr(a, "f", 0.0)), r"expected .*, found"),
        (with_axis_as(lambda a: a.ints.append(0)), "attribute: expected no field 8, found one"),
        (with_axis_as(lambda a: a.t.SetInParent()), "attribute: expected no field 5, found one"),
        (with_axis_as(lambda a: setattr(a, "s", b"0")), "attribute: expected no field 4, found one"),
        (with_axis_as(lambda a: setattr(a, "ref_attr_name", "x")), "attribute: expected no field 21"),
        (lambda m: node(m, "Split").ClearField("attribute"), r"node 1: expected .*axis=0.*, found Split\("),
        (lambda m: setattr(node(m, "Tanh"), "op_type", "Exp"), r"expected Tanh\(.*, found Exp\("),
        (lambda m: setattr(node(m, "Tanh"), "op_type", "Tanh\0"), r"expected Tanh\(.*, found Tanh"),
        (lambda m: setattr(node(m, "Tanh"), "op_type", ""), r"expected Tanh\(.*, found \("),
        (lambda m: setattr(node(m, "Tanh"), "domain", "ai.onnx"), r"expected Tanh.*, found ai\.onnx\.Tanh"),
        (lambda m: setattr(node(m, "Tanh"), "domain", "evil"), r"expected Tanh\(.*, found evil\.Tanh\("),
        (lambda m: setattr(node(m, "Tanh"), "doc_string", "a"), "node: expected no field 6, found one"),
        (lambda m: setattr(node(m, "Tanh"), "overload", "a"), "node: expected no field 8, found one"),
        (lambda m: node(m, "Tanh").metadata_props.add(key="a"), "node: expected no field 9, found one"),
        (lambda m: node(m, "Tanh").input.append(""), r"node \d+: expected Tanh\(.*\) -> .*, found Tanh\("),
        (lambda m: node(m, "Tanh").input.pop(), r"node \d+: expected Tanh\(.*\) -> .*, found Tanh\(\)"),
        (lambda m: node(m, "Tanh").output.append("a"), r"expected Tanh\(.*, found .* -> \w+, a"),
        (
            lambda m: node(m, "Gather").input.reverse(),
            r"expected Gather\(table, token.*, found Gather\(token",
        ),
        (lambda m: node(m, "Tanh").output.pop(), r"expected Tanh\(.*, found Tanh\(\w+\) -> "),
    ],
)
@BOTH
def test_other_nodes_are_refused(content: bytes, change: Change, message: str) -> None:
    assert_refused(changed(change, content), message)


@pytest.mark.parametrize("index", range(len(onnx.load_from_string(INT8).graph.node)))
def test_each_node_counts(index: int) -> None:
    def change(model: ModelProto) -> None:
        model.graph.node[index].input[0] += "_other"

    assert_refused(changed(change, INT8), f"node {index + 1}: expected .*, found .*_other")


@pytest.mark.parametrize("place", [2, 5, 6])
def test_the_weights_zero_points_stay_left_out(place: int) -> None:
    def change(model: ModelProto) -> None:
        products = [entry for entry in model.graph.node if entry.op_type == "MatMulIntegerToFloat"]
        product = next(entry for entry in products if len(entry.input) > 5)
        product.input[place] = "hidden_zero"

    assert_refused(changed(change, INT8), "expected com.microsoft.MatMulIntegerToFloat.*, found ")


# The rest of the model.


def with_function(model: ModelProto) -> None:
    tanh = helper.make_node("Identity", ["x"], ["y"])
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("", "Tanh", ["x"], ["y"], [tanh], opset))


def with_opset(*entries: tuple[str, int]) -> Change:
    def change(model: ModelProto) -> None:
        del model.opset_import[:]
        model.opset_import.extend(helper.make_opsetid(*entry) for entry in entries)

    return change


def with_quantization_annotation(model: ModelProto) -> None:
    model.graph.quantization_annotation.add(tensor_name="table")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: setattr(m, "ir_version", 9), "ONNX IR version: expected 8, found 9"),
        (lambda m: setattr(m, "ir_version", -1), "ONNX IR version: expected 8, found -1"),
        (lambda m: m.ClearField("ir_version"), "ONNX IR version: expected 8, found 0"),
        (with_opset(("", 18), ("com.microsoft", 1)), r"operator sets: expected .*17.*, found .*18"),
        (with_opset(("", 17), ("", 17)), "operator sets: expected .*, found "),
        (with_opset(("", 17), ("com.microsoft", 1), ("", 21)), "operator sets: expected .*, found .*21"),
        (with_opset(("ai.onnx", 17), ("com.microsoft", 1)), "operator sets: expected .*, found .*ai.onnx"),
        (with_opset(("", 17), ("ai.onnx.contrib", 1)), "operator sets: expected .*, found .*contrib"),
        (with_opset(), r"operator sets: expected .*, found \[\]"),
        (with_function, "operators: expected those of ONNX and onnxruntime, found a function of the file's"),
        (lambda m: m.training_info.add(), "model: expected no field 20, found one"),
        (lambda m: setattr(m, "doc_string", "a"), "model: expected no field 6, found one"),
        (lambda m: setattr(m, "domain", "a"), "model: expected no field 4, found one"),
        (lambda m: setattr(m, "model_version", 1), "model: expected no field 5, found one"),
        (lambda m: setattr(m.graph, "doc_string", "a"), "graph: expected no field 10, found one"),
        (lambda m: m.graph.value_info.append(floats("row", [1])), "graph: expected no field 13, found one"),
        (lambda m: m.graph.metadata_props.add(key="a"), "graph: expected no field 16, found one"),
        (with_quantization_annotation, "graph: expected no field 14, found one"),
    ],
)
@BOTH
def test_what_our_models_do_not_have_is_refused(content: bytes, change: Change, message: str) -> None:
    assert_refused(changed(change, content), message)


@BOTH
def test_a_graph_in_two_parts_is_refused(content: bytes) -> None:
    """Readers of protocol buffers merge them."""
    model = onnx.load_from_string(content)
    first, second = onnx.GraphProto(), onnx.GraphProto()
    first.CopyFrom(model.graph)
    second.initializer.append(first.initializer.pop())
    model.ClearField("graph")
    parts = b"".join(block(GRAPH_FIELD, part.SerializeToString()) for part in (first, second))
    assert onnx.load_from_string(model.SerializeToString() + parts) == onnx.load_from_string(content)
    assert_refused(model.SerializeToString() + parts, "model: expected one graph, found several")


@pytest.mark.parametrize("field", [1, 2, 3])
def test_what_the_model_says_twice_is_refused(field: int) -> None:
    extra = number(field, 8) if field == 1 else block(field, b"lyricgen")
    assert_refused(FP32 + extra, "model: expected one .*, found several")


def test_a_group_that_others_skip_is_refused() -> None:
    group = varint(1000 << 3 | 3) + varint(1000 << 3 | 4)
    assert onnx.load_from_string(FP32 + group).graph == onnx.load_from_string(FP32).graph
    assert_refused(FP32 + group, "expected an ONNX file, found other bytes")


def test_deeply_nested_subgraphs_are_refused() -> None:
    attribute = b""
    for _ in range(20_000):
        graph = block(1, block(5, attribute))
        attribute = block(1, b"body") + block(6, graph) + number(20, 5)
    model = onnx.load_from_string(FP32)
    model.ClearField("graph")
    content = model.SerializeToString() + block(GRAPH_FIELD, block(1, block(5, attribute)))
    assert_refused(content, SUBGRAPH)


@pytest.mark.parametrize("depth", [500, 980, 1000, 5000, 100_000])
@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a": ', "}")])
def test_deeply_nested_json_is_refused(depth: int, start: str, end: str) -> None:
    for key in ("layers", "provenance", "held_out", "suggested_temperature"):

        def nest(model: ModelProto, key: str = key) -> None:
            entry = next(p for p in model.metadata_props if p.key == "lyricgen." + key)
            entry.value = start * depth + "1" + end * depth

        assert_refused(changed(nest), "")


# Files that only want to be expensive.


def assert_quickly_refused(content: bytes, message: str) -> None:
    start = time.process_time()
    assert_refused(content, message)
    assert time.process_time() - start < QUICK_SECONDS


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("characters", '["a"' + ',"a"' * 10**7 + "]", "texts in the file: expected at most 8,388,608 bytes"),
        (
            "characters",
            '["a"' + ',"a"' * 10**5 + "]",
            r"lyricgen\.characters: expected at most 65536 strings",
        ),
        ("characters", "[" * 10**7, "texts in the file: expected at most 8,388,608 bytes, found more"),
        (
            "characters",
            "[" * 5 * 10**6,
            r"characters: expected at most 1,048,576 characters, found 5,000,000",
        ),
        ("styles", "[0" + ",0" * 10**6 + "]", r"lyricgen\.styles: expected at most 65,536 characters"),
        ("styles", "[0" + ",0" * 10**4 + "]", r"lyricgen\.styles: expected at most 65536 strings"),
        ("layers", "1" * 10**6, r"lyricgen\.layers: expected "),
        ("layers", "1" * 10**4, r"lyricgen\.layers: expected "),
        ("layers", '"' + "a" * 10**4 + '"', r"lyricgen\.layers: expected int, found .{0,60}$"),
        ("precision", '"' + "a" * 9**4 + '"', r"lyricgen\.precision: expected .*, found .{0,60}$"),
    ],
)
def test_an_enormous_property_is_quickly_refused(key: str, text: str, message: str) -> None:
    def change(model: ModelProto) -> None:
        next(p for p in model.metadata_props if p.key == "lyricgen." + key).value = text

    assert_quickly_refused(changed(change), message)


def test_many_large_properties_of_others_are_quickly_refused() -> None:
    text = "a" * 2**20
    content = FP32 + b"".join(property_entry(f"author {n}", text) for n in range(100))
    assert_quickly_refused(content, "texts in the file: expected at most 8,388,608 bytes, found more")


@pytest.mark.parametrize(
    "piece",
    [
        number(1, 8),
        block(METADATA_FIELD, b""),
        property_entry("a", ""),
        block(GRAPH_FIELD, b""),
        number(99, 0),
    ],
)
def test_100_megabytes_of_tiny_fields_are_quickly_refused(piece: bytes) -> None:
    content = FP32 + piece * (10**8 // len(piece))
    assert_quickly_refused(content, "(parts of the file: expected at most 50,000|metadata: expected .* once)")


def test_the_work_of_a_refusal_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = []
    spend = protobuf.Budget.spend
    monkeypatch.setattr(protobuf.Budget, "spend", lambda budget: (spent.append(1), spend(budget))[1])
    assert_refused(FP32 + number(1, 8) * 10**6, "parts of the file: expected at most 50,000, found more")
    assert len(spent) == protobuf.MAX_FIELDS + 1


@pytest.mark.parametrize("piece", [b"\x0a\x00", b"\x2a\x00", b"\x5a\x00", b"\x62\x00"])
def test_a_graph_of_millions_of_empty_parts_is_quickly_refused(piece: bytes) -> None:
    model = onnx.load_from_string(FP32)
    model.ClearField("graph")
    content = model.SerializeToString() + block(GRAPH_FIELD, piece * 10**7)
    assert_quickly_refused(content, "parts of the file: expected at most 50,000, found more")


def test_a_tensor_with_millions_of_axes_is_quickly_refused() -> None:
    content = with_raw_tensor("table", number(1, 1) * 10**7)
    assert_quickly_refused(content, "parts of the file: expected at most 50,000, found more")


def test_the_largest_card_within_the_limits_is_read_quickly() -> None:
    characters = [chr(0x10000 + n) for n in range(contract.MAX_CHARACTERS)]
    start = time.process_time()
    assert_refused(
        changed(with_property("characters", characters)), r"output logits: expected float32 \(B, 65537\)"
    )
    assert time.process_time() - start < QUICK_SECONDS
