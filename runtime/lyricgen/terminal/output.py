"""Keeping many songs: whole ones only, and so that the same command goes on after an interruption.

A file takes its name when all its songs are there. Until then they stand in a journal beside it,
`songs.txt.part`: a line of JSON with the request, which says what songs they are, then a line for each song,
as they were finished. A folder has a file for each song, and the request in `order.json`. Whoever asks for
the same songs again gets the missing ones; whoever asks for others is told what differs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TextIO

from lyricgen.errors import LyricgenError
from lyricgen.files import check_writable, open_no_link, write_atomically, write_new, writing_errors_named
from lyricgen.options import Index, checked
from lyricgen.printable import shortened
from lyricgen.schema import from_json

if TYPE_CHECKING:
    from lyricgen.generator import Song

JSONL = "jsonl"
BETWEEN_SONGS = "\n\n"  # two blank lines; songs themselves have single ones
Facts = Mapping[str, Any]
_REQUEST_NAME = "order.json"
_INSTEAD = "remove it, or choose another --output"
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Output(NamedTuple):
    """Where songs are kept."""

    missing: Sequence[int]
    """Indexes of the songs to add."""
    add: Callable[[Song], None]
    """Keeps a song, one of the missing."""
    in_order: bool = False
    """Whether songs must be added in the order of their indexes."""


def open_output(
    name: str | Path, output_format: str, request: Facts, indexes: range
) -> AbstractContextManager[Output]:
    """Prepare a file, a pipe, an open stream (/dev/fd/3) or, if it is there or ends with a slash, a folder.

    Nothing is made before the context is entered. Leave it when all missing songs were added; an exception
    that leaves it keeps what is there. `request` has JSON values that decide every song besides its index,
    "seed" among them.

    Raises:
        LyricgenError: it cannot be written or, on entering the context, belongs to other songs.
    """
    path = Path(name)
    is_new_folder = str(name).endswith(("/", os.sep)) and not path.is_dir()
    if is_new_folder and os.path.lexists(path):
        raise LyricgenError(f"{path}: is a file or a broken link; leave out the slash, or name a folder")
    if _descriptor(path) is not None or not (path.is_dir() or path.is_file() or not path.exists()):
        return _song_pipe(path, output_format, indexes)
    check_writable(path / _REQUEST_NAME if path.is_dir() else path)
    open_it = _song_folder if is_new_folder or path.is_dir() else _song_file
    return open_it(path, {"lyricgen_songs": 1, "order": request, "format": output_format}, indexes)


def recorded_seed(path: Path) -> int | None:
    """Return the seed of the songs that an interrupted run left at `path`, or None."""
    source = path / _REQUEST_NAME if path.is_dir() else _journal_path(path)
    if source.is_file():  # a pipe would be waited on
        with suppress(OSError, *_UNREADABLE), source.open("rb") as file:
            return int(checked(Index, json.loads(file.readline())["order"]["seed"], "seed"))
    return None


def to_line(song: Song) -> str:
    r"""Return a song as JSON in one line, which no "\n" ends."""
    return json.dumps(song.to_json(), ensure_ascii=False, allow_nan=False)


def to_stream(stream: TextIO, output_format: str, indexes: range) -> Output:
    """Return an output that passes songs on as they come."""
    numbers = count()

    def add(song: Song) -> None:
        stream.write(in_form(song, output_format, next(numbers)))
        stream.flush()

    return Output(indexes, add, in_order=True)


def in_form(song: Song, output_format: str, n: int) -> str:
    """Return song number n of an output, from 0, as it stands there."""
    return (to_line(song) if output_format == JSONL else (BETWEEN_SONGS if n else "") + song.text) + "\n"


@contextmanager
def _song_file(path: Path, request: Facts, indexes: range) -> Iterator[Output]:
    """Keep songs in one file, by way of a journal; two runs at once are kept apart where the system can."""
    journal_path = _journal_path(path)
    request = {**request, "first": indexes.start, "samples": len(indexes)}

    def append(line: str) -> int:
        content = line.encode() + b"\n"
        with writing_errors_named(journal_path):
            start: int = journal.seek(0, os.SEEK_END)  # an error if it is a pipe
            while content:
                content = content[journal.write(content) :]
        return start

    def add(song: Song) -> None:
        places[song.index] = append(to_line(song))

    def final_form() -> Iterator[bytes]:
        with journal_path.open("rb") as file, _damage_named(journal_path):
            for n, index in enumerate(indexes):
                file.seek(places[index])
                yield in_form(_song_in(file.readline()), request["format"], n).encode()

    with writing_errors_named(journal_path):
        journal: Any = open(journal_path, "a+b", buffering=0, opener=open_no_link)  # noqa: SIM115
    with journal:
        _lock(journal, journal_path)
        if not journal_path.stat().st_size:
            append(json.dumps(request))
        places = _read_journal(journal, journal_path, request, indexes)
        try:
            yield Output([index for index in indexes if index not in places] if places else indexes, add)
            with writing_errors_named(path):
                write_atomically(path, final_form())
            places.clear()  # the journal is no longer needed
        finally:
            if not places:
                if os.name == "nt":  # which removes no open file
                    journal.close()
                journal_path.unlink()  # while it is locked: nobody else's


def _read_journal(journal: IO[bytes], path: Path, request: Facts, indexes: range) -> dict[int, int]:
    """Return by index where the lines of whole songs begin in a journal; cut off half a line at its end."""
    places: dict[int, int] = {}
    with path.open("rb") as file, _damage_named(path):
        _compare(path, file.readline(), request)
        end = file.tell()
        while (line := file.readline()).endswith(b"\n"):
            song = _song_in(line)
            if song.index in places or song.index not in indexes or song.seed != request["order"]["seed"]:
                raise ValueError("not a song of this request")
            places[song.index], end = end, file.tell()
    journal.truncate(end)
    return places


def _song_in(line: bytes) -> Song:
    """Return the song of a line of a journal; raise one of `_UNREADABLE` if `to_line` has not made it."""
    from lyricgen.generator import Song

    facts = json.loads(line)
    del facts["characters"]
    song = from_json(Song, facts | {"composed": facts.pop("lines", [])})
    if to_line(song).encode() + b"\n" != line:
        raise ValueError("not a song")
    return song


@contextmanager
def _song_folder(path: Path, request: Facts, indexes: range) -> Iterator[Output]:
    """Keep songs in files of their own. Several runs may share a folder, for songs of one request."""
    with writing_errors_named(path):
        path.mkdir(exist_ok=True)  # another shard may have made it
    request_path, names = path / _REQUEST_NAME, set(os.listdir(path))  # noqa: PTH208 (names are enough)
    has_songs = any(name.startswith("song_") for name in names)
    if has_songs and not request_path.exists():  # looked for after songs: another run may be beginning
        raise LyricgenError(f"{path}: has songs, but no {_REQUEST_NAME} that says which; use another folder")
    with writing_errors_named(path), suppress(FileExistsError):
        write_new(request_path, json.dumps(request).encode() + b"\n")
    _compare(request_path, request_path.read_bytes(), request)

    def name(index: int) -> str:
        return f"song_{index:06}.{'jsonl' if request['format'] == JSONL else 'txt'}"

    def add(song: Song) -> None:
        with writing_errors_named(path / name(song.index)):
            write_atomically(path / name(song.index), in_form(song, request["format"], 0).encode())

    yield Output([index for index in indexes if name(index) not in names] if has_songs else indexes, add)


@contextmanager
def _song_pipe(path: Path, output_format: str, indexes: range) -> Iterator[Output]:
    """Pass songs to a device, a pipe or an open stream as they come."""
    descriptor = _descriptor(path)
    with writing_errors_named(path):  # an open stream is not opened again: a file would begin anew
        place = path if descriptor is None else os.dup(descriptor)
        file = open(place, "w", encoding="utf-8", newline="\n")  # noqa: PTH123, SIM115
        try:
            yield to_stream(file, output_format, indexes)
        finally:
            with suppress(OSError):
                file.close()


def _descriptor(path: Path) -> int | None:
    """Return which of this process's open streams a path names; None if it is none of them."""
    name = {"/dev/stdout": "/dev/fd/1", "/dev/stderr": "/dev/fd/2"}.get(str(path), str(path))
    number = name.removeprefix("/dev/fd/").removeprefix("/proc/self/fd/")
    return int(number) if number != name and number.isdecimal() else None


def _journal_path(path: Path) -> Path:
    with writing_errors_named(path):  # the working folder may have been removed
        return Path(os.path.realpath(path) + ".part")


def _compare(path: Path, found: bytes, request: Facts) -> None:
    """Raise an error that names the first difference if what is at `path` belongs to other songs."""
    with _damage_named(path):
        # the options of the songs beside the other facts, as one table
        theirs, ours = ({**facts["order"], **facts, "order": 0} for facts in (json.loads(found), request))
    for name in {**ours, **theirs}:
        if theirs.get(name) != ours.get(name):
            there, here = (shortened(json.dumps(facts.get(name))) for facts in (theirs, ours))
            difference = f"{shortened(name)} {there}, not {here}"
            # without order.json, the folder's songs could not be continued
            other = "use another folder" if path.name == _REQUEST_NAME else _INSTEAD
            raise LyricgenError(f"{path}: belongs to other songs ({difference}): ask for those, or {other}")


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise LyricgenError(f"{path}: is damaged, or no journal of lyricgen's: {_INSTEAD}") from error


def _lock(journal: IO[bytes], path: Path) -> None:
    """Keep other runs out until the journal is closed; Windows and some file systems cannot."""
    with suppress(ImportError, OSError):
        import fcntl

        with suppress(BlockingIOError):
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(journal.fileno()).st_nlink:  # else the run that had the lock has removed it
                return
        raise LyricgenError(f"{path}: another run is writing to it")
