"""Networks with random weights, where only the speed counts."""

from __future__ import annotations

from lyricgen.model_file import contract
from lyricgen.model_file.card import NO_GOLDEN_SONG, NOT_PROVED, ModelCard, Provenance
from lyricgen.vocabulary import Vocabulary
from train.config import ModelConfig
from train.model import CharLSTM


def random_card(hidden_size: int, characters: int) -> ModelCard:
    """Return the card of a network of two layers in fp32."""
    return ModelCard(
        vocabulary=Vocabulary(tuple(map(chr, range(ord("Ā"), ord("Ā") + characters)))),
        layers=2,
        hidden_size=hidden_size,
        precision=contract.FP32,
        suggested_temperature=1.0,
        title_line=False,
        tensors_sha256="",
        provenance=Provenance("none", "none", "0" * 64, "", 0, "", ""),
        held_out=None,
        parity=NOT_PROVED,
        golden_song=NO_GOLDEN_SONG,
    )


def random_network(card: ModelCard) -> CharLSTM:
    """Return a network as training begins with."""
    config = ModelConfig(card.layers, card.hidden_size)
    return CharLSTM(card.vocabulary.input_size, card.vocabulary.output_size, config).eval()
