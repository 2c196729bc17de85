"""Cleaning texts, and fitting them to a vocabulary."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from lyricgen.vocabulary import PLAIN_EQUIVALENTS, Vocabulary

MAX_TITLE_CHARACTERS = 200
MAX_SONG_CHARACTERS = 20_000
"""A longer text is a book of songs; one slot would read nothing else for a long while."""

_LINE_END = re.compile(r"\r\n?")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
"""Control characters, direction marks, zero-width spaces, soft hyphens, tags; not the joiners that some
scripts need."""
_OTHER_SPACE = re.compile(r"[^\S\n ]")
_BLANK_LINES = re.compile(r"\n{3,}")


def clean(text: str) -> tuple[str, int]:
    """Return a text with line ends, spaces and Unicode in one form, and how many invisible characters it had.

    Kaggle's lines end in two spaces, and its stanzas are separated by a line of two spaces.
    """
    text = _LINE_END.sub("\n", text)
    text, removed = _INVISIBLE.subn("", _OTHER_SPACE.sub(" ", text))
    lines = (line.rstrip(" ") for line in unicodedata.normalize("NFC", text).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip(), removed


def clean_line(text: str) -> str:
    """Return a text, clean, as one line."""
    return " ".join(clean(text)[0].split())


def cut_text(text: str) -> list[str]:
    """Cut a clean text into songs of `MAX_SONG_CHARACTERS` at most: between stanzas, lines or words."""
    songs = []
    while len(text) > MAX_SONG_CHARACTERS:
        places = (
            text.rfind(gap, MAX_SONG_CHARACTERS // 2, MAX_SONG_CHARACTERS) for gap in ("\n\n", "\n", " ")
        )
        place = next((place for place in places if place > 0), MAX_SONG_CHARACTERS)
        songs.append(text[:place].rstrip())
        text = text[place:].lstrip()
    return [*songs, text]


class Alphabet:
    """Makes texts fit a vocabulary, and counts what that changes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.characters = self.folded = 0
        self.unknown = Counter[str]()
        self._known = frozenset(vocabulary.characters)

    def fit(self, text: str, *, is_line: bool = False) -> str:
        """Return the text, clean, in characters of the vocabulary."""
        while unknown := set(text) - self._known:  # again: NFC may have made a new one of two that met
            table = {}
            for character in sorted(unknown):
                plain = character.translate(PLAIN_EQUIVALENTS)
                count = text.count(character)
                if self._known.issuperset(plain):
                    self.folded += count
                    table[ord(character)] = plain
                else:
                    self.unknown[character] += count
                    table[ord(character)] = ""
            text = text.translate(table)
            text = clean_line(text) if is_line else clean(text)[0]
        self.characters += len(text)
        return text
