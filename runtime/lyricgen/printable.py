"""Text for a terminal: safe to show wherever it comes from, and no wider than 80 columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

WIDTH = 80
"""Columns of the narrowest terminal that people use."""


def printable(text: str) -> str:
    """Escape what a terminal would obey instead of showing it; for text that comes from a file."""
    return "".join(
        character
        if character.isprintable() or unicodedata.category(character) == "Zs"
        else character.encode("unicode_escape").decode()
        for character in text
    )


def shortened(text: str, length: int = 40) -> str:
    """Return the first `length` characters of a text that comes from a file, fit for a message."""
    return printable(text[:length]) + ("…" if len(text) > length else "")


def columns(text: str) -> int:
    """Return how wide a terminal shows a text: two columns for most East Asian characters."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def wrapped(text: str, first: str = "", indent: str = "", *, break_words: bool = False) -> str:
    """Wrap one line of text between words, behind `first` and, in the lines after it, behind `indent`.

    A word that is wider than a line stays whole, so that it can be copied, unless `break_words`: then it is
    broken behind slashes, or where it has to be.
    """
    lines, space = [first], ""
    for word in text.split(" "):
        if columns(lines[-1] + space + word) > WIDTH and space:
            lines.append(indent)
            space = ""
        lines[-1] += space
        space = " "
        for part in re.split(r"(?<=[/\\])", word) if break_words else [word]:
            if break_words and columns(lines[-1] + part) > WIDTH and columns(indent + part) <= WIDTH:
                lines.append(indent)
            for character in part:
                if break_words and columns(lines[-1] + character) > WIDTH:
                    lines.append(indent)
                lines[-1] += character
    return "\n".join(line.rstrip() for line in lines)


def table(facts: Mapping[str, str]) -> str:
    """Return a line for each label and its value, the values aligned and wrapped."""
    width = max(map(columns, facts)) + 2
    return "\n".join(
        wrapped(printable(value), label + " " * (width - columns(label)), " " * width, break_words=True)
        for label, value in facts.items()
    )
