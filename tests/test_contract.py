import json
from dataclasses import replace

import pytest

from lyricgen import contract
from lyricgen.contract import ContractError, ModelCard, Provenance, Quality
from lyricgen.vocabulary import Vocabulary

CARD = ModelCard(
    vocabulary=Vocabulary.of("ab\n", styles=["folk"]),
    layers=2,
    hidden_size=128,
    precision="fp32",
    suggested_temperature=0.75,
    title_line=False,
    provenance=Provenance("session_3", "songs.csv", "ab" * 32, "public domain", 1000, "session_0", "0.1.0"),
    quality=Quality(1.9, 500, 1e-6, 2e-6, 200),
)


@pytest.mark.parametrize("bits", [1.9, None])
def test_a_card_survives_the_file(bits: float | None) -> None:
    card = replace(CARD, quality=replace(CARD.quality, held_out_bits_per_character=bits))
    assert ModelCard.from_properties(card.to_properties()) == card


@pytest.mark.parametrize("key", sorted(CARD.to_properties()))
def test_every_property_is_required(key: str) -> None:
    properties = CARD.to_properties()
    del properties[key]
    with pytest.raises(ContractError, match=key):
        ModelCard.from_properties(properties)


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
        ("held_out_bits_per_character", -0.1),
        ("training_characters", -5),
        ("base_model", None),
        ("parity_logits", float("nan")),
    ],
)
def test_a_wrong_value_is_named(key: str, value: object) -> None:
    properties = CARD.to_properties() | {contract.KEY_PREFIX + key: json.dumps(value)}
    with pytest.raises(ContractError) as caught:
        ModelCard.from_properties(properties)
    assert key in caught.value.what.replace("model format", "format")


def test_a_value_that_is_not_json_is_named() -> None:
    with pytest.raises(ContractError, match=r"lyricgen\.layers: expected JSON, found two"):
        ModelCard.from_properties(CARD.to_properties() | {"lyricgen.layers": "two"})
