"""Files as strangers may send them: each is a real model with one thing changed."""

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.step import build_step, serialize
from lyricgen.engine import step_model
from lyricgen.engine.step_model import ModelFile
from lyricgen.errors import ModelFormatError
from lyricgen.model_file import contract
from lyricgen.model_file.protobuf import field, varint
from tests.make_fake_model import FAKE_INT8_MODEL_PATH, FAKE_MODEL_PATH, fake_card, fake_weights
from tests.runtime.test_protobuf import padded

PATH = Path("model.onnx")
"""Only a name for errors."""
FP32, INT8 = FAKE_MODEL_PATH.read_bytes(), FAKE_INT8_MODEL_PATH.read_bytes()
BOTH = pytest.mark.parametrize("content", [FP32, INT8], ids=["fp32", "int8"])
QUICK_SECONDS = 5
GRAPH_FIELD, METADATA_FIELD = 7, 14


def floats(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])


IDENTITY = helper.make_node("Identity", ["x"], ["y"])
SMALL = helper.make_graph([IDENTITY], "inner", [floats("x")], [floats("y")])
ELSEWHERE = TensorProto(name="table", dims=[11, 20], data_type=TensorProto.FLOAT, data_location="EXTERNAL")
ELSEWHERE.external_data.add(key="location", value="../../etc/passwd")
EVERYTHING = [chr(0x10000 + n) for n in range(contract.MAX_CHARACTERS)]


def array(values: object, name: str, kind: str = "i8") -> TensorProto:
    return numpy_helper.from_array(np.array(values, kind), name)


def extra(op_type: str, domain: str = "", **attributes: Any) -> onnx.NodeProto:  # noqa: ANN401
    return helper.make_node(op_type, ["hidden"], ["more"], domain=domain, **attributes)


def named(entries: Iterable[Any], name: str, key: str = "name") -> Any:  # noqa: ANN401
    return next(entry for entry in entries if getattr(entry, key) == name)


def changed(statement: str, content: bytes = FP32, *, sign: bool = True, **names: object) -> bytes:
    """The file after one statement on its model `m`, the graph `g`, or a part of it.

    It gets the right hash of its tensors: whoever writes a hostile file can put it there.
    """
    m = onnx.load_from_string(content)
    g = m.graph
    scope = {"m": m, "g": g, "tensor": partial(named, g.initializer), "table": named(g.initializer, "table")}
    scope |= {name.lower(): named(g.node, name, "op_type") for name in ("Split", "Tanh", "Gather")}
    scope["axis"], scope["values"] = scope["split"].attribute[0], numpy_helper.to_array(scope["table"])
    scope["value"] = lambda name: named([*g.input, *g.output], name).type.tensor_type
    scope["entry"] = lambda key: named(m.metadata_props, "lyricgen." + key, "key")
    exec(statement, globals() | scope | names)
    digest = hashlib.sha256(b"".join(one.raw_data for one in g.initializer)).hexdigest()
    for entry in m.metadata_props:
        if sign and entry.key == "lyricgen.tensors_sha256":
            entry.value = json.dumps(digest)
    other: bytes = m.SerializeToString()
    assert other != content
    return other


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


def property_entry(key: str, value: str) -> bytes:
    return field(METADATA_FIELD, field(1, key) + field(2, value))


@pytest.mark.parametrize("precision", contract.PRECISIONS)
@pytest.mark.parametrize(("layers", "hidden_size"), [(1, 1), (1, 7), (2, 3), (3, 5), (16, 2)])
def test_whatever_export_builds_opens(precision: str, layers: int, hidden_size: int) -> None:
    card = replace(fake_card(precision), layers=layers, hidden_size=hidden_size)
    found = ModelFile(PATH, serialize(build_step(fake_weights(card), card))).card
    assert found == replace(card, tensors_sha256=found.tensors_sha256)


@BOTH
def test_a_model_written_anew_by_the_onnx_package_opens(content: bytes) -> None:
    """And with the properties of others, in any order."""
    model, card = onnx.load_from_string(content), ModelFile(PATH, content).card
    assert ModelFile(PATH, model.SerializeToString()).card == card
    entries = list(model.metadata_props)[::-1]
    del model.metadata_props[:]
    model.metadata_props.extend(entries)
    for value in ("", "not { JSON", "\0\x1b[2J", "a" * 2**20):
        model.metadata_props.add(key=f"author {len(value)}", value=value)
    assert ModelFile(PATH, model.SerializeToString()).card == card


@BOTH
def test_other_weights_need_their_own_hash(content: bytes) -> None:
    statement = "table.CopyFrom(array(values * np.nan, 'table', 'f4'))"
    damage = "damaged on its way .*: sha256 of its tensors: expected"
    assert_refused(changed(statement, content, sign=False), damage)
    assert ModelFile(PATH, changed(statement, content)).size_bytes == len(content)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"a text, no model", bytes(1000), b"\xff" * 1000, b"\x08\x08" * 50, bytes(range(256)) * 4),
        *(b"PK\x03\x04" + bytes(100), b'{"lyricgen.format": 1}', "Strophe eins\n".encode("utf-16")),
        b"\x0b" * 100_000,  # groups in groups
        helper.make_model(SMALL).SerializeToString(),
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


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("m.ClearField('metadata_props')", "not a lyricgen model"),
        ("m.metadata_props.remove(entry('format'))", "not a lyricgen model"),
        ("entry('layers').key += '\\0'", "lyricgen.layers"),
        ("entry('format').value = '3'", "model format"),
        *((f"entry('layers').value = '{layers}'", "size of the graph") for layers in (1, 3)),
        *((f"entry('hidden_size').value = '{size}'", "size of the graph") for size in (6, 8192)),
        ("entry('characters').value = '[\"a\", \"b\"]'", "size of the graph"),
        ("entry('characters').value = '[]'", "size of the graph"),
        ("entry('characters').value = json.dumps(EVERYTHING)", "size of the graph"),
        ("entry('styles').value, entry('eos').value = '[\"one\"]', '2'", "size of the graph"),
        (
            "entry('precision').value = {'\"fp32\"': '\"int8\"'}.get(entry('precision').value, '\"fp32\"')",
            "size",
        ),
        ("entry('provenance').value = entry('provenance').value.replace('0.1.0', '7')", "version"),
    ],
)
@BOTH
def test_a_card_of_another_graph_is_refused(content: bytes, statement: str, message: str) -> None:
    assert_refused(changed(statement, content), message)


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


OTHER_VALUES = [
    *("value('token').elem_type = 6", "value('hidden').elem_type = 11"),
    *("value('logits').elem_type = 7", "value('cell').elem_type = -1"),
    *("value('hidden').shape.dim[1].dim_value = 1", "value('token').shape.dim[0].dim_value = 1"),
    *("value('next_cell').shape.dim[2].dim_value = 6", "value('cell').shape.dim[0].dim_value = -1"),
    "value('cell').shape.dim[0].dim_value = 2**62",
    *(f"value('hidden').shape.dim[1].dim_param = {name!r}" for name in ("N", "B\0")),
    "value('hidden').shape.dim[2].dim_param = 'B'",
    *("value('cell').shape.dim.add(dim_value=1)", "value('cell').shape.dim.pop()"),
    *("value('cell').shape.dim[0].Clear()", "value('cell').ClearField('shape')"),
    *("g.input[2].ClearField('type')", "g.input[2].type.denotation = 'IMAGE'", "g.input[2].doc_string = 'a'"),
    "g.input[1].type.CopyFrom(helper.make_sequence_type_proto(g.input[1].type))",
    *("g.input.append(floats('more'))", "g.output.append(floats('more'))", "g.input.append(g.input[0])"),
    *("g.input.pop()", "g.output.pop()", "g.input.reverse()", "g.ClearField('input')"),
    "named(g.node, 'logits').output[0] = g.output[0].name = 'scores'",
    "g.output[1].name, g.output[2].name = g.output[2].name, g.output[1].name",
    *("m.ClearField('graph')", "g.Clear()", "g.CopyFrom(SMALL)"),
]
OTHER_TENSORS = [
    *("table.CopyFrom(ELSEWHERE)", "table.external_data.add(key='location', value='/dev/zero')"),
    *("table.data_location = TensorProto.EXTERNAL", "table.data_location = TensorProto.DEFAULT"),
    "table.CopyFrom(array(values[:-1], 'table', 'f4'))",
    *(f"table.CopyFrom(array(values, 'table', '{kind}'))" for kind in ("f8", "f2", "i8")),
    "table.CopyFrom(helper.make_tensor('table', TensorProto.STRING, [1], [b'a']))",
    *(f"table.dims[:] = {dims}" for dims in ([20, 11], [220], [], [11, 20, 1], [-11, -20], [0, 20])),
    *(f"table.dims[:] = {dims}" for dims in ([-(2**63), 20], [1_342_177_280, 1], [2**62, 4])),
    *("table.dims[:] = [1] * 10_000", "tensor('gate_widths').dims[:] = [1]"),
    "table.CopyFrom(TensorProto(name='table', data_type=1, dims=[2**20, 2**20]))",
    *(f"table.raw_data = bytes({size})" for size in (0, 879, 884)),
    *("table.ClearField('raw_data')", "table.ClearField('data_type')"),
    "table.CopyFrom(helper.make_tensor('table', TensorProto.FLOAT, table.dims, values.ravel()))",
    *("table.float_data.extend([1.0] * 10)", "table.segment.SetInParent()"),
    *("table.doc_string = 'a'", "table.name = 'table\\0'"),
    "g.sparse_initializer.add(dims=table.dims, values=table, indices=array([0], 'indices'))",
    *("g.initializer.append(array([1], 'more'))", "g.initializer.append(table)"),
    *("g.initializer.reverse()", "g.initializer.pop()", "g.ClearField('initializer')"),
    "tensor('gate_widths').CopyFrom(array([10, 10], 'gate_widths'))",
    "tensor('gate_widths').CopyFrom(array([2**62, -(2**62) + 20], 'gate_widths'))",
    "tensor('thirds').CopyFrom(array([5, 6, 4], 'thirds'))",
    "tensor('one_layer_each').CopyFrom(array([2, 0], 'one_layer_each'))",
    *(f"tensor('first_axis').CopyFrom(array([{axis}], 'first_axis'))" for axis in (1, -1)),
]
OTHER_NODES = [
    "g.node.append(extra('If', then_branch=SMALL, else_branch=SMALL))",
    "g.node.append(extra('Loop', body=SMALL))",
    "g.node.append(extra('Scan', body=SMALL, num_scan_inputs=1))",
    "g.node.append(extra('Identity', graphs=[SMALL, SMALL]))",
    *("g.node.append(extra('Identity'))", "g.node.append(extra('Evil', 'example.com'))"),
    *("g.node.append(extra('PyOp', 'ai.onnx.contrib'))", "g.node.append(g.node[-1])"),
    *("g.node.pop(-1)", "g.node.pop(0)", "g.ClearField('node')", "g.node.reverse()"),
    "split.attribute.append(helper.make_attribute('body', SMALL))",
    *(f"split.attribute.append(helper.make_attribute('{name}', 2))" for name in ("num_outputs", "axis")),
    *("axis.i = 1", "axis.i = -3", "axis.type = 7", "axis.f = 0.0", "axis.ints.append(0)", "axis.s = b'0'"),
    *("axis.ClearField('i')", "axis.ClearField('type')", "axis.ClearField('name')"),
    *("axis.t.SetInParent()", "axis.ref_attr_name = 'x'", "split.ClearField('attribute')"),
    *("tanh.op_type = 'Exp'", "tanh.op_type = 'Tanh\\0'", "tanh.op_type = ''", "tanh.domain = 'ai.onnx'"),
    *("tanh.domain = 'evil'", "tanh.name = 'a'", "tanh.doc_string = 'a'", "tanh.overload = 'a'"),
    *("tanh.metadata_props.add(key='a')", "tanh.input.append('')", "tanh.input.pop()"),
    *("tanh.output.append('a')", "tanh.output.pop()", "gather.input.reverse()"),
]
OTHERS = [
    *("m.ir_version = 9", "m.ir_version = -1", "m.ClearField('ir_version')"),
    *("m.producer_name = 'ORTM'", "m.producer_version = 'ORTM'", "m.model_version = 1"),
    *("m.doc_string = 'a'", "m.domain = 'a'", "m.training_info.add()"),
    *("m.opset_import[0].version = 18", "m.opset_import[0].domain = 'ai.onnx'"),
    *("m.opset_import.add(version=17)", "m.opset_import.add(version=21)", "m.ClearField('opset_import')"),
    *(f"m.opset_import.add(domain='{name}', version=1)" for name in ("com.microsoft", "ai.onnx.contrib")),
    "m.functions.add(name='Tanh', domain='', input=['x'], output=['y'], node=[IDENTITY])",
    *("g.name = 'a'", "g.doc_string = 'a'", "g.value_info.append(floats('row'))"),
    *("g.metadata_props.add(key='a')", "g.quantization_annotation.add(tensor_name='table')"),
]


@pytest.mark.parametrize("statement", [*OTHER_VALUES, *OTHER_TENSORS, *OTHER_NODES, *OTHERS])
@BOTH
def test_a_file_that_differs_from_what_export_writes_is_refused(content: bytes, statement: str) -> None:
    assert_refused(changed(statement, content))


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("tensor('hidden_scale').CopyFrom(array(1 / 126, 'hidden_scale', 'f4'))", "tensor hidden_scale"),
        ("tensor('hidden_scale').CopyFrom(array(np.nan, 'hidden_scale', 'f4'))", "tensor hidden_scale"),
        ("tensor('hidden_zero').CopyFrom(array(0, 'hidden_zero', 'u1'))", "tensor hidden_zero"),
        ("tensor('one').CopyFrom(array(2, 'one', 'f4'))", "tensor one"),
        ("tensor('output_weights').raw_data = bytes([64] * 50)", "up to ±63"),
    ],
)
def test_the_scales_of_int8_are_fixed_and_its_weights_have_seven_bits(statement: str, message: str) -> None:
    assert_refused(changed(statement, INT8), message)


@pytest.mark.parametrize("index", range(len(onnx.load_from_string(INT8).graph.node)))
def test_each_node_counts(index: int) -> None:
    assert_refused(changed("g.node[n].input[0] = 'x' * len(g.node[n].input[0])", INT8, n=index), "node")


TABLE = named(onnx.load_from_string(FP32).graph.initializer, "table").SerializeToString()


def with_raw_tensor(written: bytes) -> bytes:
    """Replace the bytes of the tensor called table, all sizes around it included."""
    before = onnx.load_from_string(FP32).graph.SerializeToString()
    graph = before.replace(field(5, TABLE), field(5, written))
    return FP32.replace(field(GRAPH_FIELD, before), field(GRAPH_FIELD, graph))


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
    assert with_raw_tensor(TABLE) == FP32 != content
    assert_refused(content)


@BOTH
def test_a_graph_in_two_parts_is_refused(content: bytes) -> None:
    """Readers of protocol buffers merge them."""
    model = onnx.load_from_string(content)
    second = onnx.GraphProto(initializer=[model.graph.initializer.pop()])
    parts = model.SerializeToString() + field(GRAPH_FIELD, second.SerializeToString())
    assert onnx.load_from_string(parts) == onnx.load_from_string(content)
    assert_refused(parts)


def test_deeply_nested_subgraphs_are_quickly_refused() -> None:
    attribute = b""
    for _ in range(20_000):
        attribute = field(1, b"body") + field(6, field(1, field(5, attribute))) + field(20, 5)
    assert_refused(FP32.replace(b"lyricgen_step", field(1, field(5, attribute))))
    assert_refused(FP32 + field(GRAPH_FIELD, field(1, field(5, attribute))))


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
    graph = field(GRAPH_FIELD, onnx.load_from_string(FP32).graph.SerializeToString())
    assert_refused(FP32.replace(graph, field(GRAPH_FIELD, piece * 10**6)))
