"""A line of a song to be written: what is asked of it, and what stands before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lyricgen.song.draft import DraftLine
from lyricgen.song.form import FREE, Line, Section
from lyricgen.song.song_line import SongLine
from lyricgen.song.sound import words
from lyricgen.song.subject import main_words

_SYLLABLES, _SPREAD = (6, 10), 1
"""Where the form leaves them open: those of the first line, and how far others may be from that."""
_SAME_END = 8
"""Lines within which no two end with the same word, but refrains."""


@dataclass(frozen=True)
class LineTask:
    """A line to be written."""

    asked: Line
    metre: str
    """One of `sound.METRES`, or "": none."""
    section: str
    stanza: int
    given: DraftLine
    """What is known of it."""
    before: tuple[SongLine, ...]
    """All lines of the song before it; a gap that was passed over has no text."""
    after: tuple[str, ...]
    """The lines after it that are known."""
    partners: tuple[str, ...]
    """Last words of the lines that it has to rhyme with: those before it and, if it is still to be written,
    those after it that are known."""
    rhymed_later: int
    """How many lines to come rhyme with it whose ends are not known."""
    ends_stanza: bool
    english: bool
    """Whether the song is in English."""

    @classmethod
    def of(
        cls,
        section: Section,
        number: int,
        before: tuple[SongLine, ...],
        given: Sequence[DraftLine],
        after: Sequence[str],
        refrains: dict[str, str],
        metre: str,
        *,
        english: bool,
    ) -> LineTask:
        """Return the task of line `number`, from 0, of a section.

        Args:
            section: of the form.
            number: of the line within the section; so many lines of it stand at the end of `before`.
            before: all lines of the song before it.
            given: what is known of each line of the section.
            after: all lines of the song after it that are known.
            refrains: texts of the lines that come back, by their names.
            metre: in place of the form's; "": as the form says.
            english: whether the song is in English.
        """
        asked, following = section.lines[number], section.lines[number + 1 :]
        alike = [
            (line, one)
            for line, one in zip(following, given[number + 1 :], strict=True)
            if line.rhyme == asked.rhyme != FREE
        ]
        written = before[len(before) - number :]
        with_letter = [
            one.text or known.ends
            for one, line, known in zip(written, section.lines, given, strict=False)
            if line.rhyme == asked.rhyme != FREE
        ]
        if not given[number].text:
            with_letter += filter(None, (one.last_words or refrains.get(line.refrain) for line, one in alike))
        first = before[len(before) - number].stanza if number else before[-1].stanza + 1 if before else 0
        return cls(
            asked,
            metre or asked.metre,
            section.name,
            first + sum(line.opens_stanza for line in section.lines[: number + 1]),
            given[number],
            before,
            tuple(after),
            partners=tuple(map(last_word, filter(None, with_letter))),
            rhymed_later=sum(not one.last_words for _, one in alike),
            ends_stanza=not following or following[0].opens_stanza,
            english=english,
        )

    @property
    def syllables(self) -> tuple[int, int]:
        """The fewest and the most; where the form leaves them open, about as many as the first line has."""
        first = next((line.syllables for line in self.before if line.syllables), 0)
        if self.asked.syllables is None and first:
            first = max(first, 2)
            return max(1, first - _SPREAD), first + _SPREAD
        return self.asked.syllables or _SYLLABLES

    @cached_property
    def other_texts(self) -> frozenset[str]:
        """The other lines, and what it was, in small letters: it must be none of them."""
        others = (*(line.text for line in self.before), *self.after, self.given.was)
        return frozenset(text.lower() for text in others)

    @cached_property
    def near_ends(self) -> frozenset[str]:
        """Last words of the lines near by, and of what it was, in small letters: it must end with none."""
        near = (*(line.text for line in self.before[-_SAME_END:]), *self.after[:_SAME_END], self.given.was)
        return frozenset(last_word(text).lower() for text in near)

    @cached_property
    def openings(self) -> Counter[str]:
        """First word, and first two, of the lines before, in small letters."""
        return Counter(" ".join(words(line.text.lower())[:n]) for line in self.before for n in (1, 2))

    @cached_property
    def words(self) -> Counter[str]:
        """In how many lines before a main word stands."""
        lines = (main_words(line.text, english=self.english) for line in self.before)
        return Counter(word for line in lines for word in line)


def last_word(text: str) -> str:
    """Return the word with which a line ends; "" if it has none."""
    found: Sequence[str] = words(text) or [""]
    return found[-1]
