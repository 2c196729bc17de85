import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lyricgen import contract, step_model
from lyricgen.errors import ModelFormatError, ModelNotFoundError
from lyricgen.step_model import ModelFile, StepModel
from tests.make_fake_model import (
    FAKE_MODEL_PATH,
    FAKE_STYLED_MODEL_PATH,
    fake_card,
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


def test_songs_side_by_side_do_not_touch_each_other(fake_model_path: Path) -> None:
    file = ModelFile(fake_model_path)
    together, alone = StepModel(file, 3), StepModel(file, 1)
    for tokens in ([0, 3, 5], [4, 4, 4], [6, 2, 7]):
        together.token[:], alone.token[:] = tokens, tokens[2]
        together.step()
        alone.step()
    np.testing.assert_allclose(together.logits[2], alone.logits[0], atol=1e-6)


def test_reset_returns_to_the_start_of_a_song(fake_model_path: Path) -> None:
    model = StepModel(ModelFile(fake_model_path))
    model.step()
    first = model.logits.copy()
    model.step()
    assert not np.array_equal(model.logits, first)
    model.reset()
    model.step()
    np.testing.assert_array_equal(model.logits, first)


def test_the_state_and_scores_stay_in_the_same_buffers(fake_model_path: Path) -> None:
    model = StepModel(ModelFile(fake_model_path))
    addresses = [model.logits.ctypes.data, *sorted((model.state.ctypes.data, model._states[1].ctypes.data))]
    for _ in range(3):
        model.step()
    assert [model.logits.ctypes.data, *sorted(part.ctypes.data for part in model._states)] == addresses


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


def test_a_model_beyond_the_size_limit_is_refused_unread(
    fake_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_model, "MAX_FILE_BYTES", 100)
    with pytest.raises(ModelFormatError, match="file size: expected at most 100 bytes, found 5"):
        ModelFile(fake_model_path)


def without_metadata(model: onnx.ModelProto) -> None:
    del model.metadata_props[:]


def with_later_format(model: onnx.ModelProto) -> None:
    next(p for p in model.metadata_props if p.key == "lyricgen.format").value = "2"


def with_renamed_output(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.output[:] = ["scores_out" if name == contract.LOGITS else name for name in node.output]
    next(o for o in model.graph.output if o.name == contract.LOGITS).name = "scores_out"


def with_short_token(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32


def with_fixed_batch(model: onnx.ModelProto) -> None:
    model.graph.input[1].type.tensor_type.shape.dim[1].dim_value = 1


def with_extra_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))


def with_one_layer_claimed(model: onnx.ModelProto) -> None:
    next(p for p in model.metadata_props if p.key == "lyricgen.layers").value = "1"


def with_short_table(model: onnx.ModelProto) -> None:
    table = next(t for t in model.graph.initializer if t.name == "table")
    table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table)[:-1], "table"))


def with_external_data(model: onnx.ModelProto) -> None:
    table = next(t for t in model.graph.initializer if t.name == "table")
    table.ClearField("raw_data")
    table.data_location = TensorProto.EXTERNAL
    table.external_data.add(key="location", value="../../etc/passwd")


@pytest.mark.parametrize(
    ("mutate", "message"),
    [
        (without_metadata, "not a lyricgen model: expected a file made with python -m export"),
        (with_later_format, "model format: expected 1 .*, found 2"),
        (with_renamed_output, "its outputs: expected logits, next_hidden, next_cell, found scores_out, "),
        (with_short_token, r"input token: expected tensor\(int64\) \(B\), found tensor\(int32\) \(B\)"),
        (with_fixed_batch, r"input hidden: expected tensor\(float\) \(2, B, 5\), found .* \(2, 1, 5\)"),
        (with_extra_input, "its inputs: expected token, hidden, cell, found token, hidden, cell, more"),
        (with_one_layer_claimed, r"input hidden: expected .* \(1, B, 5\), found .* \(2, B, 5\)"),
        (with_short_table, "a trial step: expected scores"),
        (with_external_data, "external data: expected all weights inside the file"),
    ],
)
def test_a_file_that_breaks_the_contract_is_refused(
    tmp_path: Path, mutate: Callable[[onnx.ModelProto], None], message: str
) -> None:
    model = onnx.load_from_string(fake_model_bytes())
    mutate(model)
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFormatError, match=f"{re.escape(str(path))}: .*({message})"):
        ModelFile(path)


@pytest.mark.parametrize(
    ("path", "make"),
    [(FAKE_MODEL_PATH, fake_model_bytes), (FAKE_STYLED_MODEL_PATH, fake_styled_model_bytes)],
)
def test_the_committed_fake_models_are_what_their_script_makes(path: Path, make: Callable[[], bytes]) -> None:
    committed, made = onnx.load(path), onnx.load_from_string(make())
    assert committed.graph == made.graph
    assert {p.key: p.value for p in committed.metadata_props} == {p.key: p.value for p in made.metadata_props}
