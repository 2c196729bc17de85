"""onnxruntime through its C API: what compiled code can call, and what loads without its Python part.

The wheels of onnxruntime carry the C library beside the Python module. Its functions stand in a table to
which versions only ever append (`OrtApi` in onnxruntime_c_api.h), so a position means the same for ever.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lyricgen.errors import OrtError

_API_VERSION = 17
_GET_ERROR_MESSAGE = 2
_CREATE_ENV = 3
_DISABLE_TELEMETRY_EVENTS = 6
_CREATE_SESSION_FROM_ARRAY = 8
_CREATE_SESSION_OPTIONS = 10
_SET_SESSION_LOG_SEVERITY_LEVEL = 22
_SET_SESSION_GRAPH_OPTIMIZATION_LEVEL = 23
_SET_INTRA_OP_NUM_THREADS = 24
_SET_INTER_OP_NUM_THREADS = 25
_CREATE_RUN_OPTIONS = 39
_CREATE_TENSOR_WITH_DATA_AS_ORT_VALUE = 49
_CREATE_CPU_MEMORY_INFO = 69
_RELEASE_STATUS = 93
_RELEASE_SESSION = 95
_RELEASE_VALUE = 96
_RELEASE_SESSION_OPTIONS = 100
_ADD_SESSION_CONFIG_ENTRY = 130
_RUN_WITH_BINDING = 133
_CREATE_IO_BINDING = 134
_RELEASE_IO_BINDING = 135
_BIND_INPUT = 136
_BIND_OUTPUT = 137

_LOG_FATAL = 4
_NOT_OPTIMIZED = 0
_DEVICE_ALLOCATOR, _CPU_MEMORY = 0, -1
_ELEMENT_TYPES = {np.dtype(np.float32): 1, np.dtype(np.int64): 7}

_PATTERNS = {"win32": "onnxruntime.dll", "darwin": "libonnxruntime.*dylib"}
_OTHER_PATTERN = "libonnxruntime.so*"


@dataclass(frozen=True)
class _Api:
    """The library's functions, and the objects that one process needs one of."""

    version: str
    table: Any
    env: int = 0
    memory_info: int = 0
    run_options: int = 0

    def call(self, position: int, *arguments: Any) -> None:  # noqa: ANN401
        """Call a function that returns a status; plain ints are addresses.

        Raises:
            OrtError: the status was not good.
        """
        kinds = [_c_type(argument) for argument in arguments]
        status = ctypes.CFUNCTYPE(ctypes.c_void_p, *kinds)(self.table[position])(*arguments)
        if status:
            raise self.error(status)

    def new(self, position: int, *arguments: Any) -> int:  # noqa: ANN401
        """Call a function that makes an object, and return its address."""
        made = ctypes.c_void_p()
        self.call(position, *arguments, ctypes.byref(made))
        return made.value or 0

    def release(self, position: int, address: int) -> None:
        """Give an object back."""
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.table[position])(address)

    def release_with(self, owner: object, position: int, address: int, *used: object) -> None:
        """Give an object back once `owner` is gone, but not when Python ends: threads may still use it.

        Args:
            owner: stands for the object in Python.
            position: of the function that releases it.
            address: the object's.
            used: what has to outlive the object, even where the garbage collector finds all of them at once.
        """
        weakref.finalize(owner, self._release_before, position, address, used).atexit = False

    def _release_before(self, position: int, address: int, _used: tuple[object, ...]) -> None:
        self.release(position, address)

    def error(self, status: int) -> OrtError:
        """Return what a status says, and give it back."""
        message = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)(self.table[_GET_ERROR_MESSAGE])(status)
        said = (message or b"").decode(errors="replace")
        self.release(_RELEASE_STATUS, status)
        return OrtError(said)


class OrtCSession:
    """A graph, opened to run in the calling thread. Threads may share it, with bindings of their own.

    Raises:
        OrtError: this version of onnxruntime cannot open it.
    """

    def __init__(self, content: bytes) -> None:
        self._api = _api()
        options = self._options()
        try:
            size = ctypes.c_size_t(len(content))
            self.address = self._api.new(_CREATE_SESSION_FROM_ARRAY, self._api.env, content, size, options)
        finally:
            self._api.release(_RELEASE_SESSION_OPTIONS, options)
        self._api.release_with(self, _RELEASE_SESSION, self.address)
        self.description = f"onnxruntime {self._api.version} through its C API"
        self.run_address = ctypes.cast(self._api.table[_RUN_WITH_BINDING], ctypes.c_void_p).value or 0
        self.run_options = self._api.run_options
        self._run = ctypes.CFUNCTYPE(*[ctypes.c_void_p] * 4)(self.run_address)

    def _options(self) -> int:
        api = self._api
        options = api.new(_CREATE_SESSION_OPTIONS)
        one = ctypes.c_int(1)
        api.call(_SET_INTRA_OP_NUM_THREADS, options, one)  # one step gains nothing from more
        api.call(_SET_INTER_OP_NUM_THREADS, options, one)
        api.call(_SET_SESSION_GRAPH_OPTIMIZATION_LEVEL, options, ctypes.c_int(_NOT_OPTIMIZED))
        api.call(_SET_SESSION_LOG_SEVERITY_LEVEL, options, ctypes.c_int(_LOG_FATAL))
        for key, value in CONFIG.items():
            api.call(_ADD_SESSION_CONFIG_ENTRY, options, key.encode(), value.encode())
        return options

    def bind(
        self, inputs: Mapping[str, npt.NDArray[Any]], outputs: Mapping[str, npt.NDArray[Any]]
    ) -> OrtCBinding:
        """Tie the graph's inputs and outputs to arrays, C-contiguous float32 or int64, for `run`.

        Raises:
            OrtError: they do not fit the graph.
        """
        return OrtCBinding(self._api, self, inputs, outputs)

    def run(self, binding: OrtCBinding) -> None:
        """Compute the outputs.

        Raises:
            OrtError: it could not.
        """
        if status := self._run(self.address, self.run_options, binding.address):
            raise self.error(status)

    def error(self, status: int) -> OrtError:
        """Return what the OrtStatus at an address says that a run returned; only once for each."""
        return self._api.error(status)


class OrtCBinding:
    """Arrays tied to a graph's inputs and outputs; they live as long as it."""

    def __init__(
        self,
        api: _Api,
        session: OrtCSession,
        inputs: Mapping[str, npt.NDArray[Any]],
        outputs: Mapping[str, npt.NDArray[Any]],
    ) -> None:
        self.address = api.new(_CREATE_IO_BINDING, session.address)
        used = (session, *inputs.values(), *outputs.values())
        api.release_with(self, _RELEASE_IO_BINDING, self.address, *used)
        for bind, arrays in ((_BIND_INPUT, inputs), (_BIND_OUTPUT, outputs)):
            for name, array in arrays.items():
                value = _value(api, array)
                try:
                    api.call(bind, self.address, name.encode(), value)  # it counts references of its own
                finally:
                    api.release(_RELEASE_VALUE, value)


CONFIG = {
    "session.intra_op.allow_spinning": "0",
    "session.load_model_format": "ONNX",  # it has another one, unchecked
}
"""Entries of a session's configuration."""


def find_library() -> Path | None:
    """Return the C library that came with the installed onnxruntime, or None."""
    package = importlib.util.find_spec("onnxruntime")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent / "capi"
    found = sorted(folder.glob(_PATTERNS.get(sys.platform, _OTHER_PATTERN)))
    return found[0] if found else None


@cache
def unavailable() -> str | None:
    """Return why the C API cannot be used here, or None if it can."""
    try:
        _api()
    except (OrtError, OSError, AttributeError) as error:
        return str(error)
    return None


def stay_offline() -> None:
    """Keep onnxruntime from reporting usage to its makers and keeping files in the home folder for that.

    To be called before it is loaded.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@cache
def _api() -> _Api:
    path = find_library()
    if path is None:
        raise OrtError("onnxruntime's C library was not found")
    stay_offline()
    library = ctypes.CDLL(str(path))
    library.OrtGetApiBase.restype = ctypes.POINTER(ctypes.c_void_p * 2)
    get_api, get_version = library.OrtGetApiBase().contents
    version = ctypes.CFUNCTYPE(ctypes.c_char_p)(get_version)().decode()
    table = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)(get_api)(_API_VERSION)
    if not table:
        raise OrtError(f"onnxruntime {version} is too old")
    first = _Api(version, ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p)))
    env = first.new(_CREATE_ENV, ctypes.c_int(_LOG_FATAL), b"lyricgen")
    first.call(_DISABLE_TELEMETRY_EVENTS, env)
    memory = first.new(_CREATE_CPU_MEMORY_INFO, ctypes.c_int(_DEVICE_ALLOCATOR), ctypes.c_int(_CPU_MEMORY))
    return _Api(version, first.table, env, memory, first.new(_CREATE_RUN_OPTIONS))


def _value(api: _Api, array: npt.NDArray[Any]) -> int:
    shape = (ctypes.c_int64 * array.ndim)(*array.shape)
    return api.new(
        _CREATE_TENSOR_WITH_DATA_AS_ORT_VALUE,
        api.memory_info,
        array.ctypes.data,
        ctypes.c_size_t(array.nbytes),
        ctypes.byref(shape),
        ctypes.c_size_t(array.ndim),
        ctypes.c_int(_ELEMENT_TYPES[array.dtype]),
    )


def _c_type(argument: object) -> type:
    if isinstance(argument, bytes):
        return ctypes.c_char_p
    return type(argument) if isinstance(argument, ctypes.c_int | ctypes.c_size_t) else ctypes.c_void_p
