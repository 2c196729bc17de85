"""One model file, opened with onnxruntime: checked, with its buffers, ready to step.

The state never visits Python: two sets of state buffers are bound beforehand, one as the input and
the other as the output and the other way round, and steps use the two bindings in turn.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lyricgen import contract
from lyricgen.card import ModelCard
from lyricgen.errors import ModelFormatError, ModelNotFoundError
from lyricgen.onnx_file import check_model

# onnxruntime's wheels report usage to its makers and keep files in the home folder for that, unless
# this is set before the import. lyricgen is offline.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort


class ModelFile:
    """A checked model file. Holds the weights once, for any number of `StepModel`s on it."""

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        """Open and check `path`.

        Args:
            path: the file; only a name for errors if `content` is given.
            content: the file's bytes, where they are at hand.

        Raises:
            ModelNotFoundError: there is no such file.
            ModelFormatError: it is not a model that this version reads.
        """
        self.path = path
        content = _read(path) if content is None else content
        _check_size(path, len(content))
        try:
            self.card: ModelCard = check_model(content)
        except contract.ContractError as error:
            raise ModelFormatError(path, error.what, error.expected, error.found) from error
        self.size_bytes = len(content)
        self.ort_session = open_ort_session(path, content)


class StepModel:
    """Steps `songs` songs side by side through a model file. Not for two threads at once.

    Write token ids into `token`, call `step`, read `logits`. The arrays are the model's own buffers
    and stay the same objects.
    """

    def __init__(self, file: ModelFile, songs: int = 1) -> None:
        card = file.card
        self.file, self.songs = file, songs
        self.token: npt.NDArray[np.int64] = np.zeros(songs, np.int64)
        """(B,) the token ids that the next step reads."""
        self.logits: npt.NDArray[np.float32] = np.zeros((songs, card.vocabulary.output_size), np.float32)
        """(B, V_out) the scores that the last step computed."""
        shape = (2, 2, card.layers, songs, card.hidden_size)
        self._states: npt.NDArray[np.float32] = np.zeros(shape, np.float32)  # (set, hidden or cell, L, B, H)
        self._current = 0  # which set the next step reads
        self._bindings = [self._bind(self._states[n], self._states[1 - n]) for n in (0, 1)]

    @property
    def state(self) -> npt.NDArray[np.float32]:
        """(2, L, B, H) hidden and cell state that the next step starts from; write to it to change it."""
        current: npt.NDArray[np.float32] = self._states[self._current]
        return current

    def step(self) -> None:
        """Read `token`, advance the state, leave the scores of what comes next in `logits`."""
        self.file.ort_session.run_with_iobinding(self._bindings[self._current])
        self._current = 1 - self._current

    def reset(self) -> None:
        """Put all songs to the zero state that songs start from."""
        self.state[:] = 0.0

    def _bind(self, before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]) -> ort.IOBinding:
        binding = self.file.ort_session.io_binding()
        inputs = zip(contract.INPUTS, (self.token, before[0], before[1]), strict=True)
        outputs = zip(contract.OUTPUTS, (self.logits, after[0], after[1]), strict=True)
        for name, array in inputs:
            binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        for name, array in outputs:
            binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        return binding


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ModelNotFoundError(path)
    try:
        _check_size(path, path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise ModelFormatError(path, "cannot be read", "a readable file", error.strerror) from error


def _check_size(path: Path, size_bytes: int) -> None:
    if size_bytes > contract.MAX_FILE_BYTES:
        expected = f"at most {contract.MAX_FILE_BYTES:,} bytes"
        raise ModelFormatError(path, "file size", expected, f"{size_bytes:,} bytes")


def open_ort_session(
    path: Path,
    content: bytes,
    optimization: ort.GraphOptimizationLevel = ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
) -> ort.InferenceSession:
    """Open a graph with onnxruntime, for one thread.

    Our graphs have no node too many, so nothing is optimised: what computes is what was checked.

    Raises:
        ModelFormatError: this version of onnxruntime cannot; `path` is only a name for it.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # one song gains nothing from more
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.graph_optimization_level = optimization
    options.add_session_config_entry("session.load_model_format", "ONNX")  # it has another one, unchecked
    options.log_severity_level = 4  # what matters comes as an exception
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no base of their own
        first_line = str(error).partition("\n")[0]
        raise ModelFormatError(
            path, f"onnxruntime {ort.__version__}", "a version that opens this model", first_line
        ) from error
