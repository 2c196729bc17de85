import json
import time
from dataclasses import replace

import pytest

from lyricgen.model_file import contract
from lyricgen.model_file.card import GoldenSong, HeldOut, ModelCard, Parity, Report
from lyricgen.model_file.contract import ContractError
from lyricgen.model_file.shape import Shape
from lyricgen.song.form import read_form
from lyricgen.vocabulary import Vocabulary
from tests.make_fake_model import fake_styled_card

CARD = replace(
    fake_styled_card(),
    tensors_sha256="ef" * 32,
    held_out=HeldOut("session_3, held out", 500, 1.0, 1.91, 1.9, 1.9, 1.91),
    parity=Parity(1000, 1e-1, 2e-1, 3e-3, 0.97),
    golden_song=GoldenSong(0, 0.75, 2000, 812, "cd" * 32),
    report=Report(100, 1, 0.98, 1028.5, 0.97, 0.05, 0.04, 0.001, 45),
    about="A model of songs.",
    rhymes=("day may", "I sky why"),
)
PARTS = ("provenance", "held_out", "parity", "golden_song", "report")
OPTIONAL = ("suggested_styles", "known_lines")


def changed(path: str, value: object) -> dict[str, str]:
    """The card's properties with another value at "key" or "part.key"; without it if that is ...."""
    part, _, key = path.rpartition(".")
    values = CARD.to_json()
    target = values[part] if part else values
    if value is ...:
        del target[key]
    else:
        target[key] = value
    return {contract.KEY_PREFIX + name: json.dumps(entry) for name, entry in values.items()}


@pytest.mark.parametrize("held_out", [CARD.held_out, None])
def test_a_card_survives_the_file(held_out: HeldOut | None) -> None:
    card = replace(CARD, held_out=held_out)
    assert ModelCard.from_properties(card.to_properties()) == card


@pytest.mark.parametrize(
    "path",
    [
        *(key for key in CARD.to_json() if key not in OPTIONAL),
        *(f"{part}.{key}" for part in PARTS for key in CARD.to_json()[part]),
    ],
)
def test_every_property_is_required(path: str) -> None:
    with pytest.raises(ContractError, match=rf"lyricgen\.{path}\b.*found [nN]one"):
        ModelCard.from_properties(changed(path, ...))


def test_suggested_styles_and_known_lines_stand_in_the_file_if_there_are_some() -> None:
    """So files that were made before there were such are reproduced byte for byte."""
    card = replace(CARD, suggested_styles=CARD.vocabulary.styles, known_lines="5:AAAA")
    assert ModelCard.from_properties(card.to_properties()) == card
    assert not CARD.to_properties().keys() & {f"lyricgen.{key}" for key in OPTIONAL}


@pytest.mark.parametrize("path", ["more", "vocabulary", *(f"{part}.more" for part in PARTS)])
def test_an_unknown_property_is_refused(path: str) -> None:
    with pytest.raises(ContractError, match=rf"\bno .*|lyricgen\.{path}: expected no such key"):
        ModelCard.from_properties(changed(path, 1))


FIELDS = {f"{part}.{key}": value for part in PARTS for key, value in CARD.to_json()[part].items()}
TEXTS = [path for path, value in FIELDS.items() if isinstance(value, str)]
NUMBERS = [path for path in FIELDS if path not in TEXTS]
SHARES = ["held_out.coverage", "parity.argmax_agreement", "report.ended", "report.known_words"]
SHARES += ["report.rhymes", "report.rhymes_by_chance", "report.copied_lines"]
WRONG_VALUES: dict[str, list[object]] = {
    "format": [3, 0, "2"],
    "characters": ["ab", ["b", "a"], ["a"] * 70_000, [1, 2], ["\x1b"], ["\ud800"]],
    "styles": [None, ["folk\n"], ["folk", "folk"]],
    "sos": [1, False],
    "eos": [1, 3.0],
    "layers": [0, True, 10**9, "a" * 10_000],
    "hidden_size": [-1, 1.5],
    "precision": [32, "int2", "a" * 9_000],
    "suggested_temperature": [10**400, 1e9, -1, "hot"],
    "title_line": [1],
    "language": ["de", "", None, 1],
    "suggested_form": ["hymn", None],
    "suggested_styles": ["Folk", ["folk"], ["Folk"] * 33, [None]],
    "known_lines": [1, None, "AAAA", "5:A A", "5:AA===", "-1:AAAA", "5:" + "A" * (2**24 - 1)],
    "shapes": [
        *("0.5 verse AABB", None, [1], ["verse AABB"], ["0 verse AABB"], ["1.1 verse AABB"], ["0.5 verse"]),
        *(["0.5 verse ABAB 8,6"], ["0.5 verse AA 9-8"], ["0.5 verse AA 0"], ["0.5 verse AA 31"]),
        *(["0.5 verse AABB | opera"], ["0.5 verse AABB |"], ["0.5 verse AABB\n"], ["0.٥ verse AABB"]),
        *(
            ["0.5 hymn"],
            ["0.5 verse; verse AA"],
            ["0.5 verse AA 8 8"],
            ["0.5 \x1b[2J"],
            ["0.5 verse AA"] * 5000,
        ),
    ],
    "rhymes": [
        *("day may", None, [1], ["day"], ["day  may"], ["day may "], ["day\nmay too"], [f"{'a' * 101} may"]),
        ["day may"] * 10_001,
    ],
    "tensors_sha256": ["AB" * 32],
    "about": ["a" * 10_001],
    **{path: [[], 1] for path in PARTS},
    **{path: ["a" * 10_001, 1, None] for path in TEXTS},
    **{path: [-1, float("nan"), float("inf"), "1", None] for path in NUMBERS},
    **{path: [-0.1, 1.1, None] for path in SHARES},
    "held_out.symbols": [0],
    "golden_song.seed": [2**64],
    "golden_song.max_length": [0, 10_001],
    "golden_song.sha256": ["ab"],
    "report.songs": [0],
    "report.longest_copied_span": [0.5],
}


def older_properties() -> dict[str, str]:
    """Those of a file of format 1."""
    properties = CARD.to_properties() | {"lyricgen.format": "1"}
    return {name: text for name, text in properties.items() if name.partition(".")[2] not in NEW}


NEW = ("language", "suggested_form", "shapes", "rhymes", *OPTIONAL)


def test_a_card_of_format_1_has_neither_shapes_nor_rhymes() -> None:
    card = ModelCard.from_properties(older_properties())
    assert card == replace(CARD, language="spelling", suggested_form="free", shapes=(), rhymes=())


@pytest.mark.parametrize("key", NEW)
def test_a_card_of_format_1_with_a_property_of_format_2_is_refused(key: str) -> None:
    value = json.dumps(CARD.to_json()[key])
    with pytest.raises(ContractError, match=f"no lyricgen.{key}"):
        ModelCard.from_properties(older_properties() | {f"lyricgen.{key}": value})


@pytest.mark.parametrize(
    "text",
    [
        "0.21 verse ABAB 8,6,8,6; chorus AABB 7-9 | hymn",
        "1.0 verse xAxA",
        "0.0001 chorus AAB 9 | R | B; rock ",
        "0.5 verse AA 10,9-11; bridge x 30",
    ],
)
def test_a_shape_is_read_as_it_is_written_and_its_form_makes_sense(text: str) -> None:
    shape = Shape.of(text)
    assert str(shape) == text
    assert len(read_form(shape.form).sections) == shape.form.count(";") + 1


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in WRONG_VALUES.items() for value in values]
)
def test_a_wrong_value_is_named(key: str, value: object) -> None:
    with pytest.raises(ContractError) as caught:
        ModelCard.from_properties(changed(key, value))
    assert key in caught.value.what.replace("model format", "format")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("layers", "two", "JSON"),
        ("layers", "1" * 10_000, "JSON"),
        ("characters", '["' + '\\"' * 5 * 10**5, "JSON"),
        ("layers", "1" * 10**6, "at most 65,536 characters"),
        ("characters", "[" * (2**20 + 1), "at most 1,048,576 characters"),
        ("styles", "[" * (2**16 + 1), "at most 65,536 characters"),
        ("parity", '{"steps": 1, "steps": 1}', "JSON"),
        ("format", "[[", "nothing nested"),
        ("eos", "[" * 2**16, "nothing nested"),
        ("provenance", "[" * 2**15 + "]" * 2**15, "nothing nested"),
        ("format", '{"a":' * 9_000, "nothing nested"),
        ("format", '["\\"",{"]":' * 5_000, "nothing nested"),
    ],
)
def test_what_is_no_flat_and_short_json_is_quickly_refused(name: str, text: str, expected: str) -> None:
    start = time.process_time()
    with pytest.raises(ContractError, match=rf"lyricgen\.{name}: expected .*{expected}") as caught:
        ModelCard.from_properties(CARD.to_properties() | {f"lyricgen.{name}": text})
    assert time.process_time() - start < 5
    assert len(str(caught.value)) < 200


def test_brackets_in_strings_do_not_nest() -> None:
    card = replace(CARD, vocabulary=Vocabulary.of('[]{}"\\'), about='[[["\\"{{{', shapes=())
    assert ModelCard.from_properties(card.to_properties()) == card


def test_what_a_terminal_would_obey_is_escaped_in_messages() -> None:
    with pytest.raises(ContractError) as caught:
        ModelCard.from_properties(changed("precision", "\x1b[2J\nint8"))
    assert str(caught.value) == "lyricgen.precision: expected int8 or fp32, found \\x1b[2J\\nint8"
