"""Makes the models of kilobytes in tests/data, so that the runtime's tests need neither torch nor a trained
model. Run it after a change of the format: python -m tests.make_fake_model
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from export.step import build_step, serialize, set_card
from lyricgen.engine.step_model import ModelFile
from lyricgen.generator import Model
from lyricgen.golden import write_golden_song
from lyricgen.model_file.card import NO_GOLDEN_SONG, NOT_PROVED, ModelCard, Provenance
from lyricgen.model_file.shape import Shape
from lyricgen.vocabulary import Vocabulary

DATA_FOLDER = Path(__file__).parent / "data"
FAKE_MODEL_PATH = DATA_FOLDER / "fake_model.onnx"
FAKE_INT8_MODEL_PATH = DATA_FOLDER / "fake_int8_model.onnx"
FAKE_STYLED_MODEL_PATH = DATA_FOLDER / "fake_styled_model.onnx"
LAYERS, HIDDEN_SIZE = 2, 5
STYLES = ("Folk", "hymn")
SHAPES = (
    Shape("", 0.6, "verse ABAB 8,6,8,6; chorus AA 7-9"),
    Shape("", 0.25, "verse xAxA"),
    Shape("hymn", 1.0, "verse AABB 8"),
)


def fake_card(precision: str = "fp32") -> ModelCard:
    return ModelCard(
        vocabulary=Vocabulary.of("\n abcdeé'"),
        layers=LAYERS,
        hidden_size=HIDDEN_SIZE,
        precision=precision,
        suggested_temperature=0.75,
        title_line=False,
        provenance=Provenance("session_0", "random numbers", "0" * 64, "none needed", 0, "", "0.1.0"),
        tensors_sha256="",
        held_out=None,
        parity=NOT_PROVED,
        golden_song=NO_GOLDEN_SONG,
    )


def fake_styled_card() -> ModelCard:
    card = fake_card()
    return replace(
        card,
        vocabulary=Vocabulary(card.vocabulary.characters, STYLES),
        title_line=True,
        language="en",
        shapes=SHAPES,
        provenance=replace(card.provenance, base_model="session_9, trained on other numbers"),
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


def fake_styled_weights() -> dict[str, np.ndarray]:
    """Random weights, but two units never forget: folk songs prefer "a", hymns "b", and after an "é"
    (in a title, say) songs prefer "c".
    """
    card = fake_styled_card()
    weights, words = fake_weights(card, seed=5), card.vocabulary  # one that a style and a title can sway
    folk, hymn = (words.style_token(style) for style in STYLES)
    _remember(weights, 3, {words.encode("é")[0]: 1})
    _remember(weights, 4, {folk: 1, hymn: -1})
    a, b, c = (token - words.eos for token in words.encode("abc"))
    weights["output.weight"][:, [3, 4]] = 0
    weights["output.weight"][c, 3] = 5
    weights["output.weight"][[a, b], 4] = 5, -5
    return weights


def _remember(weights: dict[str, np.ndarray], unit: int, values: dict[int, float]) -> None:
    """Let a unit keep what the tokens in `values` put into it, for the rest of the song; else it is 0."""
    is_open, shut = 20, -20
    i, f, g, o = (gate * HIDDEN_SIZE + unit for gate in range(4))  # its gates' rows, in torch's order
    for name, weight in weights.items():
        if name.startswith("lstm."):
            weight[[i, f, g, o]] = 0
    weights["lstm.bias_ih_l0"][[i, f, o]] = shut, is_open, is_open  # keeps what it holds ...
    weights["lstm.weight_ih_l0"][i, list(values)] = is_open - shut  # ... and takes in these tokens alone
    weights["lstm.weight_ih_l0"][g, list(values)] = list(values.values())
    weights["lstm.bias_ih_l1"][[i, f, o]] = is_open, shut, is_open  # passes on what is below
    weights["lstm.weight_ih_l1"][g, unit] = 1


def model_bytes(weights: dict[str, np.ndarray], card: ModelCard) -> bytes:
    """A model file with these weights, and its golden song in the card."""
    step = build_step(weights, card)
    model = Model(ModelFile(Path("fake"), serialize(step)))
    song = write_golden_song(model, card.suggested_temperature)
    set_card(step, replace(model.card, golden_song=song))
    return serialize(step)


def fake_model_bytes() -> bytes:
    return model_bytes(fake_weights(fake_card()), fake_card())


def fake_int8_model_bytes() -> bytes:
    return model_bytes(fake_weights(fake_card()), fake_card("int8"))


def fake_styled_model_bytes() -> bytes:
    return model_bytes(fake_styled_weights(), fake_styled_card())


def suggesting_model_path(folder: Path, *styles: str) -> Path:
    """Write the styled model into `folder`, with a card that suggests some of its styles."""
    card, path = replace(fake_styled_card(), suggested_styles=styles), folder / "suggesting.onnx"
    path.write_bytes(model_bytes(fake_styled_weights(), card))
    return path


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
    FAKE_INT8_MODEL_PATH.write_bytes(fake_int8_model_bytes())
    FAKE_STYLED_MODEL_PATH.write_bytes(fake_styled_model_bytes())
