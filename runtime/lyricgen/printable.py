"""Text for a terminal: safe to show wherever it comes from, and no wider than 80 columns."""

from __future__ import annotations

import textwrap
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


def wrapped(text: str, first: str = "", indent: str = "", *, break_words: bool = False) -> str:
    """Wrap one line of text between words, behind `first` and, in the lines after it, behind `indent`."""
    wrapper = textwrap.TextWrapper(WIDTH, first, indent, break_on_hyphens=False)
    wrapper.break_long_words = break_words
    return wrapper.fill(text)


def table(facts: Mapping[str, str]) -> str:
    """Return a line for each label and its value, the values aligned and wrapped."""
    width = max(map(len, facts)) + 2
    return "\n".join(
        wrapped(printable(value), f"{label:{width}}", " " * width, break_words=True).rstrip()
        for label, value in facts.items()
    )
