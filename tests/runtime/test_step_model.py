from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import numpy.typing as npt
import onnx
import pytest

import lyricgen
from export.step import build_step, serialize
from lyricgen.engine.sampling import choose
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.errors import ModelFormatError, ModelNotFoundError
from lyricgen.model_file import contract
from lyricgen.vocabulary import SOS
from tests import make_fake_model as fake
from tests.make_fake_model import FAKE_INT8_MODEL_PATH, FAKE_MODEL_PATH, fake_card, fake_weights

Array = npt.NDArray[np.float64]
Tokens = npt.NDArray[np.integer]
Product = Callable[..., Array]


def int8_product(state: Array, matrix: Array) -> Array:
    """The product of a hidden state in 127ths with weights in 7 bits and a scale for each column."""
    scales = np.abs(matrix).max(axis=0).astype(np.float32) / np.float32(63)
    whole = np.rint(matrix.astype(np.float32) / scales).astype(np.float64)
    sums = np.rint(state.astype(np.float32) * np.float32(127)).astype(np.float64) @ whole
    return np.asarray(sums * (scales.astype(np.float64) / 127))


def reference_step(
    weights: dict[str, Array], token: Tokens, hidden: Array, cell: Array, multiply: Product = np.matmul
) -> tuple[Array, ...]:
    """The LSTM's equations as in the books, torch's gate order i, f, g, o; (B,) and (L, B, H)."""
    next_hidden: list[Array] = []
    next_cell: list[Array] = []
    for layer in range(len(hidden)):
        w_ih, w_hh, b_ih, b_hh = (
            weights[f"lstm.{name}_l{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        if layer == 0:  # a one-hot input looks a column up
            gates = w_ih.T[token] + multiply(hidden[0], w_hh.T)
        else:
            both = np.concatenate([next_hidden[-1], hidden[layer]], axis=1)
            gates = multiply(both, np.concatenate([w_ih, w_hh], axis=1).T)
        i, f, g, o = np.split(gates + b_ih + b_hh, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-inputs)) for inputs in (i, f, o))
        next_cell.append(f * cell[layer] + i * np.tanh(g))
        next_hidden.append(o * np.tanh(next_cell[-1]))
    logits = multiply(next_hidden[-1], weights["output.weight"].T) + weights["output.bias"]
    return logits, np.stack(next_hidden), np.stack(next_cell)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize(
    ("path", "multiply"), [(FAKE_MODEL_PATH, np.matmul), (FAKE_INT8_MODEL_PATH, int8_product)]
)
def test_steps_match_a_plain_reference(path: Path, multiply: Product, size: int) -> None:
    """Each step from the file's own state: in int8, a value at the edge may be rounded either way."""
    weights = {name: weight.astype(np.float64) for name, weight in fake_weights(fake_card()).items()}
    model = StepModel(ModelFile(path), size)
    random = np.random.default_rng(4)
    model.state[:] = random.uniform(-1, 1, model.state.shape)
    for _ in range(25):
        hidden, cell = model.state.astype(np.float64)
        model.token[:] = random.integers(0, fake_card().vocabulary.input_size, size)
        model.step()
        logits, hidden, cell = reference_step(weights, model.token, hidden, cell, multiply)
        np.testing.assert_allclose(model.logits, logits, atol=2e-5)
        np.testing.assert_allclose(model.state, [hidden, cell], atol=2e-5)


def write_side_by_side(file: ModelFile, size: int, length: int) -> tuple[Array, Array]:
    """Write songs in one batch; return their tokens (T, B) and all their logits (T, B, V_out)."""
    model, eos = StepModel(file, size), file.card.vocabulary.eos
    model.token[:] = SOS
    tokens, logits = [], []
    for position in range(length):
        model.step()
        logits.append(model.logits.copy())
        model.token[:] = [eos + choose(model.logits[n], 0.75, 1, n, position) for n in range(size)]
        tokens.append(model.token.copy())
    return np.stack(tokens), np.stack(logits)


@pytest.mark.parametrize("precision", ["int8", "fp32"])
@pytest.mark.parametrize("hidden_size", [5, 64, 100, 512])
def test_songs_are_bit_identical_whatever_is_written_beside_them(precision: str, hidden_size: int) -> None:
    card = replace(fake_card(precision), hidden_size=hidden_size)
    weights = {name: weight / hidden_size**0.5 for name, weight in fake_weights(card).items()}
    file = ModelFile(Path("random"), serialize(build_step(weights, card)))
    tokens, logits = write_side_by_side(file, 64, 40)
    assert len({song.tobytes() for song in tokens.T}) == 64
    for size in (1, 8):
        same_tokens, same_logits = write_side_by_side(file, size, 40)
        np.testing.assert_array_equal(same_tokens, tokens[:, :size])
        np.testing.assert_array_equal(same_logits, logits[:, :size])


def test_the_state_and_logits_stay_in_the_same_buffers(fake_model_path: Path) -> None:
    model = StepModel(ModelFile(fake_model_path))
    addresses = [model.logits.ctypes.data, *sorted((model.state.ctypes.data, model.states[1].ctypes.data))]
    for _ in range(3):
        model.step()
    assert [model.logits.ctypes.data, *sorted(part.ctypes.data for part in model.states)] == addresses


def test_a_model_beyond_the_size_limit_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    content = FAKE_MODEL_PATH.read_bytes()
    monkeypatch.setattr(contract, "MAX_FILE_BYTES", 100)
    monkeypatch.setattr(Path, "read_bytes", lambda _path: pytest.fail("it was read"))
    for given in (content, None):
        with pytest.raises(ModelFormatError, match="file size: expected at most 100 bytes, found 5"):
            ModelFile(FAKE_MODEL_PATH, given)


@pytest.mark.parametrize(
    ("path", "make"),
    [
        (FAKE_MODEL_PATH, fake.fake_model_bytes),
        (FAKE_INT8_MODEL_PATH, fake.fake_int8_model_bytes),
        (fake.FAKE_STYLED_MODEL_PATH, fake.fake_styled_model_bytes),
    ],
)
def test_the_committed_fake_models_are_what_their_script_makes(path: Path, make: Callable[[], bytes]) -> None:
    committed, made = onnx.load(path), onnx.load_from_string(make())
    assert committed.graph == made.graph
    assert {p.key: p.value for p in committed.metadata_props} == {p.key: p.value for p in made.metadata_props}


@pytest.mark.parametrize("path", ["a" * 300, "a\0b", "/dev/null/model.onnx", "no/such/model.onnx", "/"])
def test_whatever_is_wrong_with_a_path_is_an_error_of_ours(path: str) -> None:
    said = "no such model file.*python -m export|cannot be read|is a folder"
    with pytest.raises((ModelNotFoundError, ModelFormatError), match=said):
        lyricgen.load(path)


def test_a_file_that_may_not_be_read_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "stat", Mock(side_effect=PermissionError(13, "denied")))  # so is its folder
    with pytest.raises(ModelFormatError, match="cannot be read: expected a readable file, found denied"):
        lyricgen.load(FAKE_MODEL_PATH)
