"""The folders of sessions: their names, how a new one appears all at once, and errors about them.

No torch here: commands import this module before they need it.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lyricgen.errors import LyricgenError
from lyricgen.files import write_atomically
from lyricgen.model_file.contract import INT8

CHECKPOINTS_FOLDER = Path("checkpoints")
EXPORTED_FOLDER = Path("exported_models")
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RuntimeError)
"""What reading raises when a file is damaged or of another kind."""
_NAME = re.compile(r"session_(\d+)")
_NEW, _NEW_LOCK, _NEW_SECONDS = ".session_new_", "lock", 60
"""A session that is being made: its folder's name begins so, and it holds this lock after a moment."""


class SessionError(LyricgenError):
    """The session in `folder` is missing or damaged."""

    def __init__(self, folder: Path, problem: str) -> None:
        self.folder, self.problem = folder, problem
        super().__init__(f"{folder}: {problem}")


@contextmanager
def damage_named(folder: Path, name: str, advice: str = "train anew") -> Iterator[None]:
    """Turn every error that reading the file `name` of a session may raise into a SessionError about it."""
    try:
        yield
    except FileNotFoundError as error:
        raise SessionError(folder, f"has no {name}: it is no session") from error
    except UNREADABLE as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise SessionError(folder, f"{name} is damaged ({why}); {advice}") from error


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an error of `UNREADABLE` if it is missing or holds something else."""
    found = json.loads(path.read_text("utf-8"))
    if not isinstance(found, dict):
        raise ValueError("expected an object")
    return found


def write_object(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object in a form that people can read, or raise an OSError."""
    write_atomically(path, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())


def exported_path(session: int, precision: str = INT8, folder: Path = EXPORTED_FOLDER) -> Path:
    """Return where the exported file of a session goes; the name says the precision unless it is int8."""
    suffix = "" if precision == INT8 else f"_{precision}"
    return folder / f"session_{session}{suffix}.onnx"


def session_numbers(root_folder: Path) -> list[int]:
    """Return the numbers of the sessions under `root_folder`, ascending."""
    names = (_NAME.fullmatch(folder.name) for folder in root_folder.glob("session_*"))
    return sorted(int(name[1]) for name in names if name)


def known_sessions(root_folder: Path) -> str:
    """Say which sessions are under `root_folder`, for an error about one that is not."""
    numbers = session_numbers(root_folder)
    if not numbers:
        return f"there are none in {root_folder}. Make one with: python -m train"
    return f"those in {root_folder}: {', '.join(map(str, numbers))}"


@contextmanager
def folder_in_the_making(root_folder: Path) -> Iterator[Path]:
    """Make a folder under `root_folder` to fill; it is removed at the end unless `name_folder` moved it."""
    try:
        root_folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OSError(errno.ENOTDIR, "it is no folder, but a file or a broken link; rename it") from error
    from filelock import FileLock  # --help does without it

    _remove_left_over(root_folder)
    with (
        tempfile.TemporaryDirectory(prefix=_NEW, dir=root_folder) as made,
        FileLock(Path(made) / _NEW_LOCK),
    ):
        folder = Path(made) / "session"
        folder.mkdir()
        yield folder


def name_folder(folder: Path, root_folder: Path) -> Path:
    """Give a folder that is filled the next free name under `root_folder`; return its path."""
    number = max(session_numbers(root_folder), default=-1) + 1
    while True:  # another training may take the number between the look and the renaming
        target = root_folder / f"session_{number}"
        try:
            return folder.rename(target)
        except OSError:
            if not target.exists():
                raise
            number += 1


def _remove_left_over(root_folder: Path) -> None:
    """Remove what processes left that were killed while they made a session."""
    from filelock import FileLock, Timeout

    for folder in root_folder.glob(f"{_NEW}*"):
        with suppress(OSError, Timeout):
            if time.time() - folder.stat().st_mtime > _NEW_SECONDS:
                with FileLock(folder / _NEW_LOCK, timeout=0):  # somebody still at it holds the lock
                    pass
                shutil.rmtree(folder)
