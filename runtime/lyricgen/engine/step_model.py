"""A model file, checked and opened with onnxruntime, and steps of songs through it.

The state is never copied: there are two sets of state buffers and two bindings, which steps use in turn. One
reads the first set and fills the second, the other does the reverse.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import numpy as np

from lyricgen.engine import ort_c_api
from lyricgen.engine.ort_c_api import OrtCSession
from lyricgen.engine.ort_python_api import OrtPythonSession
from lyricgen.engine.record import Floats32, Integers
from lyricgen.errors import ModelFormatError, ModelNotFoundError, OrtError
from lyricgen.model_file import contract
from lyricgen.model_file.card import ModelCard
from lyricgen.model_file.fingerprints import unpack
from lyricgen.model_file.onnx_file import check_model


class ModelFile:
    """A checked model file. Holds the weights once, for any number of `StepModel`s on it.

    Args:
        path: the file; only a name for errors if its bytes are known already, as `content`.
        through_python: whether to run it by onnxruntime's Python module; None: only if its C library is not
            found. The logits are the same to the last bit.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelFormatError: it is not a model that this version reads.
    """

    def __init__(
        self, path: Path, content: bytes | None = None, *, through_python: bool | None = None
    ) -> None:
        self.path = path
        content = _read(path) if content is None else content
        _check_size(path, len(content))
        try:
            self.card: ModelCard = check_model(content)
            _check_known_lines(self.card)
        except contract.ContractError as error:
            raise ModelFormatError(path, error.what, error.expected, error.found) from error
        self.size_bytes = len(content)
        if through_python is None:
            through_python = ort_c_api.unavailable() is not None
        open_session = OrtPythonSession if through_python else OrtCSession
        try:
            self.ort_session: OrtPythonSession | OrtCSession = open_session(content)
        except OrtError as error:
            expected = "a version of onnxruntime that opens this model"
            raise ModelFormatError(path, "onnxruntime", expected, error) from error


class StepModel:
    """Steps a batch of songs through a model file. Not for two threads at once.

    Write token ids into `token`, call `step`, read `logits`. The arrays are the model's own buffers
    and stay the same objects. The state is zero at first, as at the start of a song.
    """

    def __init__(self, file: ModelFile, size: int = 1) -> None:
        card = file.card
        self.file = file
        self.token: Integers = np.zeros(size, np.int64)
        """(B,) int64: the token ids that the next step reads."""
        self.logits: Floats32 = np.zeros((size, card.vocabulary.output_size), np.float32)
        """(B, V_out) float32: the logits that the last step computed."""
        shape = (2, 2, card.layers, size, card.hidden_size)
        self.states: Floats32 = np.zeros(shape, np.float32)  # (set, hidden or cell, L, B, H)
        self.current = 0  # which set the next step reads
        self.bindings = [self._bind(self.states[n], self.states[1 - n]) for n in (0, 1)]

    @property
    def state(self) -> Floats32:
        """(2, L, B, H) float32: hidden and cell state that the next step starts from; write to change it."""
        current: Floats32 = self.states[self.current]
        return current

    def step(self) -> None:
        """Read `token`, advance the state, leave the logits of what comes next in `logits`.

        Raises:
            OrtError: onnxruntime failed.
        """
        self.file.ort_session.run(self.bindings[self.current])
        self.current = 1 - self.current

    def _bind(self, before: Floats32, after: Floats32) -> Any:  # noqa: ANN401 (of either kind of session)
        inputs = dict(zip(contract.INPUTS, (self.token, *before), strict=True))
        outputs = dict(zip(contract.OUTPUTS, (self.logits, *after), strict=True))
        return self.file.ort_session.bind(inputs, outputs)


def _check_known_lines(card: ModelCard) -> None:
    try:
        if card.known_lines:
            unpack(card.known_lines)
    except ValueError as error:
        raise contract.ContractError("known lines", "fingerprints", error) from error


def _read(path: Path) -> bytes:
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise ModelNotFoundError(path)
        _check_size(path, facts.st_size)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelNotFoundError(path) from error
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        why = getattr(error, "strerror", None) or error
        raise ModelFormatError(path, "cannot be read", "a readable file", why) from error


def _check_size(path: Path, size_bytes: int) -> None:
    if size_bytes > contract.MAX_FILE_BYTES:
        expected = f"at most {contract.MAX_FILE_BYTES:,} bytes"
        raise ModelFormatError(path, "file size", expected, f"{size_bytes:,} bytes")
