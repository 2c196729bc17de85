"""Writing files so that nobody ever meets half of one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lyricgen.errors import LyricgenError

PART_NAMES = ".lyricgen-*.part"
"""Pattern of the names that files have while they are written; whoever is killed then leaves one."""


def write_atomically(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file so that `path` holds either what it held before or all of `content`.

    Links are followed, and a file that is there keeps its permissions. A pipe or a device is written
    to as it is.

    Raises:
        OSError: it could not be written; `path` is as it was.
    """
    parts = [content] if isinstance(content, bytes) else content
    if path.exists() and not path.is_file():  # not of the real path: that of /dev/stdout may not exist
        with path.open("wb") as file:
            file.writelines(parts)
        return
    path = Path(os.path.realpath(path))
    with _filled_beside(path, parts) as beside:
        if path.exists():
            shutil.copymode(path, beside)
        beside.replace(path)


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet, so that nobody ever meets half of it.

    Where a file system has no hard links, whoever is killed in the middle may leave an empty one.

    Raises:
        FileExistsError: it is there, perhaps since a moment ago.
        OSError: it could not be written.
    """
    with _filled_beside(path, [content]) as beside:
        try:
            os.link(beside, path)
        except (OSError, NotImplementedError):  # there are no links, or there is such a file
            path.touch(exist_ok=False)
            beside.replace(path)


@contextmanager
def _filled_beside(path: Path, parts: Iterable[bytes]) -> Iterator[Path]:
    """Make a file beside `path` and wait until the disk has it; remove it at the end if it is still there."""
    # Machines that share a folder may number processes alike.
    beside = path.with_name(f".lyricgen-{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        with beside.open("xb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        yield beside
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def writing_errors_named(path: Path) -> Iterator[None]:
    """Turn the system's errors on writing `path` into one that a user can act on.

    Raises:
        LyricgenError: naming the path and the system's reason.
    """
    try:
        yield
    except OSError as error:
        raise LyricgenError(f"{path}: cannot be written: {error.strerror or error}") from error


def open_no_link(path: str, flags: int) -> int:
    """Open a file, but none that a link leads to, where the system can tell; an `opener` for `open`."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def check_writable(path: Path) -> None:
    """Find out before the work that its result could not be written.

    Raises:
        LyricgenError: `path` is a folder or read-only, or in a folder that is missing or forbidden.
    """
    with writing_errors_named(path):  # this folder may have been removed
        folder = path.absolute().parent
    if path.is_dir():
        raise LyricgenError(f"{path}: is a folder, not a file to write")
    if not folder.is_dir():
        parents = [parent for parent in (folder, *folder.parents) if os.path.lexists(parent)]
        if parents and not parents[0].is_dir():
            raise LyricgenError(f"{path}: {parents[0]} is no folder, but a file or a broken link; rename it")
        raise LyricgenError(f"{path}: there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK):
        raise LyricgenError(f"{path}: cannot be written: no permission in {folder}")
    if path.exists() and not os.access(path, os.W_OK):
        raise LyricgenError(f"{path}: cannot be written: it is there, and read-only")
