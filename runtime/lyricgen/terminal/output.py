"""Keeping many songs: whole ones only, and so that an interrupted run can go on.

A file takes its name when all its songs are there; until then they stand in a journal beside it,
`songs.txt.part`: a line that says which songs these are, then a line of JSON for each, as they were
finished: a long song keeps no other one waiting. A folder has a file for each song, and `order.json`, which
says what they have in common. Whoever asks for the same songs again gets the missing ones; whoever asks for
others is told.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from lyricgen.errors import LyricgenError
from lyricgen.files import check_writable, open_no_link, write_atomically, write_new, writing_errors_named
from lyricgen.model_file.contract import MAX_INDEX
from lyricgen.printable import shortened

if TYPE_CHECKING:
    from lyricgen.generator import Song

TEXT, JSONL = "text", "jsonl"
BETWEEN_SONGS = "\n\n"  # two blank lines; songs themselves have single ones

Order = dict[str, Any]
"""JSON values that decide every song besides its index, "seed" among them."""

_VERSION = 1
_HEADER_BEGINNING = b'{"lyricgen_songs": '
_MAX_HEADER_BYTES = 2**22
_BYTES_BESIDE_THE_TEXT, _BYTES_OF_A_CHARACTER = 1000, 12
"""In the line of a song, at most."""
_ORDER_NAME = "order.json"
_SUFFIXES = {TEXT: ".txt", JSONL: ".jsonl"}
_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2} if os.name == "posix" else {}
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Output(Protocol):
    """Where songs are kept. A context manager; leaving it early keeps what is there."""

    in_order: bool
    """Whether songs must be added in the order of their indexes."""

    @property
    def missing(self) -> Sequence[int]:
        """Indexes of the songs that are still to be added."""

    @property
    def following(self) -> int:
        """Index of the first song beyond these that is not there yet."""

    def add(self, song: Song) -> None:
        """Keep a song, one of the missing; the first of them if `in_order`."""

    def finish(self) -> None:
        """Make it known that all songs were added."""

    def __enter__(self) -> Output: ...

    def __exit__(self, *_error: object) -> None: ...


def to_line(song: Song) -> str:
    r"""Return a song as JSON in one line, which no "\n" ends."""
    bits = song.bits_per_character
    rounded = None if bits is None else round(float(bits), 4)
    return _line(song.text, song.seed, song.index, song.finished, rounded)


def open_output(path: Path, output_format: str, order: Order, indexes: range) -> Output:
    """Prepare a file or folder for songs, or find what an interrupted run left there.

    Args:
        path: a file to be made or replaced, or a folder, which has to be there; a device, a pipe or an open
            stream (/dev/stdout, /dev/fd/3) takes the songs as they come.
        output_format: `TEXT` or `JSONL`.
        order: what the songs have in common.
        indexes: which songs.

    Raises:
        LyricgenError: it cannot be written, or holds songs of another order.
    """
    if _descriptor(path) is not None:
        return _SongPipe(path, output_format, indexes)
    if path.is_dir():
        return _SongFolder(path, output_format, order, indexes)
    if path.exists() and not path.is_file():
        return _SongPipe(path, output_format, indexes)
    return _SongFile(path, output_format, order, indexes)


def recorded_seed(path: Path) -> int | None:
    """Return the seed of the songs that an interrupted run left at `path`, or None."""
    if _descriptor(path) is not None:
        return None
    source = path / _ORDER_NAME if path.is_dir() else _journal_path(path)
    with suppress(OSError, LyricgenError, *_UNREADABLE):
        seed = json.loads(_read_header(source))["order"]["seed"]
        return seed if type(seed) is int and 0 <= seed <= MAX_INDEX else None
    return None


class _SongFile:
    """Songs in one file, by way of a journal. Two runs at once are kept apart where the system can."""

    in_order = False

    def __init__(self, path: Path, output_format: str, order: Order, indexes: range) -> None:
        check_writable(path)
        self._path, self._format, self._seed, self._indexes = path, output_format, order["seed"], indexes
        self.following = indexes.stop
        self._max_bytes = _BYTES_BESIDE_THE_TEXT + _BYTES_OF_A_CHARACTER * order["max_length"]  # of a song
        self._journal_path = _journal_path(path)
        if self._journal_path.exists() and not self._journal_path.is_file():
            raise _damaged(self._journal_path)
        asked = {"order": order, "format": output_format, "first": indexes.start, "samples": len(indexes)}
        self._header = json.dumps({"lyricgen_songs": _VERSION, **asked}).encode() + b"\n"
        with writing_errors_named(self._journal_path):
            self._journal = _open_locked(self._journal_path)
            try:
                self._places = self._read_journal()  # index → where its line begins
            except BaseException:
                self._journal.close()
                raise

    @property
    def missing(self) -> Sequence[int]:
        if not self._places:
            return self._indexes  # of any length
        return [index for index in self._indexes if index not in self._places]

    def add(self, song: Song) -> None:
        line = to_line(song).encode() + b"\n"
        start = self._journal.seek(0, os.SEEK_END)
        self._append(line)
        self._places[song.index] = start

    def finish(self) -> None:
        with writing_errors_named(self._path):
            write_atomically(self._path, self._final_form())
        self._places = {}  # the journal has served

    def __enter__(self) -> _SongFile:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._places:
            self._journal.close()
            return
        if os.name == "nt":  # which removes no open file
            self._journal.close()
        self._journal_path.unlink(missing_ok=True)  # while it is locked: nobody else's
        self._journal.close()

    def _append(self, content: bytes) -> None:
        with writing_errors_named(self._journal_path):
            while content:
                content = content[self._journal.write(content) or 0 :]

    def _read_journal(self) -> dict[int, int]:
        """Return where whole songs are; cut off half a line, and begin an empty journal."""
        self._journal.seek(0)
        with self._journal_path.open("rb") as file:
            header = file.readline(_MAX_HEADER_BYTES)
            if _is_torn(header):
                self._journal.truncate(0)
                self._append(self._header)
                return {}
            _compare(self._journal_path, header, self._header)
            end, places = len(header), dict[int, int]()
            while line := file.readline(self._max_bytes):
                is_half = not line.endswith(b"\n") and len(line) < self._max_bytes
                if is_half and len(places) < len(self._indexes):
                    break
                index, _ = self._read_song(line)
                if index in places or index not in self._indexes:
                    raise _damaged(self._journal_path)
                places[index] = end
                end += len(line)
        self._journal.truncate(end)
        return places

    def _read_song(self, line: bytes) -> tuple[int, str]:
        """Return the index and the text of the song in a line of the journal."""
        try:
            return _song_in(line[:-1], self._seed)
        except _UNREADABLE as error:
            raise _damaged(self._journal_path) from error

    def _final_form(self) -> Iterator[bytes]:
        with self._journal_path.open("rb") as file:
            for n, index in enumerate(self._indexes):
                file.seek(self._places[index])
                line = file.readline(self._max_bytes)
                found, text = self._read_song(line)
                if found != index:
                    raise _damaged(self._journal_path)
                yield line if self._format == JSONL else _text_form(text, n)


class _SongFolder:
    """Songs in files of their own. Several runs may share a folder, for songs of one order."""

    in_order = False

    def __init__(self, path: Path, output_format: str, order: Order, indexes: range) -> None:
        self._path, self._format = path, output_format
        order_path = path / _ORDER_NAME
        check_writable(order_path)
        asked = json.dumps({"lyricgen_songs": _VERSION, "order": order, "format": output_format}) + "\n"
        with writing_errors_named(path):
            has_songs = next(path.glob("song_*"), None) is not None
            if not order_path.exists():  # looked for after songs: another run may be beginning
                if has_songs:
                    raise LyricgenError(
                        f"{path}: has songs, but no {_ORDER_NAME} that says which; use another folder"
                    )
                with suppress(FileExistsError):  # another run was quicker
                    write_new(order_path, asked.encode())
            _compare(order_path, _read_header(order_path), asked.encode())
        self.missing: Sequence[int] = indexes  # of any length
        if has_songs:
            there = set(os.listdir(path))  # noqa: PTH208 (names are enough)
            self.missing = [index for index in indexes if self._song_path(index).name not in there]
        self._last = indexes.stop

    @property
    def following(self) -> int:
        return next(index for index in count(self._last) if not self._song_path(index).exists())

    def add(self, song: Song) -> None:
        path = self._song_path(song.index)
        with writing_errors_named(path):
            write_atomically(path, in_form(song, self._format, 0).encode())

    def finish(self) -> None:
        """Do nothing: each song has its name already."""

    def __enter__(self) -> _SongFolder:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def _song_path(self, index: int) -> Path:
        return self._path / f"song_{index:06}{_SUFFIXES[self._format]}"


class _SongPipe:
    """Songs that go to a device, a pipe or an open stream as they come."""

    in_order = True

    def __init__(self, path: Path, output_format: str, indexes: range) -> None:
        self._path, self._format, self.missing, self.following = path, output_format, indexes, indexes.stop
        descriptor = _descriptor(path)
        with writing_errors_named(path):
            # A stream that is a file is not opened anew: that would begin at its beginning.
            self._file = path.open("wb") if descriptor is None else os.fdopen(os.dup(descriptor), "wb")
        self._written = 0

    def add(self, song: Song) -> None:
        with writing_errors_named(self._path):
            self._file.write(in_form(song, self._format, self._written).encode())
            self._file.flush()
        self._written += 1

    def finish(self) -> None:
        """Do nothing: the songs have gone."""

    def __enter__(self) -> _SongPipe:
        return self

    def __exit__(self, *_error: object) -> None:
        with suppress(OSError):
            self._file.close()


def in_form(song: Song, output_format: str, n: int) -> str:
    """Return song number n of an output, from 0, as it stands there."""
    return to_line(song) + "\n" if output_format == JSONL else _text_form(song.text, n).decode()


def _text_form(text: str, n: int) -> bytes:
    return ((BETWEEN_SONGS if n else "") + text + "\n").encode()


def _descriptor(path: Path) -> int | None:
    """Return which of this process's open streams a path names; None if it is none of them."""
    name = path.as_posix()
    if name in _STREAMS:
        return _STREAMS[name]
    match = re.fullmatch(r"/(?:dev|proc/self)/fd/([0-9]{1,9})", name)
    return int(match[1]) if match and os.name == "posix" else None


def _journal_path(path: Path) -> Path:
    real = Path(os.path.realpath(path))
    return real.with_name(real.name + ".part")


def _line(text: str, seed: int, index: int, finished: str, bits_per_character: float | None) -> str:
    facts = {
        "text": text,
        "seed": seed,
        "index": index,
        "finished": finished,
        "characters": len(text),
        "bits_per_character": bits_per_character,
    }
    return json.dumps(facts, ensure_ascii=False, allow_nan=False)


def _song_in(line: bytes, seed: int) -> tuple[int, str]:
    """Return the index and the text of a song from the line that `to_line` made of it.

    Raises:
        ValueError, RecursionError: `to_line` did not make it, or of a song of another seed.
    """
    match json.loads(line):
        case {
            "text": str(text),
            "index": int(index),
            "finished": str(finished),
            "bits_per_character": float() | None as bits,
        }:
            if type(index) is int and _line(text, seed, index, finished, bits).encode() == line:
                return index, text
    raise ValueError("not the line of a song of this seed")


def _is_torn(header: bytes) -> bool:
    """Return whether it is the beginning of a header, and not a line of somebody else's file."""
    if header.endswith(b"\n") or len(header) == _MAX_HEADER_BYTES:
        return False
    return header.startswith(_HEADER_BEGINNING) or _HEADER_BEGINNING.startswith(header)


def _read_header(path: Path) -> bytes:
    """Return the first line of an ordinary file; a pipe in its place would be waited on for ever."""
    if not path.is_file():
        raise _damaged(path)
    with path.open("rb") as file:
        return file.readline(_MAX_HEADER_BYTES)


def _compare(path: Path, found: bytes, asked: bytes) -> None:
    """Make sure that what is at `path` belongs to the songs asked for.

    Raises:
        LyricgenError: it does not; the first difference is named.
    """
    try:
        difference = _difference(json.loads(found), json.loads(asked))
    except _UNREADABLE as error:
        raise _damaged(path) from error
    if difference:
        raise LyricgenError(
            f"{path}: belongs to other songs ({difference}): "
            "ask for those, remove it, or choose another --output"
        )


def _difference(found: dict[str, Any], asked: dict[str, Any]) -> str:
    """Say which fact is the first that two headers do not share; nothing if they share all."""
    theirs, ours = ({**header.pop("order"), **header} for header in (found, asked))
    for name in {**ours, **theirs}:
        if theirs.get(name) != ours.get(name):
            there, here = (shortened(json.dumps(facts.get(name))) for facts in (theirs, ours))
            return f"{shortened(name)} {there}, not {here}"
    return ""


def _damaged(path: Path) -> LyricgenError:
    return LyricgenError(
        f"{path}: is damaged, or no journal of lyricgen's: remove it, or choose another --output"
    )


def _open_locked(path: Path) -> IO[bytes]:
    """Open a journal to append to; make it if it is not there.

    Raises:
        LyricgenError: another run is writing to it.
    """
    while True:
        file = open(path, "a+b", buffering=0, opener=open_no_link)  # noqa: SIM115 (returned)
        try:
            _lock(file, path)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # another run has just removed it


def _lock(file: IO[bytes], path: Path) -> None:
    """Keep other runs out until the file is closed; Windows and some file systems cannot.

    Raises:
        LyricgenError: another run is writing to it.
    """
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise LyricgenError(f"{path}: another run is writing to it") from error
    except OSError:  # a file system without locks
        return
