"""Networks with random weights, where only the speed counts."""

from __future__ import annotations

from dataclasses import replace

import lyricgen
from lyricgen.model_file import contract
from lyricgen.vocabulary import Vocabulary
from train.config import ModelConfig
from train.model import CharLSTM


def random_network(hidden_size: int, characters: int) -> tuple[lyricgen.ModelCard, CharLSTM]:
    """Return a network of two layers in fp32 as training begins with, and its card."""
    vocabulary = Vocabulary(tuple(map(chr, range(ord("Ā"), ord("Ā") + characters))))
    bundled = lyricgen.load().card
    card = replace(bundled, vocabulary=vocabulary, layers=2, hidden_size=hidden_size, precision=contract.FP32)
    card = replace(card, suggested_form="free", suggested_styles=(), shapes=(), rhymes=())
    model = CharLSTM(vocabulary.input_size, vocabulary.output_size, ModelConfig(2, hidden_size))
    return card, model.eval()
