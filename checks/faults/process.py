"""One command in a process of its own, what became of it, and what any command promises."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn

from export import cli as export_cli
from lyricgen.terminal import command
from lyricgen.terminal import run as cli
from train import cli as train_cli

ROOT = Path(__file__).parents[2]
RUN, TRAIN, EXPORT = "lyricgen", "train", "export"
"""Modules that are commands."""
PATHS = {"PYTHONPATH": os.pathsep.join([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])}
"""Lets a new interpreter find train and export from any folder."""
_APPS = {RUN: cli.app, TRAIN: train_cli.app, EXPORT: export_cli.app}
_LIMIT_SECONDS = 120
_HUNG = -1000
DONE, ERROR, USAGE, INTERRUPTED = 0, 1, 2, 130
ANSWERS = frozenset({DONE, ERROR, USAGE})
"""Exit codes of a command that nobody interrupts."""
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys; \\n and \\t aside."""


@dataclass(frozen=True)
class Ended:
    """What a process left behind."""

    code: int
    """Exit code; negative: the signal that ended it."""
    out: str
    err: str


@dataclass(frozen=True)
class Call:
    """A command, where and how to run it."""

    module: str
    arguments: Sequence[object]
    folder: Path
    afresh: bool = False
    """Whether in a new interpreter, which imports everything again; else in a copy of this one."""
    file_bytes: int | None = None
    """Largest file that the process may write."""
    dies: bool = False
    """Whether a larger one kills it, in the middle of the write; only in a copy of this process."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables besides those of this process."""

    def __str__(self) -> str:
        return " ".join([self.module, *map(repr, map(str, self.arguments))])


class Started:
    """A command under way; `ended` waits for it."""

    def __init__(self, call: Call) -> None:
        self._out, self._err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 (live as we do)
        self._since = time.monotonic()
        self._code: int | None = None
        self._pid = _spawn(call, self._out, self._err) if call.afresh else _fork(call, self._out, self._err)

    @property
    def seconds(self) -> float:
        """How long it has been running, or ran."""
        return time.monotonic() - self._since

    def is_over(self) -> bool:
        """Tell whether it ended."""
        if self._code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code is not None

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for the condition or the end, whichever comes first."""
        while not self.is_over() and not condition():
            time.sleep(0.001)

    def send(self, signal_number: int) -> None:
        """Send it a signal, if it is not over."""
        if not self.is_over():
            os.kill(self._pid, signal_number)

    def ended(self) -> Ended:
        """Return what became of it; a process that hangs is killed."""
        self.wait_until(lambda: self.seconds > _LIMIT_SECONDS)
        if not self.is_over():
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._code = _HUNG
        assert self._code is not None  # noqa: S101 (for mypy)
        return Ended(self._code, _read(self._out), _read(self._err))


def outcome(call: Call) -> Ended:
    """Run a command to its end."""
    return Started(call).ended()


def broken(ended: Ended, codes: frozenset[int] = ANSWERS) -> Iterator[str]:
    """Yield what a command did that none may do."""
    if ended.code not in codes:
        yield "hangs" if ended.code == _HUNG else f"exit code {ended.code}, not one of {sorted(codes)}"
    if "Traceback" in ended.err + ended.out:
        yield "a traceback"
    if "Warning:" in ended.err:
        yield "a warning of Python's"
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    if ended.code in (ERROR, USAGE) and len(errors) != 1:
        yield f"{len(errors)} lines of error"
    if ended.code == DONE and errors:
        yield "an error, and exit code 0"
    if ended.code == USAGE and ended.out:
        yield "output in spite of a wrong option"
    if obeyed := _OBEYED.search(ended.out + ended.err):
        yield f"{obeyed[0]!r} for the terminal"


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[int | None]:
    """Make `folder` a disk of so many KiB; yield None or, if that is forbidden, a file's limit in bytes."""
    folder.mkdir()
    size = ["-t", "tmpfs", "-o", f"size={kib}k", "none", str(folder)]
    mounted = _quietly("mount", *size)
    try:
        yield None if mounted else kib * 1024
    finally:
        if mounted:
            _quietly("umount", "--lazy", str(folder))


def _quietly(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0  # noqa: S603
    except OSError:
        return False


def _spawn(call: Call, out: IO[bytes], err: IO[bytes]) -> int:
    def prepare() -> None:
        _restore_signals()
        _limit(call)

    environment = {**os.environ, **PATHS, **call.environment}
    words = [sys.executable, "-m", call.module, *map(str, call.arguments)]
    process = subprocess.Popen(  # noqa: S603
        words, cwd=call.folder, env=environment, stdout=out, stderr=err, preexec_fn=prepare
    )
    process.returncode = 0  # it is waited for here
    return process.pid


def _fork(call: Call, out: IO[bytes], err: IO[bytes]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, none of which the child needs
        pid = os.fork()
    if pid == 0:
        _be(call, out.fileno(), err.fileno())
    return pid


def _be(call: Call, out: int, err: int) -> NoReturn:
    """Become the command; never return."""
    code = 70
    try:
        _restore_signals()
        warnings.resetwarnings()
        warnings.simplefilter("ignore", DeprecationWarning)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
        os.environ.update(call.environment)
        os.chdir(call.folder)
        _limit(call)
        code = command.run(_APPS[call.module], call.module, list(map(str, call.arguments)))
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 (nothing may get back to the campaign)
        traceback.print_exc()
    finally:
        os._exit(code)


def _restore_signals() -> None:
    """Have them as a command has that is started in a terminal."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python itself does
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _limit(call: Call) -> None:
    if call.file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if call.dies else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (call.file_bytes, call.file_bytes))


def _read(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode("utf-8", "backslashreplace")
