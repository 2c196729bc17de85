"""The kernel as machine code: compiled by numba once for each CPU, then loaded in milliseconds.

Importing numba and letting it load its own cache takes longer than writing a song. So the machine code is
kept as an object file, and llvmlite, the part of numba that talks to LLVM, links it into the process. A kept
file is for one version of the source, one of llvmlite and one CPU; for any other, it is compiled again.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import stat
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from lyricgen.files import open_no_link, write_atomically

Advance = Callable[[int, int], int]
"""`kernel.advance`: takes the address of a record of `record.BATCH` and a number of steps."""

_PACKAGE = Path(__file__).parent
_SOURCES = ("record.py", "sampling.py", "kernel.py", "machine_code.py")
_C_TYPE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
_NEVER_CALLED = ("numba_", "NRT_", "Py", "_Py")
"""Prefixes of the names by which numba's code raises Python's errors; the kernel raises none."""
_lock = threading.Lock()


@dataclass(frozen=True)
class ObjectCode:
    """The kernel as an object file."""

    symbol: str
    """Name of its function."""
    needs: list[str]
    """Names of the functions and data that it refers to and does not hold."""
    content: bytes

    @classmethod
    def from_bytes(cls, content: bytes) -> ObjectCode:
        """Read what `to_bytes` made.

        Raises:
            ValueError: it is damaged.
        """
        digest, _, rest = content.partition(b"\n")
        if hashlib.sha256(rest).hexdigest().encode() != digest:
            raise ValueError("the machine code is damaged")
        names, _, code = rest.partition(b"\n")
        return cls(**json.loads(names), content=code)

    def to_bytes(self) -> bytes:
        """Return the content of a file: a hash of all that follows, the names, the object file."""
        rest = json.dumps({"symbol": self.symbol, "needs": self.needs}).encode() + b"\n" + self.content
        return hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest

    def link(self) -> Advance:
        """Make the kernel ready to call.

        Raises:
            ImportError: it needs other code, or has no such function.
        """
        if others := [name for name in self.needs if not name.startswith(_NEVER_CALLED)]:
            raise ImportError(f"the kernel needs {', '.join(others)}: it must not call other code")
        # Private stand-ins for what is never called: numba's own code must not meet them.
        stand_ins = "".join(f'define void @"{name}"() {{ unreachable }}\n' for name in self.needs)
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(stand_ins), _target_machine())
        engine.add_object_file(llvm.ObjectFileRef.from_data(self.content))
        engine.finalize_object()
        address = engine.get_function_address(self.symbol)
        if not address:
            raise ImportError(f"the kernel's code has no function {self.symbol}")
        engine.detach()  # never disposed of: when Python ends, threads may still be in it
        return _C_TYPE(address)


class KernelCache:
    """Keeps machine code in the first of several folders where that is possible."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.paths = [folder / file_name() for folder in folders]

    def load(self) -> ObjectCode | None:
        """Return the code that was kept, or None if there is none that is whole and trusted."""
        for path in self.paths:
            with suppress(OSError, ValueError), open(path, "rb", opener=open_no_link) as file:
                if is_trusted(os.fstat(file.fileno())) and is_trusted(path.parent.stat()):
                    return ObjectCode.from_bytes(file.read())
        return None

    def save(self, code: ObjectCode) -> None:
        """Keep code where `load` will find it, if any of the folders can be written to."""
        for path in self.paths:
            with suppress(OSError):
                path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                if is_trusted(path.parent.stat()):  # otherwise `load` would not read it
                    write_atomically(path, code.to_bytes())
                    path.chmod(0o644)  # trusted, whatever the user's umask is
                    return


def advance() -> Advance:
    """Return the kernel, ready to call; it lets other Python threads run meanwhile.

    Compiles it, which takes seconds, unless that was done on this machine before.

    Raises:
        ImportError: the code that this version of numba makes needs other code, or cannot be linked.
    """
    with _lock:
        return _advance()


@cache
def _advance() -> Advance:
    kernel_cache = KernelCache(folders())
    if kept := kernel_cache.load():
        with suppress(ImportError):  # compiled by other means
            return kept.link()
    code = compile_kernel()
    kernel_cache.save(code)
    return code.link()


def is_kept() -> bool:
    """Tell whether code for this CPU was kept, so that `advance` need not compile."""
    return KernelCache(folders()).load() is not None


def folders() -> list[Path]:
    """Return the folders where code may be kept, in the order in which they are tried."""
    usual = {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(sys.platform, ".cache")
    named = Path(os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or "")
    users = []
    with suppress(RuntimeError):  # the user's home is unknown
        users = [(named if named.is_absolute() else Path.home() / usual) / "lyricgen"]
    return [_PACKAGE / "__pycache__", *users]


@cache
def file_name() -> str:
    """Return the name of the file for this source, this version of llvmlite and this CPU."""
    facts = [llvmlite.__version__, llvm.get_process_triple(), llvm.get_host_cpu_name(), _features()]
    sources = [hashlib.sha256((_PACKAGE / name).read_bytes()).hexdigest() for name in _SOURCES]
    return f"kernel-{hashlib.sha256(json.dumps(facts + sources).encode()).hexdigest()[:32]}.o"


def is_trusted(facts: os.stat_result) -> bool:
    """Tell whether only root and this user could have written a file or folder; its code will run.

    A group may write, too: it could as well change the package's Python code. Windows tells nothing of this.
    """
    if not hasattr(os, "geteuid"):
        return True
    return facts.st_uid in (0, os.geteuid()) and not facts.st_mode & stat.S_IWOTH


def compile_kernel() -> ObjectCode:
    """Compile the kernel with numba, for this CPU."""
    import numba

    config: Any = numba.config
    disabled, config.DISABLE_JIT = config.DISABLE_JIT, 0  # there is no kernel but the compiled one
    try:
        from lyricgen.engine import kernel  # numba compiles it while it is imported
    finally:
        config.DISABLE_JIT = disabled
    machine = _target_machine()
    module = llvm.parse_assembly(kernel.advance.inspect_llvm())
    declared = [value.name for value in (*module.functions, *module.global_variables) if value.is_declaration]
    needs = [name for name in declared if not name.startswith("llvm.")]
    return ObjectCode(kernel.advance.native_name, needs, machine.emit_object(module))


def _target_machine() -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=_features(), opt=3, codemodel="jitdefault", jit=True
    )


def _features() -> str:
    try:
        return str(llvm.get_host_cpu_features().flatten())
    except RuntimeError:  # LLVM cannot tell on every platform
        return ""
