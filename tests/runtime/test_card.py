import json
import time
from dataclasses import replace

import pytest

from lyricgen.model_file import contract
from lyricgen.model_file.card import GoldenSong, HeldOut, ModelCard, Parity, Report
from lyricgen.model_file.contract import ContractError
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
)
PARTS = ("provenance", "held_out", "parity", "golden_song", "report")


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
    "path", [*CARD.to_json(), *(f"{part}.{key}" for part in PARTS for key in CARD.to_json()[part])]
)
def test_every_property_is_required(path: str) -> None:
    with pytest.raises(ContractError, match=rf"lyricgen\.{path}\b.*found [nN]one"):
        ModelCard.from_properties(changed(path, ...))


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
    "format": [2, "1"],
    "characters": ["ab", ["b", "a"], ["a"] * 70_000, [1, 2], ["\x1b"], ["\ud800"]],
    "styles": [None, ["folk\n"], ["folk", "folk"]],
    "sos": [1, False],
    "eos": [1, 3.0],
    "layers": [0, True, 10**9, "a" * 10_000],
    "hidden_size": [-1, 1.5],
    "precision": [32, "int2", "a" * 9_000],
    "suggested_temperature": [10**400, 1e9, -1, "hot"],
    "title_line": [1],
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
    card = replace(CARD, vocabulary=Vocabulary.of('[]{}"\\'), about='[[["\\"{{{')
    assert ModelCard.from_properties(card.to_properties()) == card


def test_what_a_terminal_would_obey_is_escaped_in_messages() -> None:
    with pytest.raises(ContractError) as caught:
        ModelCard.from_properties(changed("precision", "\x1b[2J\nint8"))
    assert str(caught.value) == "lyricgen.precision: expected int8 or fp32, found \\x1b[2J\\nint8"
