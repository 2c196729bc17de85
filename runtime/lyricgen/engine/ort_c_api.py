"""onnxruntime through its C API, which compiled code can call and which loads without the Python module.

The wheels of onnxruntime carry the C library beside the Python module. Its functions are in a table
(`OrtApi` in onnxruntime_c_api.h) that new versions only append to, so a function keeps its position.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import weakref
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lyricgen.errors import OrtError

NamedArrays = Mapping[str, npt.NDArray[Any]]
"""Arrays of float32 or int64, C-contiguous, by the names of the inputs or outputs that they are for."""

_API_VERSION = 17
_GET_ERROR_MESSAGE = 2
_CREATE_ENV = 3
_DISABLE_TELEMETRY_EVENTS = 6
_CREATE_SESSION_FROM_ARRAY = 8
_CREATE_SESSION_OPTIONS = 10
_SET_SESSION_LOG_SEVERITY_LEVEL = 22
_SET_SESSION_GRAPH_OPTIMIZATION_LEVEL = 23
_SET_INTRA_OP_NUM_THREADS = 24
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


class _Api:
    """The library's functions, and the objects of which a process needs only one.

    Raises:
        OrtError: the library was not found, or is too old.
        OSError, AttributeError: what was found is no library, or another one.
    """

    def __init__(self) -> None:
        path = find_library()
        if path is None:
            raise OrtError("onnxruntime's C library was not found")
        stay_offline()
        library = ctypes.CDLL(str(path))
        library.OrtGetApiBase.restype = ctypes.POINTER(ctypes.c_void_p * 2)
        get_api, get_version = library.OrtGetApiBase().contents
        self.version: str = ctypes.CFUNCTYPE(ctypes.c_char_p)(get_version)().decode()
        table = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)(get_api)(_API_VERSION)
        if not table:
            raise OrtError(f"onnxruntime {self.version} is too old")
        self.table = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))
        self.env = self.new(_CREATE_ENV, ctypes.c_int(_LOG_FATAL), b"lyricgen")
        self.call(_DISABLE_TELEMETRY_EVENTS, self.env)
        kinds = ctypes.c_int(_DEVICE_ALLOCATOR), ctypes.c_int(_CPU_MEMORY)
        self.memory_info = self.new(_CREATE_CPU_MEMORY_INFO, *kinds)
        self.run_options = self.new(_CREATE_RUN_OPTIONS)

    def function(self, position: int, returns: Any, *takes: Any) -> Any:  # noqa: ANN401 (types of ctypes)
        """Return a function of the table, ready to call."""
        return ctypes.CFUNCTYPE(returns, *takes)(self.table[position])

    def call(self, position: int, *arguments: Any) -> None:  # noqa: ANN401
        """Call a function that returns a status, and `check` that; plain ints are addresses."""
        given = [ctypes.c_void_p(value) if isinstance(value, int) else value for value in arguments]
        self.check(self.function(position, ctypes.c_void_p)(*given))

    def new(self, position: int, *arguments: Any) -> int:  # noqa: ANN401
        """Call a function that makes an object, and return its address."""
        made = ctypes.c_void_p()
        self.call(position, *arguments, ctypes.byref(made))
        return made.value or 0

    def release(self, position: int, address: int) -> None:
        """Give an object back."""
        self.function(position, None, ctypes.c_void_p)(address)

    def check(self, status: int | None) -> None:
        """Do nothing if a status is good; its address is 0 then. Otherwise give it back, once.

        Raises:
            OrtError: what the status says.
        """
        if status:
            said = self.function(_GET_ERROR_MESSAGE, ctypes.c_char_p, ctypes.c_void_p)(status) or b""
            self.release(_RELEASE_STATUS, status)
            raise OrtError(said.decode(errors="replace"))


_api = cache(_Api)


class _Owned:
    """An object of the library, at `address`; function number `release` gives it back with this one.

    Not when Python ends, for threads may still use it then. What it has `used` outlives it, even if the
    garbage collector finds all of them at once.
    """

    def __init__(self, api: _Api, release: int, address: int, *used: object) -> None:
        self.address = address
        weakref.finalize(self, lambda _used: api.release(release, address), used).atexit = False


class OrtCSession(_Owned):
    """A graph, opened to run in the calling thread. Threads may share it, with bindings of their own.

    Raises:
        OrtError: this version of onnxruntime cannot open it.
    """

    def __init__(self, content: bytes) -> None:
        self._api = api = _api()
        options = api.new(_CREATE_SESSION_OPTIONS)
        try:
            for position, value in (
                (_SET_INTRA_OP_NUM_THREADS, 1),  # one step gains nothing from more
                (_SET_SESSION_GRAPH_OPTIMIZATION_LEVEL, _NOT_OPTIMIZED),
                (_SET_SESSION_LOG_SEVERITY_LEVEL, _LOG_FATAL),
            ):
                api.call(position, options, ctypes.c_int(value))
            for key, entry in CONFIG.items():
                api.call(_ADD_SESSION_CONFIG_ENTRY, options, key.encode(), entry.encode())
            size = ctypes.c_size_t(len(content))
            address = api.new(_CREATE_SESSION_FROM_ARRAY, api.env, content, size, options)
        finally:
            api.release(_RELEASE_SESSION_OPTIONS, options)
        super().__init__(api, _RELEASE_SESSION, address)
        self.description = f"onnxruntime {api.version} through its C API"
        self.run_address: int = api.table[_RUN_WITH_BINDING] or 0
        self.run_options, self.check = api.run_options, api.check
        self._run = api.function(_RUN_WITH_BINDING, *[ctypes.c_void_p] * 4)

    def bind(self, inputs: NamedArrays, outputs: NamedArrays) -> _Owned:
        """Tie the graph's inputs and outputs to arrays, for `run`.

        Raises:
            OrtError: they do not fit the graph.
        """
        api, address = self._api, self._api.new(_CREATE_IO_BINDING, self.address)
        binding = _Owned(api, _RELEASE_IO_BINDING, address, self, *inputs.values(), *outputs.values())
        for bind, arrays in ((_BIND_INPUT, inputs), (_BIND_OUTPUT, outputs)):
            for name, array in arrays.items():
                value = _value(api, array)
                try:
                    api.call(bind, address, name.encode(), value)  # it counts references of its own
                finally:
                    api.release(_RELEASE_VALUE, value)
        return binding

    def run(self, binding: _Owned) -> None:
        """Compute the outputs.

        Raises:
            OrtError: it could not.
        """
        self.check(self._run(self.address, self.run_options, binding.address))


CONFIG = {
    "session.intra_op.allow_spinning": "0",
    "session.load_model_format": "ONNX",  # it has another one, unchecked
}
"""Entries of every session's configuration."""


def find_library() -> Path | None:
    """Return the C library that came with the installed onnxruntime, or None."""
    package = importlib.util.find_spec("onnxruntime")
    if package is None or package.origin is None:
        return None
    named = {"win32": "onnxruntime.dll", "darwin": "libonnxruntime.*dylib"}
    found = (Path(package.origin).parent / "capi").glob(named.get(sys.platform, "libonnxruntime.so*"))
    return min(found, default=None)


@cache
def unavailable() -> str | None:
    """Return why the C API cannot be used here, or None if it can."""
    try:
        _api()
    except (OrtError, OSError, AttributeError) as error:
        return str(error)
    return None


def stay_offline() -> None:
    """Before onnxruntime is loaded: let it neither report usage to its makers nor keep files for that."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def _value(api: _Api, array: npt.NDArray[Any]) -> int:
    data, size = array.ctypes.data, ctypes.c_size_t(array.nbytes)
    shape, axes = array.ctypes.shape_as(ctypes.c_int64), ctypes.c_size_t(array.ndim)
    kind = ctypes.c_int(_ELEMENT_TYPES[array.dtype])
    return api.new(_CREATE_TENSOR_WITH_DATA_AS_ORT_VALUE, api.memory_info, data, size, shape, axes, kind)
