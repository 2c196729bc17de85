"""Values from outside, checked by the annotations of the dataclass fields that they are for.

One definition of a field serves the command line, the API and JSON files:

    temperature: Annotated[float, Range(0, 100)]
    sha256: Annotated[str, Pattern("[0-9a-f]{64}", "64 hexadecimal digits")]
    report: Report | None

Only the standard library is imported.
"""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")

if typing.TYPE_CHECKING:
    AnyFloat = float
else:

    class AnyFloat(float):
        """A number that may also be NaN or infinite."""


class SchemaError(ValueError):
    """The value called `name` is `found`, where `expected` says what it may be."""

    def __init__(self, name: str, expected: str, found: object) -> None:
        self.name, self.expected, self.found = name, expected, found
        super().__init__(f"{name}: expected {expected}, found {found!r}")


class Range(NamedTuple):
    """Numbers from `low` to `high`."""

    low: float
    high: float = math.inf
    above_low: bool = False
    """Whether `low` itself is out of range."""

    def allows(self, value: float) -> bool:
        """Tell whether a number is in range; NaN never is."""
        return self.low <= value <= self.high and not (self.above_low and value == self.low)

    def __str__(self) -> str:
        low, high = (str(n) if isinstance(n, int) else f"{n:g}" for n in (self.low, self.high))
        if self.high == math.inf:
            return f"{'above' if self.above_low else 'at least'} {low}"
        return f"above {low}, up to {high}" if self.above_low else f"from {low} to {high}"


class Pattern(NamedTuple):
    """Texts that a regular expression matches from end to end."""

    expression: str
    expected: str
    """What such a text is, for a reader."""

    def allows(self, value: str) -> bool:
        """Tell whether a text matches."""
        return re.fullmatch(self.expression, value, re.DOTALL) is not None

    def __str__(self) -> str:
        return self.expected


class MaxLength(NamedTuple):
    """Texts and lists that are not too long."""

    most: int

    def allows(self, value: str | tuple[object, ...]) -> bool:
        """Tell whether it is short enough."""
        return len(value) <= self.most

    def __str__(self) -> str:
        return f"of length {self.most:,} at most"


_SIMPLE: dict[Any, tuple[Any, str]] = {
    bool: (bool, "True or False"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    AnyFloat: (Real, "a number"),
    str: (str, "text"),
}


def parse(annotation: Any, value: Any, name: str) -> Any:  # noqa: ANN401 (any type goes in and out)
    """Return a value as its annotation has it: lists become tuples, objects dataclasses, 1 for a float 1.0.

    Args:
        annotation: bool, int, float, str, a Literal, a dataclass, tuple[X, ...], dict[X, Y], a union with
            None, or one of these in Annotated with `Range`, `Pattern` or `MaxLength`.
        value: what JSON, Python or a command line gave.
        name: of the value, for the error.

    Raises:
        SchemaError: the value, or one in it, does not fit.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _parse_annotated(arguments[0], arguments[1:], value, name)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (inner,) = (kind for kind in arguments if kind is not type(None))
        return parse(inner, value, name)
    if origin is Literal:
        if type(value) is str and value in arguments:
            return value
        raise SchemaError(name, " or ".join(arguments), value)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise SchemaError(name, "a list", value)
        return tuple(parse(arguments[0], entry, name) for entry in value)
    if origin is dict:
        pairs = _mapping(value, name).items()
        return {
            _parse_key(arguments[0], key, name): parse(arguments[1], v, f"{name}.{key}") for key, v in pairs
        }
    if isinstance(annotation, type) and is_dataclass(annotation):
        kind: type = annotation
        return value if isinstance(value, kind) else from_json(kind, value, name)
    return _parse_simple(annotation, value, name)


def from_json(kind: type[Kind], facts: object, name: str = "") -> Kind:
    """Return a dataclass of a JSON object that has exactly its fields; those with a default may be missing.

    Raises:
        SchemaError: a key is missing or unknown, or a value does not fit.
        Exception: what the class itself raises.
    """
    found, prefix = _mapping(facts, name), f"{name}." if name else ""
    annotations: Mapping[str, Any] = annotations_of(kind)  # type: ignore[arg-type]
    if unknown := sorted(found.keys() - annotations.keys()):
        raise SchemaError(f"{prefix}{unknown[0]}", "no such key", found[unknown[0]])
    values = {key: parse(annotations[key], value, prefix + key) for key, value in found.items()}
    for one in fields(kind):  # type: ignore[arg-type]
        if one.init and one.name not in found and one.default is one.default_factory is MISSING:
            raise SchemaError(prefix + one.name, "a value", None)
    return kind(**values)


@cache
def annotations_of(kind: Any) -> Mapping[str, Any]:  # noqa: ANN401 (a type of a dataclass)
    """Return the annotation of each field of a dataclass, constraints included."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}


def _parse_annotated(inner: object, constraints: tuple[Any, ...], value: object, name: str) -> object:
    constraints = tuple(constraint for constraint in constraints if hasattr(constraint, "allows"))
    try:
        parsed = parse(inner, value, name)
    except SchemaError as error:
        expected = " ".join([error.expected, *map(str, constraints)])
        raise SchemaError(error.name, expected, error.found) from None
    for constraint in constraints:
        if parsed is not None and not constraint.allows(parsed):
            kinds = [kind for kind in (inner, *get_args(inner)) if kind in _SIMPLE]
            noun = "a list" if isinstance(parsed, tuple) else _SIMPLE[kinds[0]][1]
            shown = str(constraint) if isinstance(constraint, Pattern) else f"{noun} {constraint}"
            raise SchemaError(name, shown, value)
    return parsed


def _parse_simple(kind: Any, value: Any, name: str) -> object:  # noqa: ANN401
    accepted, noun = _SIMPLE[kind]
    if not isinstance(value, accepted) or (kind is not bool and isinstance(value, bool)):
        raise SchemaError(name, noun, value)
    try:
        parsed = kind(value)
    except OverflowError:  # a whole number beyond the range of float
        parsed = math.inf
    if kind is float and not math.isfinite(parsed):
        raise SchemaError(name, "a finite number", value)
    return parsed


def _parse_key(kind: type, key: str, name: str) -> object:
    try:
        return kind(key)
    except ValueError:
        raise SchemaError(name, f"{_SIMPLE[kind][1]} as key", key) from None


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SchemaError(name or "JSON", "an object", value)
    return value
