from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest

import lyricgen
from export.step import build_step, serialize
from lyricgen.engine.sampling import choose
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.errors import ModelFormatError, ModelNotFoundError
from lyricgen.generator import BUNDLED_MODEL_PATH
from lyricgen.model_file import contract
from lyricgen.vocabulary import SOS
from tests.make_fake_model import (
    FAKE_INT8_MODEL_PATH,
    FAKE_MODEL_PATH,
    FAKE_STYLED_MODEL_PATH,
    fake_card,
    fake_int8_model_bytes,
    fake_model_bytes,
    fake_styled_model_bytes,
    fake_weights,
)

Array = npt.NDArray[np.float64]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def reference_step(
    weights: dict[str, np.ndarray], token: Array, hidden: Array, cell: Array
) -> tuple[Array, ...]:
    """The LSTM's equations as in the books, torch's gate order i, f, g, o; (B,) and (L, B, H)."""
    below = np.eye(weights["lstm.weight_ih_l0"].shape[1])[token]  # (B, V), one-hot
    next_hidden, next_cell = [], []
    for layer in range(len(hidden)):
        w_ih, w_hh, b_ih, b_hh = (
            weights[f"lstm.{name}_l{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        i, f, g, o = np.split(below @ w_ih.T + b_ih + hidden[layer] @ w_hh.T + b_hh, 4, axis=1)
        next_cell.append(sigmoid(f) * cell[layer] + sigmoid(i) * np.tanh(g))
        below = sigmoid(o) * np.tanh(next_cell[-1])
        next_hidden.append(below)
    logits = below @ weights["output.weight"].T + weights["output.bias"]
    return logits, np.stack(next_hidden), np.stack(next_cell)


@pytest.mark.parametrize("songs", [1, 3])
def test_carried_steps_match_a_plain_reference(fake_model_path: Path, songs: int) -> None:
    weights = {name: weight.astype(np.float64) for name, weight in fake_weights(fake_card()).items()}
    model = StepModel(ModelFile(fake_model_path), songs)
    random = np.random.default_rng(4)
    model.state[:] = random.uniform(-1, 1, model.state.shape)
    hidden, cell = model.state.astype(np.float64)
    for _ in range(25):
        model.token[:] = random.integers(0, fake_card().vocabulary.input_size, songs)
        model.step()
        logits, hidden, cell = reference_step(weights, model.token, hidden, cell)
        np.testing.assert_allclose(model.logits, logits, atol=2e-5)
        np.testing.assert_allclose(model.state, [hidden, cell], atol=2e-5)


def whole_numbers(matrix: Array) -> tuple[Array, Array]:
    """Weights as int8 has them: whole multiples, up to 63, of each column's scale."""
    scales = np.abs(matrix).max(axis=0).astype(np.float32) / np.float32(63)
    return np.rint(matrix.astype(np.float32) / scales).astype(np.float64), scales.astype(np.float64)


def int8_product(hidden: Array, matrix: Array) -> Array:
    """The product of a hidden state in 127ths with weights in 7 bits; its sums are whole numbers."""
    whole, scales = whole_numbers(matrix)
    sums = np.rint(hidden.astype(np.float32) * np.float32(127)).astype(np.float64) @ whole
    return sums * (scales / 127)


def int8_reference_step(
    weights: dict[str, np.ndarray], token: Array, hidden: Array, cell: Array
) -> tuple[Array, ...]:
    """`reference_step` with every product of a hidden state in whole numbers."""
    below, next_hidden, next_cell = np.empty(0), [], []
    for layer in range(len(hidden)):
        w_ih, w_hh, b_ih, b_hh = (
            weights[f"lstm.{name}_l{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        if layer == 0:
            gates = w_ih.T[token] + b_ih + b_hh + int8_product(hidden[0], w_hh.T)
        else:
            both = np.concatenate([below, hidden[layer]], axis=1)
            gates = int8_product(both, np.concatenate([w_ih, w_hh], axis=1).T) + b_ih + b_hh
        i, f, g, o = np.split(gates, 4, axis=1)
        next_cell.append(sigmoid(f) * cell[layer] + sigmoid(i) * np.tanh(g))
        below = sigmoid(o) * np.tanh(next_cell[-1])
        next_hidden.append(below)
    logits = int8_product(below, weights["output.weight"].T) + weights["output.bias"]
    return logits, np.stack(next_hidden), np.stack(next_cell)


def test_int8_steps_match_a_reference_in_whole_numbers() -> None:
    """Each step from the file's own state: a value at the edge of rounding may fall to either side."""
    weights = {name: weight.astype(np.float64) for name, weight in fake_weights(fake_card()).items()}
    model = StepModel(ModelFile(FAKE_INT8_MODEL_PATH), 3)
    random = np.random.default_rng(4)
    model.state[:] = random.uniform(-1, 1, model.state.shape)
    for _ in range(25):
        hidden, cell = model.state.astype(np.float64)
        model.token[:] = random.integers(0, fake_card().vocabulary.input_size, 3)
        model.step()
        logits, hidden, cell = int8_reference_step(weights, model.token, hidden, cell)
        np.testing.assert_allclose(model.logits, logits, atol=2e-5)
        np.testing.assert_allclose(model.state, [hidden, cell], atol=2e-5)


def write_side_by_side(file: ModelFile, songs: int, length: int) -> tuple[Array, Array]:
    """Write `songs` songs in one batch; return their tokens (T, B) and all their logits (T, B, V_out)."""
    model, eos = StepModel(file, songs), file.card.vocabulary.eos
    model.token[:] = SOS
    tokens, logits = [], []
    for position in range(length):
        model.step()
        logits.append(model.logits.copy())
        for song in range(songs):
            unit = choose(model.logits[song], 0.75, 1, song, position)
            model.token[song] = unit + eos
        tokens.append(model.token.copy())
    return np.stack(tokens), np.stack(logits)


def model_of_size(hidden_size: int, precision: str) -> ModelFile:
    card = replace(fake_card(precision), hidden_size=hidden_size)
    weights = {name: weight / hidden_size**0.5 for name, weight in fake_weights(card).items()}
    return ModelFile(Path("random"), serialize(build_step(weights, card)))


def assert_bit_identical_at_1_8_and_64(file: ModelFile, length: int) -> None:
    tokens, logits = write_side_by_side(file, 64, length)
    assert len({song.tobytes() for song in tokens.T}) == 64
    for songs in (1, 8):
        same_tokens, same_logits = write_side_by_side(file, songs, length)
        np.testing.assert_array_equal(same_tokens, tokens[:, :songs])
        np.testing.assert_array_equal(same_logits, logits[:, :songs])


@pytest.mark.parametrize("precision", ["int8", "fp32"])
@pytest.mark.parametrize("hidden_size", [5, 64, 100, 512])
def test_songs_are_bit_identical_whatever_is_written_beside_them(precision: str, hidden_size: int) -> None:
    assert_bit_identical_at_1_8_and_64(model_of_size(hidden_size, precision), 40)


def test_so_are_those_of_the_bundled_model() -> None:
    assert_bit_identical_at_1_8_and_64(ModelFile(BUNDLED_MODEL_PATH), 100)


def test_songs_side_by_side_do_not_touch_each_other(fake_model_path: Path) -> None:
    file = ModelFile(fake_model_path)
    together, alone = StepModel(file, 3), StepModel(file, 1)
    for tokens in ([0, 3, 5], [4, 4, 4], [6, 2, 7]):
        together.token[:], alone.token[:] = tokens, tokens[2]
        together.step()
        alone.step()
    np.testing.assert_allclose(together.logits[2], alone.logits[0], atol=1e-6)


def test_the_state_and_scores_stay_in_the_same_buffers(fake_model_path: Path) -> None:
    model = StepModel(ModelFile(fake_model_path))
    addresses = [model.logits.ctypes.data, *sorted((model.state.ctypes.data, model.states[1].ctypes.data))]
    for _ in range(3):
        model.step()
    assert [model.logits.ctypes.data, *sorted(part.ctypes.data for part in model.states)] == addresses


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no such model file.*python -m export"):
        ModelFile(tmp_path / "none.onnx")


def test_a_folder_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        ModelFile(tmp_path)


@pytest.mark.parametrize("content", [b"", b"a text, no model", b"\x00" * 1000, b"\x08\x08" * 50])
def test_what_is_not_onnx_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError):
        ModelFile(path)


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    content = fake_model_bytes()
    path = tmp_path / "model.onnx"
    for length in range(1, len(content), 211):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFormatError):
            ModelFile(path)


def test_content_beyond_the_size_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "MAX_FILE_BYTES", 100)
    with pytest.raises(ModelFormatError, match="file size: expected at most 100 bytes, found 5"):
        ModelFile(Path("given"), fake_model_bytes())


def test_a_model_beyond_the_size_limit_is_refused_unread(
    fake_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_path: Path) -> bytes:
        raise AssertionError("read")

    monkeypatch.setattr(contract, "MAX_FILE_BYTES", 100)
    monkeypatch.setattr(Path, "read_bytes", read)
    with pytest.raises(ModelFormatError, match="file size: expected at most 100 bytes, found 5"):
        ModelFile(fake_model_path)


@pytest.mark.parametrize(
    ("path", "make"),
    [
        (FAKE_MODEL_PATH, fake_model_bytes),
        (FAKE_INT8_MODEL_PATH, fake_int8_model_bytes),
        (FAKE_STYLED_MODEL_PATH, fake_styled_model_bytes),
    ],
)
def test_the_committed_fake_models_are_what_their_script_makes(path: Path, make: Callable[[], bytes]) -> None:
    committed, made = onnx.load(path), onnx.load_from_string(make())
    assert committed.graph == made.graph
    assert {p.key: p.value for p in committed.metadata_props} == {p.key: p.value for p in made.metadata_props}


@pytest.mark.parametrize("path", ["a" * 300, "a\0b", "/dev/null/model.onnx", "no/such/model.onnx"])
def test_whatever_is_wrong_with_a_path_is_an_error_of_ours(path: str) -> None:
    with pytest.raises((ModelNotFoundError, ModelFormatError)):
        lyricgen.load(path)


def test_a_file_that_may_not_be_read_is_an_error_of_ours(
    fake_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", forbidden)  # as in a folder that is forbidden
    with pytest.raises(
        ModelFormatError, match="cannot be read: expected a readable file, found Permission den"
    ):
        lyricgen.load(fake_model_path)
