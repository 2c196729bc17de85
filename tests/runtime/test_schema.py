"""Values from outside become dataclasses, or the error says which one does not fit."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from lyricgen.schema import AnyFloat, MaxLength, Pattern, Range, SchemaError, from_json, parse


@dataclass(frozen=True)
class Inner:
    share: Annotated[float, Range(0, 1)]


@dataclass(frozen=True)
class Outer:
    count: Annotated[int, Range(1, 9)]
    inner: Inner | None
    names: tuple[str, ...] = ()
    rows: dict[float, Inner] = field(default_factory=dict)


def test_json_becomes_dataclasses() -> None:
    facts = {"count": 3, "inner": {"share": 1}, "names": ["a"], "rows": {"0.5": {"share": 0.25}}}
    found = from_json(Outer, facts)
    assert found == Outer(3, Inner(1.0), ("a",), {0.5: Inner(0.25)})
    assert type(found.inner and found.inner.share) is float
    assert from_json(Outer, {"count": 1, "inner": None}) == Outer(1, None)  # others have defaults


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ([], r"JSON: expected an object"),
        ({"count": 1}, r"inner: expected a value, found None"),
        ({"count": 1, "inner": None, "more": 2}, r"more: expected no such key, found 2"),
        ({"count": 0, "inner": None}, r"count: expected a whole number from 1 to 9, found 0"),
        ({"count": True, "inner": None}, r"count: expected a whole number from 1 to 9, found True"),
        ({"count": 1.0, "inner": None}, r"count: expected a whole number"),
        (
            {"count": 1, "inner": {"share": float("nan")}},
            r"inner\.share: expected a finite number from 0 to 1",
        ),
        ({"count": 1, "inner": {"share": 10**400}}, r"inner\.share: expected a finite number from 0 to 1"),
        ({"count": 1, "inner": {"share": "1"}}, r"inner\.share: expected a number from 0 to 1, found '1'"),
        ({"count": 1, "inner": 5}, r"inner: expected an object"),
        ({"count": 1, "inner": None, "names": "ab"}, r"names: expected a list"),
        ({"count": 1, "inner": None, "names": [1]}, r"names: expected text, found 1"),
        ({"count": 1, "inner": None, "rows": {"warm": {}}}, r"rows: expected a number as key, found 'warm'"),
    ],
)
def test_what_does_not_fit_is_named(facts: object, problem: str) -> None:
    with pytest.raises(SchemaError, match=f"^{problem}"):
        from_json(Outer, facts)


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (Annotated[float, Range(0, 1, above_low=True)], 0, "a number above 0, up to 1"),
        (Annotated[int, Range(1)], 0, "a whole number at least 1"),
        (Annotated[str, MaxLength(2)], "abc", "text of length 2 at most"),
        (Annotated[tuple[str, ...], MaxLength(1)], ["a", "b"], "a list of length 1 at most"),
        (Annotated[str, Pattern("[0-9a-f]{4}", "4 hexadecimal digits")], "12", "4 hexadecimal digits"),
        (Literal["int8", "fp32"], "int4", "int8 or fp32"),
        (bool, 1, "True or False"),
        (Annotated[float | None, Range(0, 1)], 2, "a number from 0 to 1"),
        (AnyFloat, "1", "a number"),
    ],
)
def test_constraints_say_what_they_allow(annotation: object, value: object, expected: str) -> None:
    with pytest.raises(SchemaError) as caught:
        parse(annotation, value, "it")
    assert (caught.value.name, caught.value.expected, caught.value.found) == ("it", expected, value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [(Annotated[float | None, Range(0, 1)], None), *((AnyFloat, x) for x in (math.nan, math.inf, 1.0, 2.5))],
)
def test_none_nan_and_infinity_fit_where_they_may_stand(annotation: object, value: float | None) -> None:
    assert repr(parse(annotation, value, "it")) == repr(value)
