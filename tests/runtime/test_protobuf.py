from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import AttributeProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto

from lyricgen.model_file import onnx_file, protobuf
from lyricgen.model_file.contract import ContractError
from lyricgen.model_file.protobuf import Budget, Field, Message, Refused, Schema, parse, read_fields
from tests.make_fake_model import FAKE_INT8_MODEL_PATH, FAKE_MODEL_PATH, FAKE_STYLED_MODEL_PATH

PAIR = Schema("pair", {1: Field("key", str), 2: Field("value", str)})
ROW = Schema(
    "row",
    {
        1: Field("number", int),
        2: Field("numbers", int, many=True),
        3: Field("content", bytes),
        4: Field("pair", PAIR),
        5: Field("pairs", PAIR, many=True),
        6: Refused("secrets", "none", "one"),
    },
)
LARGEST = 2**64 - 1


def varint(value: int, length: int = 1) -> bytes:
    """In groups of 7 bits, lowest first, in at least `length` bytes."""
    groups = []
    while value or len(groups) < length:
        groups.append(value & 127)
        value >>= 7
    return bytes([group | 128 for group in groups[:-1]] + groups[-1:])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def read(content: bytes, schema: Schema = ROW) -> Message:
    return parse(memoryview(content), schema, Budget())


def fields(content: bytes) -> list[tuple[int, int | bytes]]:
    found = read_fields(memoryview(content), Budget())
    return [(field, value if isinstance(value, int) else bytes(value)) for field, value in found]


def plain(message: Message, schema: Schema) -> dict[str, list[object]]:
    """Our reading, with sub-messages as plain dictionaries and bytes as bytes."""
    kinds = {field.name: field.kind for field in schema.fields.values() if isinstance(field, Field)}
    return {name: [_plain(value, kinds[name]) for value in values] for name, values in message.items()}


def _plain(value: object, kind: object) -> object:
    if isinstance(kind, Schema):
        return plain(value, kind)
    return bytes(value) if kind is bytes else value


def as_google_reads(proto: object, schema: Schema) -> dict[str, list[object]]:
    """The same of a message that google.protobuf has read."""
    entries: dict[str, list[object]] = {}
    for field in schema.fields.values():
        if isinstance(field, Field):
            value = getattr(proto, field.name)
            values = list(value) if field.many else [value] if proto.HasField(field.name) else []
            kind = field.kind
            entries[field.name] = [
                as_google_reads(v, kind) if isinstance(kind, Schema) else v for v in values
            ]
    return entries


def test_an_empty_message_has_no_values() -> None:
    assert read(b"") == {"number": [], "numbers": [], "content": [], "pair": [], "pairs": []}


@pytest.mark.parametrize(
    ("proto", "schema"),
    [
        (StringStringEntryProto(key="a", value="é\n\0😀"), onnx_file._PROPERTY),
        (StringStringEntryProto(key="", value="x" * 1000), onnx_file._PROPERTY),
        (OperatorSetIdProto(domain="", version=-(2**63)), onnx_file._OPERATOR_SET),
        (OperatorSetIdProto(domain="com.microsoft", version=2**63 - 1), onnx_file._OPERATOR_SET),
        (TensorProto(dims=[0, 1, -1, 2**40, 127, 128], data_type=1, name="t"), onnx_file._TENSOR),
        (TensorProto(raw_data=bytes(range(256)) * 3), onnx_file._TENSOR),
        (AttributeProto(name="axis", i=-7, type=AttributeProto.INT), onnx_file._ATTRIBUTE),
        (NodeProto(op_type="Split", input=["a", "", "b"], output=["c"]), onnx_file._NODE),
    ],
)
def test_a_message_is_read_as_google_reads_it(proto: object, schema: Schema) -> None:
    assert plain(read(proto.SerializeToString(), schema), schema) == as_google_reads(proto, schema)


@pytest.mark.parametrize("path", [FAKE_MODEL_PATH, FAKE_INT8_MODEL_PATH, FAKE_STYLED_MODEL_PATH])
def test_a_whole_model_is_read_as_google_reads_it(path: Path) -> None:
    model = read(path.read_bytes(), onnx_file._MODEL)
    assert plain(model, onnx_file._MODEL) == as_google_reads(onnx.load(path), onnx_file._MODEL)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**31, 2**32, 2**63 - 1])
def test_numbers_are_read(value: int) -> None:
    assert fields(number(1, value)) == [(1, value)]


@pytest.mark.parametrize("value", [-1, -128, -(2**31), -(2**63)])
def test_a_negative_number_takes_ten_bytes(value: int) -> None:
    content = varint(value % 2**64)
    assert len(content) == 10
    assert fields(b"\x08" + content) == [(1, value)]


@pytest.mark.parametrize("length", range(1, 11))
def test_an_overlong_number_is_its_value(length: int) -> None:
    assert fields(b"\x08" + varint(5, length)) == [(1, 5)]


def test_an_overlong_tag_is_its_number() -> None:
    assert fields(varint(1 << 3, 4) + b"\x05") == [(1, 5)]


def test_an_overlong_length_is_its_value() -> None:
    assert fields(b"\x1a" + varint(2, 5) + b"ab") == [(3, b"ab")]


@pytest.mark.parametrize("last", [2, 3, 0x7F])
def test_bits_beyond_64_are_dropped_as_google_drops_them(last: int) -> None:
    content = b"\x10" + b"\xff" * 9 + bytes([last])
    assert fields(content) == [(2, OperatorSetIdProto.FromString(content).version)]


@pytest.mark.parametrize("content", [b"\x80" * 10 + b"\x00", b"\xff" * 10 + b"\x01", b"\x80" * 1000])
def test_a_number_of_eleven_bytes_is_refused(content: bytes) -> None:
    with pytest.raises(ContractError, match="expected an ONNX file, found other bytes"):
        fields(b"\x08" + content)


@pytest.mark.parametrize("content", [b"\x08", b"\x08\x80", b"\x80", b"\x1a", b"\x1a\xff", b"\x08\x01\xff"])
def test_an_end_in_the_middle_of_a_number_is_refused(content: bytes) -> None:
    with pytest.raises(ContractError, match="expected all of it, found an end in the middle of a number"):
        fields(content)


@pytest.mark.parametrize("length", [4, 5, 128, 2**31 - 1, 2**31, 2**32 + 3, 2**63, LARGEST])
def test_a_length_beyond_the_end_is_refused(length: int) -> None:
    with pytest.raises(ContractError, match="expected all of it, found a part that is longer than the rest"):
        fields(b"\x1a" + varint(length) + b"abc")


def test_a_length_beyond_the_end_of_its_message_is_refused() -> None:
    with pytest.raises(ContractError, match="longer than the rest"):
        read(block(4, b"\x0a\x09key") + block(3, b"the bytes after it"))


@pytest.mark.parametrize("wire_type", [1, 3, 4, 5, 6, 7])
def test_other_wire_types_are_refused(wire_type: int) -> None:
    with pytest.raises(ContractError, match="expected an ONNX file, found other bytes"):
        fields(bytes([1 << 3 | wire_type]) + b"\x00" * 16)


def test_a_group_is_refused() -> None:
    with pytest.raises(ContractError, match="other bytes"):
        read(bytes([1 << 3 | 3]) + number(1, 5) + bytes([1 << 3 | 4]))


@pytest.mark.parametrize("wire_type", [0, 2])
def test_field_number_0_is_refused(wire_type: int) -> None:
    with pytest.raises(ContractError, match="other bytes"):
        fields(bytes([wire_type]) + b"\x00")


@pytest.mark.parametrize("field", [7, 100, 2**28, 2**29 + 1, 2**61 - 1])
def test_an_unknown_field_is_refused(field: int) -> None:
    with pytest.raises(ContractError, match=f"row: expected no field {field}, found one"):
        read(number(field, 0))


def test_a_field_number_of_more_than_29_bits_is_no_smaller_one() -> None:
    with pytest.raises(ContractError, match="no field"):
        read(number(2**32 // 8 + 1, 0))


def test_a_refused_field_has_an_error_of_its_own() -> None:
    with pytest.raises(ContractError, match="secrets: expected none, found one"):
        read(number(6, 0))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (number(1, 5) * 2, "number"),
        (block(3, b"") * 2, "content"),
        (block(4, block(1, b"a")) + block(4, block(2, b"b")), "pair"),
    ],
)
def test_a_second_value_is_refused_and_not_merged(content: bytes, name: str) -> None:
    with pytest.raises(ContractError, match=f"row: expected one {name}, found several"):
        read(content)


def test_a_second_value_inside_a_message_is_refused() -> None:
    with pytest.raises(ContractError, match="pair: expected one key, found several"):
        read(block(5, block(1, b"a") * 2))


def test_repeated_values_keep_their_order() -> None:
    content = number(2, 3) + block(5, block(1, b"a")) + number(2, 1) + block(5, b"") + number(2, 2)
    message = read(content)
    assert message["numbers"] == [3, 1, 2]
    assert [pair["key"] for pair in message["pairs"]] == [["a"], []]


def test_a_packed_list_of_numbers_is_refused() -> None:
    with pytest.raises(ContractError, match="other bytes"):
        read(block(2, b"\x01\x02\x03"))


@pytest.mark.parametrize("content", [block(1, b"5"), number(3, 5), number(4, 5), number(5, 0)])
def test_a_value_of_another_wire_type_than_its_field_is_refused(content: bytes) -> None:
    with pytest.raises(ContractError, match="other bytes"):
        read(content)


@pytest.mark.parametrize(
    "text", [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", "é".encode("utf-16")]
)
def test_a_text_that_is_not_utf_8_is_refused(text: bytes) -> None:
    with pytest.raises(ContractError, match="pair key: expected UTF-8, found other bytes"):
        read(block(1, text), PAIR)


def test_bytes_are_views_into_the_file() -> None:
    content = block(3, b"abc")
    (view,) = read(content)["content"]
    assert isinstance(view, memoryview)
    assert view.obj is content


@pytest.mark.parametrize("piece", [number(2, 1), block(5, b"")])
def test_as_many_fields_as_the_budget_has_are_read(piece: bytes) -> None:
    assert sum(map(len, read(piece * protobuf.MAX_FIELDS).values())) == protobuf.MAX_FIELDS


@pytest.mark.parametrize("piece", [number(2, 1), block(5, b""), block(5, block(1, b"k"))])
def test_one_field_more_is_refused(piece: bytes) -> None:
    with pytest.raises(ContractError, match="parts of the file: expected at most 50,000, found more"):
        read(piece * (protobuf.MAX_FIELDS + 1))


def test_the_budget_is_shared_between_messages() -> None:
    budget = Budget()
    parse(memoryview(number(2, 1) * protobuf.MAX_FIELDS), ROW, budget)
    with pytest.raises(ContractError, match="found more"):
        parse(memoryview(number(2, 1)), ROW, budget)


def test_nothing_is_read_beyond_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MAX_FIELDS", 3)
    with pytest.raises(ContractError, match="found more"):
        read(number(2, 1) * 3 + b"\xff" * 100)  # what follows is no message


def test_as_much_text_as_the_budget_has_is_read() -> None:
    message = read(block(1, b"a" * protobuf.MAX_TEXT_BYTES), PAIR)
    assert len(message["key"][0]) == protobuf.MAX_TEXT_BYTES


@pytest.mark.parametrize(
    "content",
    [
        block(1, b"a" * (protobuf.MAX_TEXT_BYTES + 1)),
        block(1, b"a" * protobuf.MAX_TEXT_BYTES) + block(2, b"b"),
    ],
)
def test_one_byte_of_text_more_is_refused(content: bytes) -> None:
    with pytest.raises(ContractError, match=r"texts .*: expected at most 8,388,608 bytes, found more"):
        read(content, PAIR)


def test_bytes_that_are_no_text_do_not_count_as_text() -> None:
    assert len(read(block(3, b"a" * (protobuf.MAX_TEXT_BYTES + 1)))["content"][0]) > protobuf.MAX_TEXT_BYTES


@pytest.mark.parametrize("spend", [Budget.spend, lambda budget: budget.spend_text(1)])
def test_an_overspent_budget_stays_so(
    spend: Callable[[Budget], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protobuf, "MAX_FIELDS", 0)
    monkeypatch.setattr(protobuf, "MAX_TEXT_BYTES", 0)
    budget = Budget()
    for _ in range(2):
        with pytest.raises(ContractError):
            spend(budget)
