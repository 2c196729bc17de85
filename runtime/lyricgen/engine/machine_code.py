"""The kernel as machine code: compiled by numba once for each CPU, then loaded in milliseconds.

Importing numba and letting it load its own cache takes longer than writing a song. So the code that numba
made of the kernel is kept as an object file, beside this module or else in the user's cache folder, and
linked into the process by llvmlite, the part of numba that talks to LLVM. A kept file serves one source,
one version of llvmlite and one CPU; anything else is compiled again.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import stat
import sys
import threading
from collections.abc import Callable
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
_FOR_ERRORS = ("numba_", "NRT_", "Py", "_Py")
"""How the names begin of what numba's code uses to turn errors into Python's; the kernel has no errors."""

_lock = threading.Lock()


@dataclass(frozen=True)
class _Code:
    """An object file of the kernel."""

    symbol: str
    """Name of the function."""
    needs: list[str]
    """Names of the functions and data that it refers to elsewhere."""
    content: bytes


def advance() -> Advance:
    """Return the kernel, ready to call; it lets other Python threads run meanwhile.

    Compiles it, which takes seconds, unless that was done on this machine before.

    Raises:
        ImportError: what this version of numba makes of it needs other code, or cannot be linked.
    """
    with _lock:
        return _advance()


@cache
def _advance() -> Advance:
    kept = _kept()
    if kept is not None:
        with suppress(ImportError):  # not what this version makes
            return _link(kept)
    code = _compile()
    _keep(code)
    return _link(code)


def is_kept() -> bool:
    """Tell whether code for this CPU was kept, so that `advance` need not compile."""
    return _kept() is not None


def folders() -> list[Path]:
    """Return where the code may be kept, in the order in which they are tried."""
    usual = {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(sys.platform, ".cache")
    named = Path(os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or "")
    users = []
    with suppress(RuntimeError):  # nobody knows the user's home
        users = [(named if named.is_absolute() else Path.home() / usual) / "lyricgen"]
    return [_PACKAGE / "__pycache__", *users]


@cache
def _name() -> str:
    """Return the name of the file that serves this source, on this CPU."""
    facts = [llvmlite.__version__, llvm.get_process_triple(), llvm.get_host_cpu_name(), _features()]
    sources = [hashlib.sha256((_PACKAGE / name).read_bytes()).hexdigest() for name in _SOURCES]
    return f"kernel-{hashlib.sha256(json.dumps(facts + sources).encode()).hexdigest()[:32]}.o"


def _features() -> str:
    try:
        return str(llvm.get_host_cpu_features().flatten())
    except RuntimeError:  # LLVM cannot tell on every platform
        return ""


def _kept() -> _Code | None:
    for folder in folders():
        nothing = suppress(OSError, ValueError, KeyError, TypeError)
        with nothing, open(folder / _name(), "rb", opener=open_no_link) as file:
            if _is_trusted(os.fstat(file.fileno())) and _is_trusted(folder.stat()):
                return _parse(file.read())
    return None


def _is_trusted(facts: os.stat_result) -> bool:
    """Tell whether not just anybody could have written a file or folder; its code will run.

    Whoever shares a group that may write to the package's folder could as well change its Python code.
    Windows says nothing of all that here.
    """
    if not hasattr(os, "geteuid"):
        return True
    return facts.st_uid in (0, os.geteuid()) and not facts.st_mode & stat.S_IWOTH


def _parse(content: bytes) -> _Code:
    digest, _, rest = content.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != digest:
        raise ValueError("damaged")
    header, _, code = rest.partition(b"\n")
    facts = json.loads(header)
    return _Code(str(facts["symbol"]), list(map(str, facts["needs"])), code)


def _keep(code: _Code) -> None:
    rest = json.dumps({"symbol": code.symbol, "needs": code.needs}).encode() + b"\n" + code.content
    content = hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest
    for folder in folders():
        with suppress(OSError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o755, exist_ok=True)
            if _is_trusted(folder.stat()):  # else it would not be read there
                write_atomically(folder / _name(), content)
                (folder / _name()).chmod(0o644)  # whatever the user's habit: see _is_trusted
                return


def _compile() -> _Code:
    import numba

    config: Any = numba.config
    disabled, config.DISABLE_JIT = config.DISABLE_JIT, 0  # there is no other kernel
    try:
        from lyricgen.engine import kernel  # numba compiles it while it is imported
    finally:
        config.DISABLE_JIT = disabled
    _initialize()
    module = llvm.parse_assembly(kernel.advance.inspect_llvm())
    return _Code(kernel.advance.native_name, _declared(module), _target_machine().emit_object(module))


def _declared(module: llvm.ModuleRef) -> list[str]:
    """Return the names of what a module refers to and does not hold."""
    named = [*module.functions, *module.global_variables]
    return [value.name for value in named if value.is_declaration and not value.name.startswith("llvm.")]


def _link(code: _Code) -> Advance:
    if others := [name for name in code.needs if not name.startswith(_FOR_ERRORS)]:
        raise ImportError(f"the kernel needs {', '.join(others)}: it must not call other code")
    _initialize()
    # Stand-ins of its own for what it never calls: numba's own code must not meet them.
    stand_ins = "".join(f'define void @"{name}"() {{ unreachable }}\n' for name in code.needs)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(stand_ins), _target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code.content))
    engine.finalize_object()
    address = engine.get_function_address(code.symbol)
    if not address:
        raise ImportError(f"the kernel's code has no function {code.symbol}")
    engine.detach()  # never disposed of: when Python ends, threads may still be in it
    return _C_TYPE(address)


def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _target_machine() -> llvm.TargetMachine:
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=_features(), opt=3, codemodel="jitdefault", jit=True
    )
