"""A line of a song with a form, and what it makes of the form."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SongLine:
    """A line of a song; `str` of it is its text.

    Example:
        >>> import lyricgen
        >>> song = lyricgen.load().generate(rhyme="AA", syllables="8", stanzas=1, seed=7)
        >>> [(line.rhyme, line.syllables, line.stanza) for line in song.lines]
        [('A', 8, 0), ('A', 8, 0)]
        >>> all(line.rhymes and line.fits for line in song.lines)
        True
    """

    text: str
    section: str = ""
    """Such as "verse" or "chorus"; "" in a song without a form."""
    stanza: int = 0
    """Counted from 0; an empty line parts two stanzas."""
    rhyme: str = ""
    """Its rhyme letter within its section; "" if it need not rhyme."""
    rhymes: bool = True
    """Whether it rhymes with the lines before it that have its letter; if it was written for a draft, also
    with those after it that were there."""
    syllables: int | None = None
    """Of all ways to pronounce its words, what is nearest to the form; None in a song without one."""
    fits: bool = True
    """Whether that is what the form asks for, its metre included."""
    bits: float | None = None
    """-log2 of the probability that the model gave it, with its end; None where it was given or came back, or
    the song has no form."""

    known: bool = False
    """Whether it stands in a song that the model read, by its `card.known_lines`: in one of 150, wrongly."""

    def __str__(self) -> str:
        return self.text
