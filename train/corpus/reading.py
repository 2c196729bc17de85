"""Files → raw songs, one at a time: formats, encodings, columns, and rows that cannot be read.

A corpus may be larger than the memory, so nothing here holds more than one song. Real files are cut off, hold
stray quotes or have another encoding: each such defect is an error that says where it is and what to do.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple, TextIO

from train.config import CorpusConfig
from train.corpus.facts import counted
from train.corpus.files import (
    DAMAGED,
    UNDECODED,
    CorpusError,
    check_ordinary,
    codec_for,
    encoding_problem,
    hash_contents,
    is_hidden,
    listed,
    open_bytes,
    reading_errors_named,
    said,
)

SUFFIXES = (".csv", ".gz", ".xz", ".zip")
_SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
TITLE_COLUMNS = ("song", "title")
"""Names of the column of titles; a table with both has its titles in the first."""
SECTIONS_COLUMN = "sections"
DELIMITERS = ",;\t"
EMPTY_VALUES = frozenset({"nan", "NaN", "null", "NULL", "None", "N/A"})
"""What programs write for a missing value."""

_MAX_ROW_CHARACTERS = _MAX_TEXT_BYTES = 2**25
_SKIP_OFFER = "; --skip-bad-rows goes on without them"


class RawSong(NamedTuple):
    """A song as it stands in the file; a missing value, such as NaN, is empty."""

    text: str
    title: str = ""
    style: str = ""
    sections: str = ""
    """A word for each stanza, such as "verse chorus verse chorus"."""


def open_songs(path: Path, config: CorpusConfig) -> Table | TextFolder:
    """Look at a file or a folder of songs, and return it ready to be read, once.

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

    A text in a folder that cannot be read counts with its path alone; reading will report it.

    Raises:
        CorpusError: the file or the folder cannot be read.
    """
    if not path.is_dir():
        check_ordinary(path)
        with reading_errors_named(path):
            return hash_contents(path)
    total = hashlib.sha256()
    for text_path in _find_texts(path)[0]:
        relative = text_path.relative_to(path).as_posix()
        total.update(relative.encode("utf-8", "surrogateescape") + b"\0")
        with suppress(CorpusError):
            total.update(hashlib.sha256(_content_of(text_path)).digest())
    return total.hexdigest()


def _content_of(path: Path) -> bytes:
    """Return the bytes of a .txt; one that cannot be read, or is too large for a song, is a CorpusError."""
    check_ordinary(path)
    with reading_errors_named(path), path.open("rb") as file:
        content = file.read(_MAX_TEXT_BYTES + 1)
    if len(content) > _MAX_TEXT_BYTES:
        raise CorpusError(path, f"has more than {_MAX_TEXT_BYTES:,} bytes; a .txt is to hold one song")
    return content


class TextFolder:
    """The .txt files in a folder and in the folders below it; each is one song.

    Raises:
        CorpusError: there are none, or the folder cannot be read. Iterating raises it too.
    """

    def __init__(self, path: Path, config: CorpusConfig) -> None:
        self.config = config
        self.name = f"{path.resolve().name}/"
        self.bad_rows = 0
        """Files that could not be read and were skipped; right when all were read."""
        self._texts, others = _find_texts(path)
        self.not_read = listed(others, 5)
        """Names of the first five other files; '' if there are none."""
        if not self._texts:
            raise CorpusError(path, "is a folder without .txt files; pass a CSV, or a folder of .txt files")

    def __iter__(self) -> Iterator[RawSong]:
        """Yield the files' texts, in the order of their relative paths."""
        for path in self._texts:
            try:
                yield RawSong(_value(self._read(path)))
            except CorpusError:
                if not self.config.skip_bad_rows:
                    raise
                self.bad_rows += 1

    def _read(self, path: Path) -> str:
        encoding = self.config.encoding
        content = _content_of(path)
        codec = codec_for(path, content[:4], encoding)
        if not content.isascii() and not codecs.lookup(encoding).name.startswith("utf"):
            with suppress(UnicodeDecodeError):  # hardly any other text decodes as UTF-8
                content.decode("utf-8")
                raise CorpusError(path, f"is UTF-8, not {encoding}; save all files in one encoding")
        try:
            text = content.decode(codec, "surrogateescape")
        except UnicodeError as error:
            raise CorpusError(path, encoding_problem("it", None, encoding)) from error
        if undecoded := UNDECODED.search(text):
            line = text.count("\n", 0, undecoded.start()) + 1
            problem = encoding_problem(f"line {line}", undecoded, encoding)
            raise CorpusError(path, f"{problem}; if only some files are so, save these as UTF-8")
        if "\0" in text:
            raise CorpusError(path, "holds a NUL: it is not a text")
        return text


def _find_texts(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the paths of the .txt files below a folder, and the relative paths of others, both sorted.

    Links to folders are among the texts, for reading to refuse them; hidden files are passed over.
    """
    is_text = {}

    def refuse(error: OSError) -> None:
        raise error

    with reading_errors_named(folder):
        for parent, folders, names in os.walk(folder, onerror=refuse):
            folders[:] = [name for name in folders if not is_hidden(name)]
            links = [name for name in folders if Path(parent, name).is_symlink()]
            for name in [*links, *(name for name in names if not is_hidden(name))]:
                relative = Path(parent, name).relative_to(folder).as_posix()
                is_text[relative] = name in links or name.lower().endswith(".txt")
    ordered = sorted(is_text)
    return [folder / name for name in ordered if is_text[name]], [n for n in ordered if not is_text[n]]


class Table:
    """The rows of a CSV, perhaps compressed.

    Raises:
        CorpusError: it cannot be read, or lacks a column. Iterating raises it too.
    """

    def __init__(self, path: Path, config: CorpusConfig) -> None:
        self.path, self.config, self.name = path, config, path.name
        self.bad_rows = 0
        """Rows that could not be read and were skipped; right when all were read."""
        csv.field_size_limit(max(csv.field_size_limit(), _MAX_ROW_CHARACTERS))
        with self._open():
            pass  # reads the header
        text_index = self._find(config.text_column, "name the texts' column with --text-column NAME")
        titles = (self._find(name) for name in TITLE_COLUMNS if name != _plain(config.text_column))
        title_index = next((index for index in titles if index is not None), None)
        is_asked_for = config.style_column != CorpusConfig.style_column
        advice = "name the styles' column with --style-column NAME" if is_asked_for else ""
        style_index, sections_index = self._find(config.style_column, advice), self._find(SECTIONS_COLUMN)
        self._used = (text_index, title_index, style_index, sections_index)
        others = [name for index, name in enumerate(self.columns) if name and index not in self._used]
        self.not_read = listed(others, 5)
        """Names of the first five columns that are not used; '' if there are none."""

    def __iter__(self) -> Iterator[RawSong]:
        """Yield the songs row by row; raise an error for a bad row, or count it if it may be skipped.

        After a bad row the lines of its text may look like rows. Where texts have several lines,
        reading therefore goes on with the next row that has a value in quotes.
        """
        is_lost, line_before = False, ""  # lost: after a bad row, it is unclear where the next one begins
        for where, fields, problem, lines in self._read_rows():
            if not problem and _ends_in_stray_quote(lines) and self._has_long_texts:
                problem = f"ends in a quote that nothing opened{_SKIP_OFFER}"
            if problem and not self.config.skip_bad_rows:
                raise CorpusError(self.path, where + problem)
            opens_quote = f'{self.delimiter}"' in self.delimiter + "".join(lines[:1])
            # in a lone column, a stray quote at the beginning of a line looks like the beginning of a row
            is_row = opens_quote and (len(self.columns) > 1 or line_before.endswith('"'))
            if problem or (is_lost and not is_row):
                looks_like_a_row = opens_quote or (len(self.columns) > 1 and not problem)
                self.bad_rows += not is_lost or looks_like_a_row  # else it is a line of the row counted last
                is_lost = self._has_long_texts and not (fields and is_row)
            else:
                is_lost = False
                yield RawSong(*("" if index is None else _value(fields[index]) for index in self._used))
            line_before = "".join(lines[-1:]).rstrip("\r\n")

    @cached_property
    def _has_long_texts(self) -> bool:
        """Whether more than 2 % of the first rows have several lines, which alone may look like rows."""
        lengths = [len(lines) for *_, problem, lines in islice(self._read_rows(), 1000) if not problem]
        return sum(length > 1 for length in lengths) > 0.02 * len(lengths)

    def _read_rows(self) -> Iterator[tuple[str, list[str], str, list[str]]]:
        """Yield where every row is, its fields, its problem ('' if it can be read) and its lines.

        A row whose quotes are wrong has no fields; reading goes on with its second line.
        """
        with self._open() as lines:
            for number in count(1):
                try:
                    fields = lines.read_row(self.delimiter, strict=True)
                    if not fields:
                        return
                    problem = self._problem(fields)
                except csv.Error as error:
                    fields, problem = [], _explained(error, lines.number)
                except EOFError:
                    problem = f"the archive is cut off after row {number - 1}; get it again{_SKIP_OFFER}"
                    yield "", [], problem, []
                    return
                except DAMAGED as error:  # found by a checksum: rows before it may be wrong as well
                    problem = f"damaged at row {number - 1} or before: {said(error)}; get it again"
                    raise CorpusError(self.path, problem) from error
                where = f"row {number} (line {lines.number - len(lines.taken) + 1}) "
                yield where, fields, problem, lines.taken if fields else lines.taken[:1]
                if not fields:
                    lines.give_back()

    def _problem(self, fields: Sequence[str]) -> str:
        text = "".join(fields)
        if not text.isascii() and (undecoded := UNDECODED.search(text)):
            return encoding_problem("", undecoded, self.config.encoding)
        if "\0" in text:
            return f"holds a NUL character{_SKIP_OFFER}"
        if len(fields) == len(self.columns):
            return ""
        found = f"has {counted(len(fields), 'field')} where the header has {len(self.columns)}"
        return f"{found}: texts with commas or line ends need quotes{_SKIP_OFFER}"

    @contextmanager
    def _open(self) -> Iterator[_Lines]:
        """Open the file, read its header, and yield the lines after it."""
        encoding = self.config.encoding
        try:
            with reading_errors_named(self.path), open_bytes(self.path) as file:
                codec = codec_for(self.path, file.peek(4)[:4], encoding)
                text = io.TextIOWrapper(file, codec, errors="surrogateescape", newline="")
                lines = _Lines(text)
                self.delimiter, self.columns = self._read_header(lines)
                yield lines
        except UnicodeError as error:
            raise CorpusError(self.path, encoding_problem("it", None, encoding)) from error

    def _read_header(self, lines: _Lines) -> tuple[str, list[str]]:
        """Return the delimiter with which the column of texts is found, and the columns in lower case."""
        tables: dict[str, list[str]] = {}
        for delimiter in DELIMITERS:
            lines.give_back(keep=0)
            try:
                fields = lines.read_row(delimiter, strict=False)
            except csv.Error as error:
                raise CorpusError(self.path, f"the header cannot be read: {said(error)}") from error
            if undecoded := UNDECODED.search("".join(fields)):
                raise CorpusError(self.path, encoding_problem("the header", undecoded, self.config.encoding))
            tables[delimiter] = [_plain(field) for field in fields]
            if _plain(self.config.text_column) in tables[delimiter]:
                return delimiter, tables[delimiter]
        if not fields:
            raise CorpusError(self.path, "the file is empty")
        return max(tables.items(), key=lambda table: len(table[1]))

    def _find(self, column: str, advice: str = "") -> int | None:
        """Return the index of a column; if it is not there, None or, with advice on what to do, an error."""
        count = self.columns.count(_plain(column))
        if count > 1:
            raise CorpusError(self.path, f"has {count} columns named {column}; rename all but one")
        if advice and not count:
            if len(self.columns) == 1 and (other := re.search(r"[|:^~]", self.columns[0])):
                advice = f"columns are to be separated by commas, semicolons or tabs, not by {other.group()}"
            found = listed([name for name in self.columns if name], 20) or "none"
            raise CorpusError(self.path, f"needs a column named {column}; found: {found}; {advice}")
        return self.columns.index(_plain(column)) if count else None


class _Lines:
    """Lines of a file; those of the last row can be given back, to be read once more."""

    def __init__(self, text: TextIO) -> None:
        self.taken: list[str] = []
        """Lines of the last row."""
        self.number = 0
        """Number of the last line taken, from 1."""
        self._text = text
        self._again: deque[str] = deque()
        self._room = 0

    def read_row(self, delimiter: str, *, strict: bool) -> list[str]:
        """Return the fields of the next row that is not an empty line; [] at the end of the file."""
        self.taken, self._room = [], _MAX_ROW_CHARACTERS
        return next(filter(None, csv.reader(self, delimiter=delimiter, strict=strict)), [])

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._text.readline(_MAX_ROW_CHARACTERS)
        if not line:
            raise StopIteration
        self.number += 1
        self._room -= len(line)
        if self.taken or line.strip("\r\n"):
            self.taken.append(line)
        if self._room <= 0:
            while line and not line.endswith(("\n", "\r")):  # what is left of it
                line = self._text.readline(_MAX_ROW_CHARACTERS)
            raise csv.Error(f"a row of more than {_MAX_ROW_CHARACTERS:,} characters")
        return line

    def give_back(self, keep: int = 1) -> None:
        """Give back all lines of the last row but the first `keep`."""
        again = self.taken[keep:]
        self._again.extendleft(reversed(again))
        self.number -= len(again)


def _ends_in_stray_quote(lines: Sequence[str]) -> bool:
    """Tell whether a row looks like the last line of a text that lacks its opening quote."""
    line = lines[0].rstrip("\r\n") if len(lines) == 1 else ""
    return line.endswith('"') and line.count('"') % 2 == 1


def _explained(error: csv.Error, line: int) -> str:
    if "unexpected end of data" in str(error):
        problem = "has a quoted text that never ends: the file is cut off, or a quote is missing"
    elif "expected after" in str(error):
        problem = f"has something after a closing quote in line {line}: quotes in texts are doubled"
    else:
        problem = f"cannot be read: {said(error)}"
    return problem + _SKIP_OFFER


def _value(field: str) -> str:
    return "" if field.strip() in EMPTY_VALUES else field


def _plain(column: str) -> str:
    return column.strip().casefold()
