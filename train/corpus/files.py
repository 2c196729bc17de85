"""Files of songs: unpacking them, and finding out why one cannot be read."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import lzma
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lyricgen.errors import LyricgenError

DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile)
UNDECODED = re.compile("[\udc80-\udcff]")
"""What `surrogateescape` makes of a byte that does not decode."""


class CorpusError(LyricgenError):
    """The corpus at `path` cannot be used."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"{path}: {problem}")


@contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedReader]:
    """Open a CSV, and unpack it while it is read if it is packed.

    Raises:
        CorpusError: a zip does not hold exactly one CSV.
        OSError, one of `DAMAGED`: it cannot be opened. Reading may raise it too.
    """
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as archive, archive.open(_csv_in(path, archive)) as entry:
            yield io.BufferedReader(entry)  # type: ignore[arg-type] # it has readinto
        return
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    with openers.get(path.suffix.lower(), open)(path, "rb") as file:
        yield file


def _csv_in(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    names = [entry.filename for entry in archive.infolist() if not entry.filename.endswith("/")]
    names = [name for name in names if not any(map(is_hidden, name.split("/")))]
    tables = [name for name in names if name.lower().endswith(".csv")]
    if len(tables) != 1:
        what = f"holds {len(tables)} CSV files" if tables else "holds no CSV file"
        found = listed(tables or names, 5) or "nothing"
        raise CorpusError(path, f"{what} ({found}); unpack it and pass the one to train on")
    entry = archive.getinfo(tables[0])
    if entry.flag_bits & 1:
        raise CorpusError(path, "is encrypted; unpack it with its password first")
    return entry


def listed(names: Sequence[str], most: int) -> str:
    """Return the first names, each cut and printable, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name)[1:-1][:40] for name in names[:most]) + more


def is_hidden(name: str) -> bool:
    """Tell whether a system hides a file or folder of this name, or made it for itself."""
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db")


def check_ordinary(path: Path) -> None:
    """Check that a path is an ordinary file: a pipe or a device may have no end.

    Raises:
        CorpusError: it is not, or the system does not say.
    """
    with reading_errors_named(path):
        if not stat.S_ISREG(path.stat().st_mode):
            raise CorpusError(path, "is no ordinary file; a pipe, a device or a link to a folder is not read")


@contextmanager
def reading_errors_named(path: Path) -> Iterator[None]:
    """Turn errors on reading `path` into a `CorpusError`.

    Raises:
        CorpusError: it names the path and the system's reason.
    """
    try:
        yield
    except DAMAGED as error:
        raise CorpusError(path, f"damaged, or of another kind: {said(error)}") from error
    except (OSError, NotImplementedError) as error:
        found, problem = getattr(error, "filename", None), getattr(error, "strerror", None)
        raise CorpusError(Path(found or path), f"cannot be read: {problem or said(error)}") from error


def _is_utf_8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def codec_for(path: Path, first_bytes: bytes, encoding: str) -> str:
    """Return the codec to read a file with; that of UTF-8 takes a byte order mark as well.

    Raises:
        CorpusError: its first bytes contradict its encoding; it names the one to try.
    """
    if not _is_utf_8(encoding):
        if first_bytes.startswith(codecs.BOM_UTF8):
            raise CorpusError(path, f"begins with the mark of UTF-8, not {encoding}; leave out --encoding")
        return encoding
    if first_bytes.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise CorpusError(path, "is UTF-16, not UTF-8; try --encoding utf-16")
    if b"\0" in first_bytes:
        order = "be" if first_bytes.startswith(b"\0") else "le"
        raise CorpusError(path, f"holds NUL bytes: if it is UTF-16, try --encoding utf-16-{order}")
    return "utf-8-sig"


def encoding_problem(where: str, undecoded: re.Match[str] | None, encoding: str) -> str:
    """Return a message that says where which byte did not decode, and what to try."""
    byte = f"the byte 0x{ord(undecoded.group()) - 0xDC00:02X}, which is" if undecoded else "bytes that are"
    shown, advice = encoding, "leave out --encoding if the file is UTF-8"
    if _is_utf_8(encoding):
        shown, advice = "UTF-8", "if an older program wrote the file, try --encoding cp1252"
    return f"{where} holds {byte} not {shown}; {advice}".lstrip()


def said(error: Exception) -> str:
    """Return what an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def hash_contents(*paths: Path) -> str:
    """Return the sha256 of the bytes of files, one after the other, in hexadecimal digits.

    Raises:
        OSError: one cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(2**20):
                digest.update(piece)
    return digest.hexdigest()
