"""Protocol buffers, read strictly: a file that holds anything unforeseen is refused.

A message is a row of fields, each a number, a wire type and a value
(https://protobuf.dev/programming-guides/encoding/). A `Schema` names the fields that may occur; anything
else, a second value of a field that has one, or a length beyond the end is an error. Only the standard
library is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from lyricgen.model_file.contract import ContractError

MAX_FIELDS = 50_000
"""Fields of a whole file; the longest of ours has about 3,000."""
MAX_TEXT_BYTES = 2**23
"""Text of a whole file, names included; a text in memory may take four times as much."""
_NUMBER, _BYTES = 0, 2
"""Wire types."""
_MAX_NUMBER_BYTES = 10

Message: TypeAlias = dict[str, list[Any]]
"""Values by field name, in the order of the file; an empty list where a field does not occur."""


@dataclass(frozen=True)
class Field:
    """A field that may occur."""

    name: str
    kind: type[int] | type[bytes] | type[str] | Schema
    """bytes are handed out as memoryviews into the file."""
    many: bool = False
    """Whether it may occur more than once."""


@dataclass(frozen=True)
class Refused:
    """A field whose presence deserves an error of its own."""

    what: str
    expected: str
    found: str


@dataclass(frozen=True)
class Schema:
    """The fields of a kind of message, by number."""

    name: str
    fields: Mapping[int, Field | Refused]


class Budget:
    """Counts fields and text, so that a file with far more of them than ours is not read to its end."""

    def __init__(self) -> None:
        self._left = MAX_FIELDS
        self._text_left = MAX_TEXT_BYTES

    def spend(self) -> None:
        """Count one field.

        Raises:
            ContractError: there were too many.
        """
        self._left -= 1
        if self._left < 0:
            raise ContractError("parts of the file", f"at most {MAX_FIELDS:,}", "more")

    def spend_text(self, size: int) -> None:
        """Count a text of `size` bytes.

        Raises:
            ContractError: there was too much.
        """
        self._text_left -= size
        if self._text_left < 0:
            raise ContractError("texts in the file", f"at most {MAX_TEXT_BYTES:,} bytes", "more")


def parse(content: memoryview, schema: Schema, budget: Budget) -> Message:
    """Read a message and those inside it.

    Raises:
        ContractError: it is no message of this schema.
    """
    message: Message = {field.name: [] for field in schema.fields.values() if isinstance(field, Field)}
    for number, value in read_fields(content, budget):
        field = schema.fields.get(number)
        if field is None:
            raise ContractError(schema.name, f"no field {number}", "one")
        if isinstance(field, Refused):
            raise ContractError(field.what, field.expected, field.found)
        if message[field.name] and not field.many:
            raise ContractError(schema.name, f"one {field.name}", "several")
        message[field.name].append(_typed(value, field, schema, budget))
    return message


def read_fields(content: memoryview, budget: Budget) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a message: an integer (signed, 64 bits) or bytes.

    Raises:
        ContractError: these bytes are no message.
    """
    position = 0
    while position < len(content):
        budget.spend()
        tag, position = _number(content, position)
        number, wire_type = tag >> 3, tag & 7
        value, position = _number(content, position)
        if wire_type == _NUMBER and number > 0:
            yield number, value - 2**64 if value >= 2**63 else value
        elif wire_type == _BYTES and number > 0:
            if value > len(content) - position:
                raise ContractError("cut off or damaged", "all of it", "a part that is longer than the rest")
            yield number, content[position : position + value]
            position += value
        else:
            raise _unreadable()


def _number(content: memoryview, position: int) -> tuple[int, int]:
    """Return a number written in groups of 7 bits, lowest first, and the position after it."""
    value = 0
    for shift in range(0, 7 * _MAX_NUMBER_BYTES, 7):
        if position >= len(content):
            raise ContractError("cut off or damaged", "all of it", "an end in the middle of a number")
        byte = content[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (2**64 - 1), position
    raise _unreadable()


def _typed(value: int | memoryview, field: Field, schema: Schema, budget: Budget) -> Any:  # noqa: ANN401
    if isinstance(value, int) != (field.kind is int):
        raise _unreadable()
    if isinstance(value, int) or field.kind is bytes:
        return value
    if isinstance(field.kind, Schema):
        return parse(value, field.kind, budget)
    budget.spend_text(len(value))
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError as error:
        raise ContractError(f"{schema.name} {field.name}", "UTF-8", "other bytes") from error


def _unreadable() -> ContractError:
    return ContractError("not a model that can be read", "an ONNX file", "other bytes")
