import pytest
from onnx import OperatorSetIdProto, StringStringEntryProto, TensorProto

from lyricgen.model_file.contract import ContractError
from lyricgen.model_file.protobuf import field, read_fields, varint


def padded(value: int, length: int) -> bytes:
    """A number in `length` bytes, more than it needs; readers of protocol buffers take it."""
    groups = [value >> 7 * n & 127 for n in range(length)]
    return bytes([group | 128 for group in groups[:-1]] + groups[-1:])


def fields(content: bytes) -> list[tuple[int, bytes]]:
    return [(number, bytes(value)) for number, value in read_fields(memoryview(content))]


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**31, 2**32, 2**63 - 1])
def test_a_number_is_written_as_google_writes_it(value: int) -> None:
    assert field(2, value) == OperatorSetIdProto(version=value).SerializeToString()
    assert fields(field(2, value)) == [(2, varint(value))]


@pytest.mark.parametrize("text", ["", "a", "é\n\0😀", "x" * 1000])
def test_text_and_bytes_are_written_as_google_writes_them(text: str) -> None:
    content = field(1, "key") + field(2, text)
    assert content == StringStringEntryProto(key="key", value=text).SerializeToString()
    assert fields(content) == [(1, b"key"), (2, text.encode())]
    assert field(2, text + "\ud800") == field(2, text + "?")  # half of a surrogate pair
    assert field(9, text.encode()) == TensorProto(raw_data=text.encode()).SerializeToString()


@pytest.mark.parametrize("length", [2, 5, 10])
def test_overlong_numbers_are_read(length: int) -> None:
    assert fields(padded(3 << 3 | 2, length) + padded(2, length) + b"ab") == [(3, b"ab")]


@pytest.mark.parametrize(
    "content",
    [
        *(b"\x08", b"\x08\x80", b"\x80", b"\x1a", b"\x1a\xff", b"\x08\x01\xff"),
        *(b"\x08" + b"\x80" * 10 + b"\0", b"\x08" + b"\xff" * 10 + b"\1", b"\x80" * 1000),
    ],
)
def test_a_number_without_an_end_is_refused(content: bytes) -> None:
    with pytest.raises(ContractError, match="a number without an end"):
        fields(content)


@pytest.mark.parametrize("length", [4, 5, 128, 2**31, 2**32 + 3, 2**63, 2**64 - 1])
def test_a_length_beyond_the_end_is_refused(length: int) -> None:
    with pytest.raises(ContractError, match="longer than the rest"):
        fields(b"\x1a" + varint(length) + b"abc")


@pytest.mark.parametrize("wire_type", [1, 3, 4, 5, 6, 7])
def test_other_wire_types_are_refused(wire_type: int) -> None:
    with pytest.raises(ContractError, match="other bytes"):
        fields(bytes([1 << 3 | wire_type]) + bytes(16))
