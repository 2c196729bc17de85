"""A draft: a song as far as its writer has it, with gaps where lines are to be written.

    The Harbour

    The boats come in at evening
    ...
    The gulls ... land
    ... x2

    [Chorus]
    Leave a light on ...

A line that is `...` is a gap; `... lantern` ends with that word, `The moon ...` begins so, and `... x3` is
three gaps. The three dots stand alone between spaces; dots at a word ("waiting...") are the writer's own. The
first line is the title if an empty line follows. A label in brackets names a stanza, or brings it back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from lyricgen.errors import LyricgenError
from lyricgen.song.form import MAX_LINES
from lyricgen.song.sound import words

MAX_CHARACTERS = 50_000
"""Of a draft."""
_GAP = ("...", "…")
_TIMES = re.compile(r"[x×](\d{1,4})", re.IGNORECASE)
_LABEL = re.compile(r"\[(.*)\]")


class DraftError(LyricgenError):
    """A draft makes no sense in `line`, counted from 1; 0: as a whole."""

    def __init__(self, line: int, problem: str) -> None:
        self.line, self.problem = line, problem
        super().__init__(f"the draft, line {line}: {problem}" if line else f"the draft {problem}")


@dataclass(frozen=True)
class DraftLine:
    """A line of a draft; a gap if it has no text."""

    text: str = ""
    """The line as it stands there."""
    begins: str = ""
    """How the line in a gap begins."""
    ends: str = ""
    """The words with which it ends."""
    was: str = ""
    """What stood in a gap that is to be written anew: its rhyme stays as it was, its words do not."""

    def __bool__(self) -> bool:
        """Tell whether anything is known of the line as it will be."""
        return bool(self.text or self.begins or self.ends)

    @property
    def last_words(self) -> str:
        """What the line ends with, as far as that is known; else ""."""
        return self.text or self.ends


@dataclass(frozen=True)
class DraftStanza:
    """A stanza of a draft."""

    name: str
    """From its label, in small letters and without its number: "chorus"; "" without a label."""
    lines: tuple[DraftLine, ...]
    comes_back: bool = False
    """Whether its label stands alone: it has the lines of the first stanza of this name, repeated here."""


@dataclass(frozen=True)
class Draft:
    """A draft, read."""

    title: str
    """"" if it has none."""
    stanzas: tuple[DraftStanza, ...]

    @property
    def lines(self) -> tuple[DraftLine, ...]:
        """The lines of all stanzas."""
        return tuple(line for stanza in self.stanzas for line in stanza.lines)


def read_draft(text: str) -> Draft:
    """Return the draft that a text stands for.

    Raises:
        DraftError: it has no line, too many, or one that makes no sense.
    """
    if len(text) > MAX_CHARACTERS:
        raise DraftError(0, f"has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read")
    blocks = list(_blocks(text))
    title = ""
    if len(blocks) > 1 and len(blocks[0]) == 1 and not _LABEL.fullmatch(blocks[0][0][1]):
        line = _gap(blocks.pop(0)[0][1])
        title = line.text
    stanzas: list[DraftStanza] = []
    for block in blocks:
        stanzas += _stanzas(block, stanzas)
    draft = Draft(title, tuple(stanzas))
    if not draft.lines:
        raise DraftError(0, "has no lines")
    if len(draft.lines) > MAX_LINES:
        raise DraftError(0, f"has {len(draft.lines):,} lines; at most {MAX_LINES} are read")
    return draft


def _blocks(text: str) -> Iterator[list[tuple[int, str]]]:
    """Yield the runs of lines without an empty one between them, each line with its number."""
    block: list[tuple[int, str]] = []
    plain = unicodedata.normalize("NFC", text.removeprefix("\ufeff"))
    for number, line in enumerate(re.split("\r\n|\r|\n", plain), 1):
        line = " ".join(line.split())
        if not line.isprintable():
            raise DraftError(number, "has a character that cannot be printed")
        if line:
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _stanzas(block: list[tuple[int, str]], before: list[DraftStanza]) -> Iterator[DraftStanza]:
    """Yield the stanzas of a block: labels part them, too."""
    name, first, lines = "", 0, list[DraftLine]()
    for number, line in [*block, (0, "[]")]:
        label = _LABEL.fullmatch(line)
        if not label:
            lines += _lines(number, line)
            continue
        if lines:
            yield DraftStanza(name, tuple(lines))
        elif first:
            yield _again(name, first, before)
        name, first, lines = _section_name(label[1]), number, []


def _again(name: str, number: int, before: list[DraftStanza]) -> DraftStanza:
    known = next((stanza for stanza in before if stanza.name == name), None)
    if known is None or not name:
        raise DraftError(number, "this label has no lines, nor had it before: write ... x4 for four to come")
    return DraftStanza(name, tuple(DraftLine(line.text) for line in known.lines), comes_back=True)


def _section_name(label: str) -> str:
    """Return "chorus" for a label such as "Chorus 2: softly"."""
    found = re.match(r"[^\W\d_]+(?:[ -][^\W\d_]+)*", label.strip())
    return found[0].lower() if found else ""


def _lines(number: int, line: str) -> list[DraftLine]:
    """Return the line, or the gaps, that a line of a draft stands for."""
    first, _, last = line.partition(" ")
    if first in _GAP and (times := _TIMES.fullmatch(last)):
        if not 1 <= int(times[1]) <= MAX_LINES:
            raise DraftError(number, f"... x1 to ... x{MAX_LINES} are so many lines")
        return [DraftLine()] * int(times[1])
    found = _gap(line)
    if found.ends and not words(found.ends):
        raise DraftError(number, "behind the three dots a word is expected, such as ... lantern")
    return [found]


def _gap(line: str) -> DraftLine:
    """Return a line as it is, or the gap that it stands for."""
    parts = line.split(" ")
    dots = [n for n, part in enumerate(parts) if part in _GAP]
    if len(dots) != 1:
        return DraftLine(line)
    return DraftLine(begins=" ".join(parts[: dots[0]]), ends=" ".join(parts[dots[0] + 1 :]))
