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
first line is the title if an empty line follows. A label in brackets names a stanza; alone, it brings the one
back that had it, or asks for another of that kind: [Verse 2].
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from lyricgen.errors import DraftError
from lyricgen.song.form import COMING_BACK, MAX_LINES
from lyricgen.song.sound import words
from lyricgen.vocabulary import Vocabulary

MAX_CHARACTERS = 50_000
"""Of a draft."""
MAX_LINE = 300
"""Characters of one of its lines."""
_GAP = ("...", "…")
_NEARLY = re.compile(r"[^\w\s]*(?:\.\.\.|…)[^\w\s]*")
"""Dots with other marks, which are taken for a gap that has gone wrong."""
_TIMES = re.compile(r"[x×](\d{1,4})", re.IGNORECASE)
_LABEL = re.compile(r"\[(.*)\]")
Block = list[tuple[int, str]]
"""Lines with their numbers in the text, from 1."""


@dataclass(frozen=True)
class DraftLine:
    """A line of a draft; a gap if it has no text."""

    text: str = ""
    """The line as it stands there."""
    begins: str = ""
    """How the line in a gap begins; with a space behind it where a word ends there."""
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
    """Whether it is the first stanza of its name again: it has the lines of that."""
    label: str = ""
    """As it stands there: "[Chorus]"; "" without one."""

    @property
    def repeated(self) -> tuple[DraftLine, ...]:
        """Its lines as they are known where it comes back; its gaps are filled but once."""
        return tuple(DraftLine(line.text) for line in self.lines)


@dataclass(frozen=True)
class Draft:
    """A draft, read."""

    title: str
    """"" if it has none."""
    stanzas: tuple[DraftStanza, ...]
    wants_title: bool = False
    """Whether there is a gap in its place."""

    @property
    def lines(self) -> tuple[DraftLine, ...]:
        """The lines of all stanzas."""
        return tuple(line for stanza in self.stanzas for line in stanza.lines)

    def unread(self, vocabulary: Vocabulary) -> str:
        """Return the characters of its words for which a vocabulary has none, each once."""
        known = (line.text + line.begins + line.ends for line in self.lines)
        return "".join(sorted({one for one in self.title + "".join(known) if not vocabulary.readable(one)}))


def read_draft(text: str, *, titles: bool = True, gaps: bool = True) -> Draft:
    """Return the draft that a text stands for.

    Args:
        text: a song.
        titles: whether its first line is a title if an empty line follows.
        gaps: whether three dots are gaps; else they are text, and a line of nothing else is passed over.

    Raises:
        DraftError: it has no line, too many, or one that makes no sense.
    """
    if len(text) > MAX_CHARACTERS:
        raise DraftError(0, f"has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read")
    blocks = list(_blocks(text))
    title, wants_title = _take_title(blocks) if titles else ("", False)
    stanzas: list[DraftStanza] = []
    for block in blocks:
        stanzas += _stanzas(block, stanzas, gaps=gaps)
    draft = Draft(title, tuple(stanzas), wants_title)
    if not draft.lines:
        raise DraftError(0, "has no lines")
    if len(draft.lines) > MAX_LINES:
        raise DraftError(0, f"has {len(draft.lines):,} lines; at most {MAX_LINES} are read")
    return draft


def _take_title(blocks: list[Block]) -> tuple[str, bool]:
    """Remove the title from the blocks; return it, or "", and whether one is to be invented."""
    if len(blocks) < 2 or len(blocks[0]) > 1:
        return "", False
    ((number, line),) = blocks[0]
    if _LABEL.fullmatch(line) or _times(line):
        return "", False
    found = _gap(number, line)
    if found and not found.text:
        raise DraftError(number, "a title is words, or ... alone for one to be invented")
    del blocks[0]
    return found.text, not found.text


def _blocks(text: str) -> Iterator[Block]:
    """Yield the runs of lines without an empty one between them, each line with its number."""
    block: Block = []
    plain = unicodedata.normalize("NFC", text.removeprefix("\ufeff"))
    for number, line in enumerate(re.split("\r\n|\r|\n", plain), 1):
        line = " ".join(line.split())
        if not line.isprintable():
            raise DraftError(number, "has a character that cannot be printed")
        if len(line) > MAX_LINE:
            raise DraftError(number, f"has {len(line):,} characters; at most {MAX_LINE} are read")
        if line:
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _stanzas(block: Block, before: list[DraftStanza], *, gaps: bool) -> Iterator[DraftStanza]:
    """Yield the stanzas of a block: labels part them, too."""
    name, first, lines, shown = "", 0, list[DraftLine](), ""
    for number, line in [*block, (0, "[]")]:
        label = _LABEL.fullmatch(line)
        if not label:
            lines += _lines(number, line) if gaps else _texts(line)
            continue
        if lines:
            yield DraftStanza(name, tuple(lines), label=shown)
        elif first:
            yield _alone(name, first, shown, before)
        name, first, lines, shown = _section_name(label[1]), number, [], line


def _alone(name: str, number: int, label: str, before: list[DraftStanza]) -> DraftStanza:
    """Return the stanza of a label without lines: the one that it repeats, or another of the same shape."""
    known = next((stanza for stanza in before if stanza.name == name), None)
    if known is None or not name:
        raise DraftError(number, f"{label} has no lines, nor had it before: write ... x4 for four to come")
    labels = {stanza.label.casefold() for stanza in before}
    if name in COMING_BACK or label.casefold() in labels:
        return DraftStanza(name, known.repeated, comes_back=True, label=label)
    return DraftStanza(name, (DraftLine(),) * len(known.lines), label=label)


def _section_name(label: str) -> str:
    """Return "chorus" for a label such as "Chorus 2: softly"."""
    found = re.match(r"[^\W\d_]+(?:[ -][^\W\d_]+)*", label.strip())
    return found[0].lower() if found else ""


def _lines(number: int, line: str) -> list[DraftLine]:
    """Return the line, or the gaps, that a line of a draft stands for."""
    if times := _times(line):
        if not 1 <= int(times) <= MAX_LINES:
            raise DraftError(number, f"... x1 to ... x{MAX_LINES} are so many lines")
        return [DraftLine()] * int(times)
    found = _gap(number, line)
    if found.ends and (_TIMES.match(found.ends) or not words(found.ends)):
        problem = "behind the three dots a word is expected, such as ... lantern; ... x2 stands alone"
        raise DraftError(number, problem)
    return [found]


def _texts(line: str) -> list[DraftLine]:
    return [] if line in _GAP or _times(line) else [DraftLine(line)]


def _times(line: str) -> str:
    """Return the number of gaps of a line such as "... x3"; "" if it is none such."""
    first, _, last = line.partition(" ")
    found = _TIMES.fullmatch(last)
    return found[1] if first in _GAP and found else ""


def _gap(number: int, line: str) -> DraftLine:
    """Return a line as it is, or the gap that it stands for."""
    parts = line.split(" ")
    dots = [n for n, part in enumerate(parts) if part in _GAP]
    if len(dots) > 1 or any(_NEARLY.fullmatch(part) and part not in _GAP for part in parts):
        raise DraftError(number, "a line has one gap, three dots alone between spaces")
    if not dots:
        return DraftLine(line)
    begins = "".join(part + " " for part in parts[: dots[0]])
    return DraftLine(begins=begins, ends=" ".join(parts[dots[0] + 1 :]))
