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
    """The library's functions, and the objects of which a process needs only one."""

    version: str
    table: Any
    env: int = 0
    memory_info: int = 0
    run_options: int = 0

    def function(self, position: int, returns: Any, *takes: Any) -> Any:  # noqa: ANN401 (types of ctypes)
        """Return a function of the table, ready to call."""
        return ctypes.CFUNCTYPE(returns, *takes)(self.table[position])

    def call(self, position: int, *arguments: Any) -> None:  # noqa: ANN401
        """Call a function that returns a status; plain ints are addresses.

        Raises:
            OrtError: the status was not good.
        """
        self.check(self.function(position, ctypes.c_void_p, *map(_c_type, arguments))(*arguments))

    def new(self, position: int, *arguments: Any) -> int:  # noqa: ANN401
        """Call a function that makes an object, and return its address."""
        made = ctypes.c_void_p()
        self.call(position, *arguments, ctypes.byref(made))
        return made.value or 0

    def release(self, position: int, address: int) -> None:
        """Give an object back."""
        self.function(position, None, ctypes.c_void_p)(address)

    def check(self, status: int | None) -> None:
        """Do nothing if a status is good; its address is 0 then. Otherwise give it back.

        Raises:
            OrtError: what the status says.
        """
        if status:
            said = self.function(_GET_ERROR_MESSAGE, ctypes.c_char_p, ctypes.c_void_p)(status) or b""
            self.release(_RELEASE_STATUS, status)
            raise OrtError(said.decode(errors="replace"))


class _Owned:
    """An object of the library that is released with this one.

    Not when Python ends, for threads may still use it then.

    Args:
        api: the library.
        position: of the function that releases the object.
        address: of the object.
        used: what has to outlive it, even if the garbage collector finds all of them at once.
    """

    def __init__(self, api: _Api, position: int, address: int, *used: object) -> None:
        self.address = address
        weakref.finalize(self, lambda _used: api.release(position, address), used).atexit = False


class OrtCSession(_Owned):
    """A graph, opened to run in the calling thread. Threads may share it, with bindings of their own.

    Raises:
        OrtError: this version of onnxruntime cannot open it.
    """

    def __init__(self, content: bytes) -> None:
        self._api = api = _api()
        options = self._options()
        try:
            size = ctypes.c_size_t(len(content))
            address = api.new(_CREATE_SESSION_FROM_ARRAY, api.env, content, size, options)
        finally:
            api.release(_RELEASE_SESSION_OPTIONS, options)
        super().__init__(api, _RELEASE_SESSION, address)
        self.description = f"onnxruntime {api.version} through its C API"
        self.run_address: int = ctypes.cast(api.table[_RUN_WITH_BINDING], ctypes.c_void_p).value or 0
        self.run_options = api.run_options
        self._run = api.function(_RUN_WITH_BINDING, *[ctypes.c_void_p] * 4)

    def _options(self) -> int:
        api = self._api
        options = api.new(_CREATE_SESSION_OPTIONS)
        for position, value in (
            (_SET_INTRA_OP_NUM_THREADS, 1),  # one step gains nothing from more
            (_SET_INTER_OP_NUM_THREADS, 1),
            (_SET_SESSION_GRAPH_OPTIMIZATION_LEVEL, _NOT_OPTIMIZED),
            (_SET_SESSION_LOG_SEVERITY_LEVEL, _LOG_FATAL),
        ):
            api.call(position, options, ctypes.c_int(value))
        for key, entry in CONFIG.items():
            api.call(_ADD_SESSION_CONFIG_ENTRY, options, key.encode(), entry.encode())
        return options

    def bind(self, inputs: Mapping[str, npt.NDArray[Any]], outputs: Mapping[str, npt.NDArray[Any]]) -> _Owned:
        """Tie the graph's inputs and outputs to arrays, C-contiguous float32 or int64, for `run`.

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

    def check(self, status: int | None) -> None:
        """Do nothing if the address of a run's OrtStatus is 0; ask only once for each status.

        Raises:
            OrtError: what the status says.
        """
        self._api.check(status)


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
    """Before onnxruntime is loaded: let it neither report usage to its makers nor keep files for that."""
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
