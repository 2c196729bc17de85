"""Files → raw songs, one at a time: formats, encodings, columns, and rows that cannot be read.

A corpus may be larger than the memory, so nothing here holds more than one song. Files that people
really have are cut off, hold stray quotes or come from another encoding: each such defect is an error
that says where it is and what to do, and never a silent change of the texts.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol, TextIO

from train.config import CorpusConfig
from train.corpus.files import (
    DAMAGED,
    UNDECODED,
    CorpusError,
    check_marks,
    check_ordinary,
    codec_of,
    encoding_problem,
    is_utf_8_instead,
    open_bytes,
    reading_errors_named,
    said,
    update_with_file,
)

SUFFIXES = (".csv", ".gz", ".xz", ".zip")
_SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
TITLE_COLUMNS = ("song", "title")
"""Either holds titles; where both are, the first."""
DELIMITERS = ",;\t"
EMPTY_VALUES = frozenset({"nan", "NaN", "null", "NULL", "None", "N/A"})
"""What programs write for a value that is not there."""

_MAX_ROW_CHARACTERS = _MAX_TEXT_BYTES = 2**25
_SKIP_OFFER = "; --skip-bad-rows goes on without them"
_SAMPLE_ROWS = 1000
_MANY_LINED_SHARE = 0.02
"""From this share of texts of several lines on, a lone unquoted line after a bad row is a piece of it."""


class RawSong(NamedTuple):
    """A song as it stands in the file; fields that say "nothing", such as NaN, are empty."""

    text: str
    title: str = ""
    style: str = ""


class RawSongs(Protocol):
    """Songs to iterate over once; the counts are right when that is done."""

    name: str
    bad_rows: int
    not_read: str
    """Names of columns, or of files in a folder, that are not read, the first five; '' if there are none."""

    def __iter__(self) -> Iterator[RawSong]: ...


def open_songs(path: Path, config: CorpusConfig) -> RawSongs:
    """Look at a file or a folder of songs, and return them unread.

    Raises:
        CorpusError: it is not there, of another kind, or lacks a column. Iterating raises it too.
    """
    if path.is_dir():
        return TextFolder(path, config)
    if not path.exists():
        raise CorpusError(path, "no such file")
    name = path.name.lower()
    if name.endswith(".txt"):
        raise CorpusError(
            path, "is a single text; pass the folder that it is in, where each .txt is one song"
        )
    if not name.endswith(SUFFIXES) or name.endswith((".tar.gz", ".tar.xz")):
        advice = "; in your spreadsheet, save it as CSV UTF-8" if name.endswith(_SPREADSHEETS) else ""
        kinds = f"must be a folder of .txt files, or end in {', '.join(SUFFIXES)}"
        raise CorpusError(path, kinds + advice)
    check_ordinary(path)
    return Table(path, config)


def hash_files(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, or of a folder's relative paths and contents, in hexadecimal.

    A text in a folder that cannot be read, as reading will find, counts with its path alone.

    Raises:
        CorpusError: the file or the folder cannot be read.
    """
    if not path.is_dir():
        check_ordinary(path)
        return _hash_file(path).hexdigest()
    total = hashlib.sha256()
    for file_path in _Found(path).texts:
        relative = file_path.relative_to(path).as_posix()
        total.update(relative.encode("utf-8", "surrogateescape") + b"\0")
        with suppress(CorpusError):
            _check_text(file_path)
            total.update(_hash_file(file_path).digest())
    return total.hexdigest()


def _hash_file(path: Path) -> hashlib._Hash:
    total = hashlib.sha256()
    with reading_errors_named(path):
        update_with_file(total, path)
    return total


def _check_text(path: Path) -> None:
    """Make sure that a path is that of one song, before any of it is read.

    Raises:
        CorpusError: it is not.
    """
    with reading_errors_named(path):
        if path.is_dir():
            raise CorpusError(path, "is a link to a folder, which is not followed; copy the folder there")
        check_ordinary(path)
        if path.stat().st_size > _MAX_TEXT_BYTES:
            raise CorpusError(path, f"has more than {_MAX_TEXT_BYTES:,} bytes; a .txt is to hold one song")


class TextFolder:
    """The .txt files in a folder and the folders in it, each one song.

    Raises:
        CorpusError: there are none, or the folder cannot be read. Iterating raises it too.
    """

    def __init__(self, path: Path, config: CorpusConfig) -> None:
        self.path, self.config = path, config
        self.name = f"{path.resolve().name}/"
        self.bad_rows, self._found = 0, _Found(path)
        self.not_read = _listed(self._found.others, 5)
        if not self._found.texts:
            raise CorpusError(path, "is a folder without .txt files; pass a CSV, or a folder of .txt files")

    def __iter__(self) -> Iterator[RawSong]:
        """Yield the files' texts, in the order of their relative paths."""
        for path in self._found.texts:
            try:
                yield RawSong(_value(self._read(path)))
            except CorpusError:
                if not self.config.skip_bad_rows:
                    raise
                self.bad_rows += 1

    def _read(self, path: Path) -> str:
        _check_text(path)
        with reading_errors_named(path), path.open("rb") as file:
            content = file.read(_MAX_TEXT_BYTES)
        check_marks(path, content[:4], self.config.encoding)
        if is_utf_8_instead(content, self.config.encoding):
            raise CorpusError(path, f"is UTF-8, not {self.config.encoding}; save all files in one encoding")
        try:
            text = content.decode(codec_of(self.config.encoding), "surrogateescape")
        except UnicodeError as error:
            raise CorpusError(path, encoding_problem("it", None, self.config.encoding)) from error
        undecoded = UNDECODED.search(text)
        if undecoded:
            line = text.count("\n", 0, undecoded.start()) + 1
            problem = encoding_problem(f"line {line}", undecoded, self.config.encoding)
            raise CorpusError(path, f"{problem}; if only some files are so, save these as UTF-8")
        if "\0" in text:
            raise CorpusError(path, "holds a NUL: it is not a text")
        return text


class _Found:
    """What is in a folder and the folders in it; hidden files and folders are left out.

    Raises:
        CorpusError: it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        texts: list[Path] = []
        others: list[str] = []

        def refuse(error: OSError) -> None:
            raise CorpusError(Path(error.filename or folder), f"cannot be read: {error.strerror}") from error

        for parent, folders, names in os.walk(folder, onerror=refuse):
            folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
            texts += [Path(parent, name) for name in folders if Path(parent, name).is_symlink()]
            for name in names:
                if name.lower().endswith(".txt") and not name.startswith("."):
                    texts.append(Path(parent, name))
                elif not name.startswith(".") and name != "Thumbs.db":
                    others.append(Path(parent, name).relative_to(folder).as_posix())
        self.texts = sorted(texts, key=lambda path: path.relative_to(folder).as_posix())
        """Of .txt files, and of links to folders, which are no texts either."""
        self.others = sorted(others)
        """Relative paths of files of other kinds."""


def _listed(names: Sequence[str], most: int) -> str:
    """Return the first names of columns or files, each cut, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name)[1:-1][:40] for name in names[:most]) + more


class Table:
    """The rows of a CSV, perhaps compressed.

    Raises:
        CorpusError: it cannot be read, or lacks a column. Iterating raises it too.
    """

    def __init__(self, path: Path, config: CorpusConfig) -> None:
        self.path, self.config, self.name = path, config, path.name
        self.bad_rows = 0
        csv.field_size_limit(max(csv.field_size_limit(), _MAX_ROW_CHARACTERS))
        with self._lines() as lines:
            self.delimiter, self.columns = self._read_header(lines)
        self.text_index = self._find(config.text_column)
        titles = (name for name in TITLE_COLUMNS if name != _plain(config.text_column))
        found = map(self._find_optional, titles)  # one after the other: the second may be there twice
        self.title_index = next((index for index in found if index is not None), None)
        self.style_index = self._find_optional(config.style_column)
        if self.style_index is None and config.style_column != CorpusConfig.style_column:
            advice = "name the styles' column with --style-column NAME"
            raise CorpusError(path, f"has no column {config.style_column!r}; {self._found()}; {advice}")
        used = (self.text_index, self.title_index, self.style_index)
        others = [name for index, name in enumerate(self.columns) if name and index not in used]
        self.not_read = _listed(others, 5)

    def __iter__(self) -> Iterator[RawSong]:
        """Yield the songs row by row."""
        for fields in self._rows():
            yield RawSong(
                _value(fields[self.text_index]),
                "" if self.title_index is None else _value(fields[self.title_index]),
                "" if self.style_index is None else _value(fields[self.style_index]),
            )

    def _rows(self) -> Iterator[list[str]]:
        """Yield whole rows, and count the bad ones if they may be skipped.

        After a bad row nobody can tell where the next one begins. Where texts have several lines, only
        a row whose text is quoted is trusted again: its lines alone would be taken for short songs.
        """
        suspicious = broken = False
        line_before = ""
        for record in self._records():
            problem = record.problem or self._explain_last_line(record)
            if problem:
                if not self.config.skip_bad_rows:
                    raise CorpusError(self.path, record.where + problem)
                # the pieces of a broken text are one bad row together
                is_piece = not any(f'{self.delimiter}"' in line for line in record.lines[:1])
                counted = not (broken and is_piece)
                broken |= record.is_cut
                suspicious |= self._is_many_lined and (record.is_cut or is_piece)
                self.bad_rows += counted
            elif suspicious and not self._is_trusted(record, line_before):
                self.bad_rows += not broken or len(self.columns) > 1 or record.lines[0].startswith('"')
            else:
                suspicious = broken = False
                yield record.fields
            line_before = record.lines[0 if record.is_cut else -1] if record.lines else ""

    def _records(self) -> Iterator[_Record]:
        """Yield every record of the file; a bad one tells its problem."""
        with self._lines() as lines:
            self._read_header(lines)
            reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
            row = 0
            while True:
                lines.begin_row()
                first_line = lines.number + 1
                where = f"row {row + 1} (line {first_line}) "
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield _Record([], where, self._explain(error, lines), list(lines.taken), is_cut=True)
                    lines.give_back()
                except EOFError:
                    problem = f"the archive is cut off after row {row}; get it again{_SKIP_OFFER}"
                    yield _Record([], "", problem, is_cut=True)
                    return
                except DAMAGED as error:  # found by a checksum: rows before it may be wrong as well
                    problem = f"damaged at row {row} or before: {said(error)}; get it again"
                    raise CorpusError(self.path, problem) from error
                else:
                    if not fields:
                        continue
                    yield _Record(fields, where, self._problem(fields), list(lines.taken))
                row += 1

    def _explain(self, error: csv.Error, lines: _Lines) -> str:
        if "unexpected end of data" in str(error):
            problem = "has a quoted text that never ends: the file is cut off, or a quote is missing"
        elif "expected after" in str(error):
            problem = (
                f"has something after a closing quote in line {lines.number}: quotes in texts are doubled"
            )
        else:
            problem = f"cannot be read: {said(error)}"
        return problem + _SKIP_OFFER

    def _problem(self, fields: Sequence[str]) -> str:
        for field in fields:
            if not field.isascii() and (undecoded := UNDECODED.search(field)):
                return encoding_problem("", undecoded, self.config.encoding)
            if "\0" in field:
                return f"holds a NUL character{_SKIP_OFFER}"
        if len(fields) != len(self.columns):
            fields_text = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
            return (
                f"has {fields_text} where the header has {len(self.columns)}: "
                f"texts with commas or line ends need quotes{_SKIP_OFFER}"
            )
        return ""

    def _explain_last_line(self, record: _Record) -> str:
        """Tell what is wrong with the last line of a text whose quotes lack the first; '' if nothing."""
        line = record.lines[0].rstrip("\r\n") if len(record.lines) == 1 else ""
        if line.endswith('"') and line.count('"') % 2 and self._is_many_lined:
            return f"ends in a quote that nothing opened{_SKIP_OFFER}"
        return ""

    def _is_trusted(self, record: _Record, line_before: str) -> bool:
        """Tell whether a record after a bad one is a whole row: its text has quotes around it."""
        if len(self.columns) == 1 and not line_before.rstrip("\r\n").endswith('"'):
            return False  # may begin with a stray quote inside a text
        text = record.fields[self.text_index].replace('"', '""')
        return f'"{text}"' in "".join(record.lines)

    @cached_property
    def _is_many_lined(self) -> bool:
        """Tell whether texts of several lines are usual in the first rows."""
        whole = many = 0
        for record in self._records():
            if not record.problem:
                whole += 1
                many += len(record.lines) > 1
            if whole == _SAMPLE_ROWS:
                break
        return many >= _MANY_LINED_SHARE * whole

    def _read_header(self, lines: _Lines) -> tuple[str, list[str]]:
        """Read up to the first row; return the delimiter and the names of the columns, in lower case."""
        best: tuple[str, list[str]] = (DELIMITERS[0], [])
        try:
            for delimiter in DELIMITERS:
                lines.begin_row()
                columns = self._read_names(lines, delimiter)
                if _plain(self.config.text_column) in columns:
                    return delimiter, columns
                if len(columns) > len(best[1]):
                    best = delimiter, columns
                lines.give_back(keep=0)
        except DAMAGED as error:
            raise CorpusError(self.path, f"damaged, or of another kind: {said(error)}") from error
        if not best[1]:
            raise CorpusError(self.path, "the file is empty")
        return best

    def _read_names(self, lines: _Lines, delimiter: str) -> list[str]:
        try:
            for fields in csv.reader(lines, delimiter=delimiter):
                if fields:
                    break
                lines.begin_row()  # an empty line
            else:
                return []
        except csv.Error as error:
            raise CorpusError(self.path, f"the header cannot be read: {said(error)}") from error
        for field in fields:
            if undecoded := UNDECODED.search(field):
                problem = encoding_problem("the header", undecoded, self.config.encoding)
                raise CorpusError(self.path, problem)
        return [_plain(field) for field in fields]

    def _find(self, column: str) -> int:
        index = self._find_optional(column)
        if index is None:
            advice = "name the texts' column with --text-column NAME"
            if len(self.columns) == 1 and (other := re.search(r"[|:^~]", self.columns[0])):
                advice = f"columns are to be separated by commas, semicolons or tabs, not by {other.group()}"
            raise CorpusError(self.path, f"needs a column named {column}; {self._found()}; {advice}")
        return index

    def _find_optional(self, column: str) -> int | None:
        count = self.columns.count(_plain(column))
        if count > 1:
            raise CorpusError(self.path, f"has {count} columns named {column}; rename all but one")
        return self.columns.index(_plain(column)) if count else None

    def _found(self) -> str:
        return f"found: {_listed([name for name in self.columns if name], 20) or 'none'}"

    @contextmanager
    def _lines(self) -> Iterator[_Lines]:
        with reading_errors_named(self.path), open_bytes(self.path) as file:
            try:
                check_marks(self.path, file.peek(4)[:4], self.config.encoding)
            except DAMAGED as error:
                raise CorpusError(self.path, f"damaged, or of another kind: {said(error)}") from error
            codec = codec_of(self.config.encoding)
            text = io.TextIOWrapper(file, codec, errors="surrogateescape", newline="")
            try:
                yield _Lines(text)
            except UnicodeError as error:
                raise CorpusError(self.path, encoding_problem("it", None, self.config.encoding)) from error


class _Record(NamedTuple):
    fields: list[str]
    where: str
    problem: str = ""
    lines: Sequence[str] = ()
    """As they stand in the file."""
    is_cut: bool = False
    """Whether its quotes are wrong, so that the next record may be a piece of it."""


class _Lines:
    """Lines of a file, which remember those taken since a record began, to read them once more."""

    def __init__(self, text: TextIO) -> None:
        self.taken: list[str] = []
        self.number = 0
        """Number of the last line taken, from 1."""
        self._text = text
        self._again: deque[str] = deque()
        self._room = _MAX_ROW_CHARACTERS

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._text.readline(self._room + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.taken.append(line)
        self._room -= len(line)
        if self._room < 0:
            while line and not line.endswith(("\n", "\r")):  # what is left of it
                line = self._text.readline(_MAX_ROW_CHARACTERS)
            raise csv.Error(f"a row of more than {_MAX_ROW_CHARACTERS:,} characters")
        return line

    def begin_row(self) -> None:
        """Forget the lines taken so far."""
        self.taken.clear()
        self._room = _MAX_ROW_CHARACTERS

    def give_back(self, keep: int = 1) -> None:
        """Read all but the first `keep` of the lines taken again."""
        if self._room < 0:  # the last one may be a piece: none is read again
            return
        again = self.taken[keep:]
        self._again.extendleft(reversed(again))
        self.number -= len(again)


def _value(field: str) -> str:
    return "" if field.strip() in EMPTY_VALUES else field


def _plain(column: str) -> str:
    return column.strip().casefold()
