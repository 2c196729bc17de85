"""The folders of sessions: their names, and how a new one comes to be all at once."""

from __future__ import annotations

import errno
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

_NAME = re.compile(r"session_(\d+)")
_NEW, _NEW_LOCK, _NEW_SECONDS = ".session_new_", "lock", 60
"""A session that is being made: its folder's name begins so, and it holds this lock after a moment."""


def session_number(folder: Path) -> int | None:
    """Return the N of a folder called session_N; None for other names."""
    match = _NAME.fullmatch(folder.name)
    return int(match.group(1)) if match else None


def session_numbers(root_folder: Path) -> list[int]:
    """Return the numbers of the sessions under `root_folder`, ascending."""
    numbers = (session_number(folder) for folder in root_folder.glob("session_*"))
    return sorted(number for number in numbers if number is not None)


@contextmanager
def folder_in_the_making(root_folder: Path) -> Iterator[Path]:
    """Give a new folder under `root_folder` to fill and to `name`; without a name it is removed.

    Raises:
        OSError: `root_folder` cannot be written.
    """
    try:
        root_folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        problem = "it is no folder, but a file or a broken link; rename it"
        raise OSError(errno.ENOTDIR, problem) from error
    _remove_left_over(root_folder)
    with (
        tempfile.TemporaryDirectory(prefix=_NEW, dir=root_folder) as made,
        FileLock(Path(made) / _NEW_LOCK),
    ):
        folder = Path(made) / "session"
        folder.mkdir()
        yield folder


def name_folder(folder: Path, root_folder: Path) -> Path:
    """Give a folder that is filled the next free name under `root_folder`; return its path.

    Raises:
        OSError: it cannot be renamed.
    """
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
    for folder in root_folder.glob(f"{_NEW}*"):
        with suppress(OSError, Timeout):
            if time.time() - folder.stat().st_mtime > _NEW_SECONDS:
                with FileLock(folder / _NEW_LOCK, timeout=0):  # somebody still at it holds the lock
                    pass
                shutil.rmtree(folder)
