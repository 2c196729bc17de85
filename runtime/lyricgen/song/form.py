"""The form of a song: its sections, and for each line of these a rhyme and a number of syllables.

A form is written as a text, one section after the other:

    verse ABAB 8,6,8,6; chorus AABB 7; verse; chorus

Lines with the same letter rhyme within their section; those with x need not. A letter and a figure (A1) name
a line that comes back word for word. A slash (AAB/CCB) parts the stanzas of a section; "iambic" or "trochaic"
behind it asks for that metre. A section that is named again has the shape that it had before; a chorus (or
refrain) also has its words. Sections may be numbered (verse 1) and stand on lines of their own; # begins a
comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from lyricgen.errors import OptionError
from lyricgen.song.sound import METRES

FREE = "x"
"""In place of a rhyme letter: the line rhymes with nothing."""
MAX_SYLLABLES, MAX_LINES = 30, 400

NAMED = {
    "couplets": "verse AABB; verse; verse",
    "quatrains": "verse ABAB; verse; verse",
    "ballad": "verse xAxA 8,6,8,6; verse; verse; verse",
    "hymn": "verse ABAB 8,6,8,6 iambic; verse; verse",
    "limerick": "verse AABBA 8-9,8-9,5-6,5-6,8-9",
    "blues": "first A1A1A 9-12; second B1B1B 9-12; third C1C1C 9-12",
    "sonnet": "verse ABAB 10 iambic; verse; verse; couplet AA 10 iambic",
    "villanelle": "verse A1BA2/ABA1/ABA2/ABA1/ABA2/ABA1A2 8-10",
    "song": "verse ABAB 7-9; chorus AABB 6-8; verse; chorus; bridge AA 8-10; chorus",
}
"""Forms that have a name, as texts."""
COMING_BACK = ("chorus", "refrain")
"""Sections that come back word for word."""
_NUMBERS = re.compile("([0-9]{1,6})(?:-([0-9]{1,6}))?")
_NAME = re.compile(r"[a-z][a-z_-]*\d*")
_LETTERS = re.compile(r"(?:[A-Za-z]\d?)+(?:/(?:[A-Za-z]\d?)+)*")


@dataclass(frozen=True)
class Line:
    """What is asked of a line."""

    rhyme: str = FREE
    """A letter, that of the lines of its section with which it rhymes; `FREE`: of none."""
    refrain: str = ""
    """Names the line, if it comes back word for word."""
    syllables: tuple[int, int] | None = None
    """The fewest and the most; None: as they come."""
    metre: str = ""
    """One of `sound.METRES`, or "": none."""
    opens_stanza: bool = False
    """Whether an empty line stands before it, within its section."""


@dataclass(frozen=True)
class Section:
    """A part of a song."""

    name: str
    lines: tuple[Line, ...]
    comes_back: bool = False
    """Whether its words are those of the first section of this name."""


@dataclass(frozen=True)
class Form:
    """The sections of a song, in order."""

    sections: tuple[Section, ...]

    def __iter__(self) -> Iterator[Section]:
        return iter(self.sections)

    @property
    def lines(self) -> int:
        """How many lines the song has."""
        return sum(len(section.lines) for section in self.sections)

    def without_metre(self) -> Form:
        """Return the same form without a metre."""
        sections = (
            replace(section, lines=tuple(replace(line, metre="") for line in section.lines))
            for section in self.sections
        )
        return Form(tuple(sections))


def read_form(text: str) -> Form:
    """Return the form that a name or a text stands for.

    Raises:
        OptionError: it makes no sense; the error says what is meant.
    """
    shapes: dict[str, Section] = {}
    sections = []
    for part in re.split(r"[;\n]", re.sub(r"#.*", "", NAMED.get(text.strip().lower(), text))):
        if not part.strip():
            continue
        section = _read_section(part.strip(), shapes)
        shapes.setdefault(section.name, replace(section, comes_back=section.name in COMING_BACK))
        sections.append(section)
    return _checked(Form(tuple(sections)), text)


def stanzas(rhyme: str | None, syllables: str | None, count: int) -> Form:
    """Return a form of `count` stanzas that are alike; at least one of letters and syllables must be given.

    Raises:
        OptionError: the letters or the syllables make no sense.
    """
    numbers = None if syllables is None else ",".join(syllables.replace(",", " ").split())
    letters = FREE * len((numbers or "").split(",")) if rhyme is None else rhyme.replace(" ", "")
    stanza = Section("verse", _lines("rhyme", letters, numbers, ""))
    return _checked(Form((stanza,) * count), rhyme or syllables or "")


def _checked(form: Form, text: str) -> Form:
    if not 1 <= form.lines <= MAX_LINES:
        raise OptionError("form", text, f"of 1 to {MAX_LINES} lines, such as {NAMED['hymn']!r}")
    return form


def _read_section(text: str, shapes: dict[str, Section]) -> Section:
    """Return the section that a text such as "verse 1 ABAB 8,6,8,6 iambic" stands for."""
    name, *words = text.lower().split()
    is_numbered = words[1][0].isalpha() if len(words) > 1 else name in shapes
    if words and words[0].isdecimal() and is_numbered:
        del words[0]  # "verse 2" is a verse
    if not words and name in shapes:
        return shapes[name]
    metres = [word for word in words if word in METRES]
    letters = [word for word in words if not word[0].isdigit() and word not in METRES]
    numbers = [word for word in words if word[0].isdigit()]
    if not _NAME.fullmatch(name) or len(letters) != 1 or max(len(numbers), len(metres)) > 1:
        such = "a text such as 'verse ABAB 8 iambic; chorus AABB; verse'"
        if _NAME.fullmatch(name) and not words:
            such = f"a text that says what lines {name} has where it names it first, such as {name} ABAB 8"
        close = "".join(f"; or is {one} meant?" for one in get_close_matches(text, NAMED, 1))
        raise OptionError("form", text, f"a name ({', '.join(NAMED)}) or {such}{close}")
    return Section(name, _lines("form", letters[0], "".join(numbers) or None, "".join(metres)))


def _lines(option: str, rhyme: str, syllables: str | None, metre: str) -> tuple[Line, ...]:
    """Return the lines of a section by their letters and syllables; one number is for all of them."""
    if not _LETTERS.fullmatch(rhyme):
        raise OptionError(option, rhyme, "a letter for each line, such as ABAB or xAxA")
    letters = re.findall(r"/?[A-Za-z]\d?", rhyme)
    ranges = [None] if syllables is None else [read_syllables(part) for part in syllables.split(",")]
    if len(ranges) == 1:
        ranges *= len(letters)
    if len(ranges) != len(letters):
        expected = f"one number for all lines or {len(letters)}, one for each of {rhyme}"
        raise OptionError("syllables", syllables or "", expected)
    return tuple(
        Line(
            FREE if name[0].lower() == FREE else name[0].upper(),
            name if name[1:] else "",
            number,
            metre,
            opens_stanza=letter != name,
        )
        for letter, number in zip(letters, ranges, strict=True)
        if (name := letter.removeprefix("/"))
    )


def read_syllables(text: str) -> tuple[int, int]:
    """Return the fewest and the most syllables that a text such as "8" or "7-9" stands for.

    Raises:
        OptionError: it makes no sense.
    """
    numbers = _NUMBERS.fullmatch(text.strip())
    low, high = (int(numbers[1]), int(numbers[2] or numbers[1])) if numbers else (0, 0)
    if not 1 <= low <= high <= MAX_SYLLABLES:
        raise OptionError("syllables", text, f"numbers from 1 to {MAX_SYLLABLES}, such as 8,6,8,6 or 7-9")
    return low, high
