import json
import re
from dataclasses import replace

import pytest

from lyricgen.model_file import contract
from lyricgen.model_file.card import GoldenSong, HeldOut, ModelCard, Parity, Provenance, Report
from lyricgen.model_file.contract import ContractError
from lyricgen.vocabulary import Vocabulary

CARD = ModelCard(
    vocabulary=Vocabulary.of("ab\n", styles=["folk"]),
    layers=2,
    hidden_size=128,
    precision="int8",
    suggested_temperature=0.75,
    title_line=False,
    tensors_sha256="ef" * 32,
    provenance=Provenance("session_3", "songs.csv", "ab" * 32, "public domain", 1000, "session_0", "0.1.0"),
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


EVERY_KEY = [*CARD.to_json(), *(f"{part}.{key}" for part in PARTS for key in CARD.to_json()[part])]


@pytest.mark.parametrize("path", EVERY_KEY)
def test_every_property_is_required(path: str) -> None:
    with pytest.raises(ContractError, match=re.escape(f"expected lyricgen.{path} ")):
        ModelCard.from_properties(changed(path, ...))


@pytest.mark.parametrize("path", ["more", *(f"{part}.more" for part in PARTS)])
def test_an_unknown_property_is_refused(path: str) -> None:
    with pytest.raises(ContractError, match=re.escape(f"expected no lyricgen.{path}")):
        ModelCard.from_properties(changed(path, 1))


def test_properties_of_others_are_none_of_our_business() -> None:
    assert ModelCard.from_properties(CARD.to_properties() | {"author": "not { JSON"}) == CARD


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("format", "1"),
        ("characters", "ab"),
        ("characters", ["b", "a"]),
        ("characters", ["a"] * 70_000),
        ("characters", [1, 2]),
        ("styles", None),
        ("styles", [""]),
        ("styles", [" "]),
        ("styles", ["folk\n"]),
        ("styles", ["folk\u2028rock"]),
        ("styles", ["\x1b[31mfolk"]),
        ("styles", ["\ud800"]),
        ("styles", ["x" * 101]),
        ("styles", ["folk", "folk"]),
        ("sos", 1),
        ("eos", 1),
        ("layers", 0),
        ("layers", True),
        ("layers", 10**9),
        ("hidden_size", -1),
        ("hidden_size", 1.5),
        ("precision", 32),
        ("precision", "int2"),
        ("suggested_temperature", 10**400),
        ("suggested_temperature", 1e9),
        ("characters", ["\x1b"]),
        ("characters", ["\ud800"]),
        ("eos", 2.0),
        ("sos", False),
        ("suggested_temperature", -1),
        ("suggested_temperature", "hot"),
        ("title_line", 1),
        ("provenance", []),
        ("provenance.training_characters", -5),
        ("provenance.base_model", None),
        ("held_out", 1),
        ("held_out.bits_per_character", -0.1),
        ("held_out.bits_per_character", None),
        ("held_out.symbols", 0),
        ("parity", None),
        ("parity.kl_divergence", float("nan")),
        ("parity.argmax_agreement", 1.5),
        ("golden_song.seed", 2**64),
        ("golden_song.max_length", 0),
        ("golden_song.max_length", 10_001),
        ("golden_song.sha256", "ab"),
        ("tensors_sha256", "AB" * 32),
        ("held_out.coverage", 1.1),
        ("report", []),
        ("report.songs", 0),
        ("report.seed", -1),
        ("report.ended", 1.1),
        ("report.median_characters", -1),
        ("report.known_words", 2),
        ("report.rhymes", 1.5),
        ("report.rhymes_by_chance", -0.5),
        ("report.copied_lines", 7),
        ("report.longest_copied_span", 0.5),
        ("about", "a" * 10_001),
        ("provenance.corpus_licence", "a" * 10_001),
        ("golden_song.temperature", float("inf")),
    ],
)
def test_a_wrong_value_is_named(key: str, value: object) -> None:
    with pytest.raises(ContractError) as caught:
        ModelCard.from_properties(changed(key, value))
    assert key in caught.value.what.replace("model format", "format")


def test_a_value_that_is_not_json_is_named() -> None:
    with pytest.raises(ContractError, match=r"lyricgen\.layers: expected JSON, found two"):
        ModelCard.from_properties(CARD.to_properties() | {"lyricgen.layers": "two"})


def test_a_value_beyond_the_limit_is_not_parsed() -> None:
    for name, limit in (("characters", 2**20), ("styles", 2**16)):
        with pytest.raises(ContractError, match=f"at most {limit:,} characters, found {limit + 1:,}"):
            ModelCard.from_properties(CARD.to_properties() | {f"lyricgen.{name}": "[" * (limit + 1)})


def test_each_value_of_a_report_stands_in_its_place() -> None:
    read = ModelCard.from_properties(CARD.to_properties()).report
    assert read == CARD.report
    assert len(set(vars(CARD.report).values())) == len(vars(CARD.report))


@pytest.mark.parametrize("depth", [2, 100, 5_000, 9_000, 30_000])
@pytest.mark.parametrize("opening", ["[", '{"a":', '["\\"",{"]":'])
def test_what_nests_is_refused_unparsed(depth: int, opening: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("parsed")

    properties = CARD.to_properties()
    text = (opening * depth)[: 2**16]
    monkeypatch.setattr("lyricgen.model_file.card.json.loads", parse)
    with pytest.raises(ContractError, match=r"lyricgen\.format: expected JSON with nothing nested"):
        ModelCard.from_properties(properties | {"lyricgen.format": text})


def test_brackets_in_strings_do_not_nest() -> None:
    card = replace(CARD, vocabulary=Vocabulary.of('[]{}"\\'), about='[[["\\"{{{')
    assert ModelCard.from_properties(card.to_properties()) == card


def test_a_key_that_is_there_twice_is_refused() -> None:
    text = CARD.to_properties()["lyricgen.parity"].replace("{", '{"steps": 1, ')
    with pytest.raises(ContractError, match=r"lyricgen\.parity: expected JSON"):
        ModelCard.from_properties(CARD.to_properties() | {"lyricgen.parity": text})


def test_what_a_terminal_would_obey_is_escaped_in_messages() -> None:
    with pytest.raises(ContractError) as caught:
        ModelCard.from_properties(changed("precision", "\x1b[2J\nint8"))
    assert str(caught.value) == "lyricgen.precision: expected int8 or fp32, found \\x1b[2J\\nint8"
