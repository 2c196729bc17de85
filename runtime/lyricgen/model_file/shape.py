"""Shapes of songs: how many songs of a style have stanzas with these rhymes and syllables."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SHARE = r"(0\.[0-9]{1,4}|1\.0)"
_SYLLABLES = r"[0-9][0-9]?(?:-[0-9][0-9]?)?"
_SECTION = re.compile(rf"[a-z]{{1,20}} ([A-Zx]{{1,24}})(?: ({_SYLLABLES}(?:,{_SYLLABLES}){{0,23}}))?")
_TEXT = re.compile(rf"{_SHARE} ([^|]{{1,500}}?)(?: \| (.{{1,100}}))?")
_MAX_SYLLABLES = 30


@dataclass(frozen=True)
class Shape:
    """What stanzas some songs of a corpus have.

    As a text: `0.21 verse ABAB 8,6,8,6; chorus AABB 7-9 | hymn`; songs of all styles have no name behind it.

    Raises:
        ValueError: the share or the form is none.
    """

    style: str
    """Of songs in this style; "": of all songs."""
    share: float
    """Of the songs of that style: above 0, up to 1, in steps of 0.0001."""
    form: str
    """For `--form`: each kind of stanza once, such as "verse ABAB 8,6,8,6; chorus AABB 7-9"."""

    def __post_init__(self) -> None:
        sections = map(_SECTION.fullmatch, self.form.split("; "))
        if not (0 < self.share <= 1 and all(one and _is_section(one[1], one[2] or "") for one in sections)):
            raise ValueError(f"{self.share:g} {self.form} is no shape")

    def __str__(self) -> str:
        share = f"{self.share:.4f}".rstrip("0").ljust(3, "0")
        return f"{share} {self.form}{f' | {self.style}' if self.style else ''}"

    @classmethod
    def of(cls, text: str) -> Shape:
        """Return the shape that a text stands for; the inverse of `str`.

        Raises:
            ValueError: for none.
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text} is no shape")
        share, form, style = found.groups("")
        return cls(style, float(share), form)


def _is_section(letters: str, syllables: str) -> bool:
    """Tell whether there are as many syllables as lines, or one number for all, and each range ascends."""
    ranges = [[int(number) for number in one.split("-")] for one in syllables.split(",") if one]
    fits = len(ranges) in (0, 1, len(letters))
    return fits and all(1 <= one[0] <= one[-1] <= _MAX_SYLLABLES for one in ranges)
