"""Protocol buffers, as far as a model file needs them: writing any message, reading its outermost fields.

A message is a sequence of fields: a tag (field number and wire type) and a value
(https://protobuf.dev/programming-guides/encoding/). Only the standard library is imported.
"""

from __future__ import annotations

from collections.abc import Iterator

from lyricgen.model_file.contract import ContractError

_VARINT, _BYTES = 0, 2
"""Wire types."""
_MAX_VARINT_BYTES = 10


def varint(value: int) -> bytes:
    """Return a number from 0 up in groups of 7 bits, lowest first."""
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def field(number: int, value: int | str | bytes) -> bytes:
    """Return a field in the shortest form, which is the one that other writers use."""
    if isinstance(value, int):
        return varint(number << 3 | _VARINT) + varint(value)
    content = value.encode(errors="replace") if isinstance(value, str) else value
    return start_of_field(number, len(content)) + content


def start_of_field(number: int, size: int) -> bytes:
    """Return the bytes that stand before a field's content of `size` bytes."""
    return varint(number << 3 | _BYTES) + varint(size)


def read_fields(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and value of each field of a message; the value as its bytes, also that of a number.

    Raises:
        ContractError: these bytes are no message.
    """
    position = 0
    while position < len(content):
        tag, start = _read_varint(content, position)
        value, position = _read_varint(content, start)
        if tag & 7 == _BYTES:
            start, position = position, position + value
        elif tag & 7 != _VARINT:
            raise ContractError("not a model that can be read", "an ONNX file", "other bytes")
        if position > len(content):
            raise ContractError("cut off or damaged", "all of it", "a part that is longer than the rest")
        yield tag >> 3, content[start:position]


def _read_varint(content: memoryview, position: int) -> tuple[int, int]:
    """Return a number and the position after it."""
    value = 0
    for index, byte in enumerate(content[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, position + index + 1
    raise ContractError("not a model that can be read", "an ONNX file", "a number without an end")
