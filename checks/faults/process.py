"""Runs one command in a process of its own, and knows what every command promises."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import re
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN, TRAIN, EXPORT = "lyricgen", "train", "export"
"""The modules of the three commands."""
DONE, ERROR, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Their exit codes."""
ANSWERS = frozenset({DONE, ERROR, USAGE})
SUCCESS = frozenset({DONE})
_LIMIT_SECONDS = 120
_HUNG = -1000
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that a terminal obeys, but for \\n and \\t."""


@dataclass(frozen=True)
class Command:
    """A command, and how to run it."""

    module: str
    words: Sequence[object]
    folder: Path
    fresh: bool = False
    """In a new interpreter, which imports everything again; else in a quick fork of this process."""
    prepare: Callable[[], object] = bool
    """Called in the new process before the command runs."""
    environment: dict[str, str] | None = None
    """All environment variables of a fresh process; None: those of this process."""


@dataclass(frozen=True)
class Result:
    """What a process left behind."""

    code: int
    """Exit code; negative: the signal that ended it."""
    out: str
    err: str
    seconds: float = 0.0

    def broken(self, codes: frozenset[int] = ANSWERS) -> Iterator[str]:
        """Yield every promise of all commands that was broken."""
        end = repr(self.err[-500:])
        if self.code not in codes:
            yield "hangs" if self.code == _HUNG else f"exit code {self.code}, not one of {sorted(codes)}"
        if "Traceback" in self.err + self.out:
            yield f"a traceback: {end}"
        if "Warning:" in self.err:
            yield f"a warning of Python's: {end}"
        errors = sum(line.startswith("error: ") for line in self.err.splitlines())
        if self.code in (ERROR, USAGE) and errors != 1:
            yield f"{errors} lines of error: {end}"
        if self.code == DONE and errors:
            yield f"exit code 0 with an error: {end}"
        if self.code == USAGE and self.out:
            yield "output in spite of a wrong option"
        if obeyed := _OBEYED.search(self.out + self.err):
            yield f"{obeyed[0]!r} for the terminal"


class Running:
    """A command under way."""

    def __init__(self, command: Command) -> None:
        importlib.import_module(f"{command.module}.__main__")  # forks share what is imported
        self._streams = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115 (closed in `result`)
        arguments = (command, *(stream.fileno() for stream in self._streams))
        self._process = multiprocessing.get_context("fork").Process(target=_become, args=arguments)
        self._since = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which the child does not need
            self._process.start()

    def wait_until(self, condition: Callable[[float], bool]) -> None:
        """Wait for the end of the command or for a condition on the seconds that it has been running."""
        while self._process.is_alive() and not condition(time.monotonic() - self._since):
            time.sleep(0.001)

    def send(self, number: int) -> bool:
        """Send it a signal; return False if it was over before."""
        if self._process.is_alive() and self._process.pid:
            os.kill(self._process.pid, number)
            return True
        return False

    def result(self) -> Result:
        """Wait for the end; kill it if it hangs."""
        self._process.join(_LIMIT_SECONDS)
        seconds = time.monotonic() - self._since
        hung = self.send(signal.SIGKILL)
        self._process.join()
        said = []
        for stream in self._streams:
            with stream:
                stream.seek(0)
                said.append(stream.read().decode("utf-8", "backslashreplace"))
        return Result(_HUNG if hung else self._process.exitcode or 0, said[0], said[1], seconds)


def result_of(command: Command) -> Result:
    """Run a command to its end."""
    return Running(command).result()


def limit_files(size: int | None, *, deadly: bool = False) -> None:
    """Forbid this process files above `size` bytes; a deadly limit kills it in the middle of a write."""
    if size is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if deadly else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[int | None]:
    """Make `folder` a disk of so many KiB; yield None or, if that is forbidden, a limit for files."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", str(folder)]
    is_mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0  # noqa: S603
    try:
        yield None if is_mounted else kib * 1024
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607


def _become(command: Command, out: int, err: int) -> None:
    """Turn this new process into the command."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.chdir(command.folder)
    command.prepare()
    arguments = list(map(str, command.words))
    if command.fresh:
        places = [str(ROOT), str(ROOT / "runtime"), os.environ.get("PYTHONPATH", "")]
        # a tiny network gains nothing from two threads, which wait for each other on a busy machine
        usual = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": os.pathsep.join(places)}
        words = [sys.executable, "-m", command.module, *arguments]
        os.execve(sys.executable, words, command.environment or usual)  # noqa: S606
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 (lives as long as the process)
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    warnings.resetwarnings()
    warnings.simplefilter("ignore", DeprecationWarning)
    sys.argv[1:] = arguments
    del sys.modules[f"{command.module}.__main__"]  # runs again
    runpy.run_module(command.module, run_name="__main__", alter_sys=True)
