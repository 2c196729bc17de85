"""Makes tests/data/fake_model.onnx: a model of kilobytes with random weights, so that the runtime's
tests need neither torch nor a trained model. Run it after a change of the format:

    python -m tests.make_fake_model
"""

from pathlib import Path

import numpy as np

from export.step import build_step, serialize
from lyricgen.contract import ModelCard, Provenance, Quality
from lyricgen.vocabulary import Vocabulary

FAKE_MODEL_PATH = Path(__file__).parent / "data" / "fake_model.onnx"
LAYERS, HIDDEN_SIZE = 2, 5


def fake_card() -> ModelCard:
    return ModelCard(
        vocabulary=Vocabulary.of("\n abcdeé'"),
        layers=LAYERS,
        hidden_size=HIDDEN_SIZE,
        precision="fp32",
        suggested_temperature=0.75,
        title_line=False,
        provenance=Provenance("session_0", "random numbers", "0" * 64, "none needed", 0, "0.1.0"),
        quality=Quality(None, 0, 0.0, 0.0, 0),
    )


def fake_weights(card: ModelCard, seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights under the names of a CharLSTM, big enough for visibly different scores."""
    random = np.random.default_rng(seed)
    size, words = card.hidden_size, card.vocabulary
    shapes = {"output.weight": (words.output_size, size), "output.bias": (words.output_size,)}
    for layer in range(card.layers):
        below = words.input_size if layer == 0 else size
        shapes[f"lstm.weight_ih_l{layer}"] = (4 * size, below)
        shapes[f"lstm.weight_hh_l{layer}"] = (4 * size, size)
        shapes[f"lstm.bias_ih_l{layer}"] = shapes[f"lstm.bias_hh_l{layer}"] = (4 * size,)
    weights = {name: random.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    weights["output.bias"][:2] += (-1, 2)  # EOS and line ends: songs of about a hundred characters in lines
    return weights


def fake_model_bytes() -> bytes:
    return serialize(build_step(fake_weights(fake_card()), fake_card()))


def biased_model_path(folder: Path, biases: list[float]) -> Path:
    """Write a fake model into `folder` whose scores are `biases` whatever it has read."""
    weights = fake_weights(fake_card())
    weights["output.weight"][:] = 0
    weights["output.bias"][:] = biases
    path = folder / "biased.onnx"
    path.write_bytes(serialize(build_step(weights, fake_card())))
    return path


def biases(**scores: float) -> list[float]:
    """Scores for "EOS", "newline" and characters by name, -30 for all others."""
    units = ["EOS", *fake_card().vocabulary.characters]
    return [scores.get({"\n": "newline"}.get(unit, unit), -30.0) for unit in units]


if __name__ == "__main__":
    FAKE_MODEL_PATH.write_bytes(fake_model_bytes())
    print(f"{FAKE_MODEL_PATH}: {FAKE_MODEL_PATH.stat().st_size} bytes")
