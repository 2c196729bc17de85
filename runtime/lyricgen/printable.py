"""Text that comes from a file, made safe to show in a terminal."""

from __future__ import annotations

import unicodedata


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
