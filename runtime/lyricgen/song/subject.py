"""What a song is about: the words of its title, or those that the writer gives."""

from __future__ import annotations

from lyricgen.song.english import LITTLE_WORDS
from lyricgen.song.sound import words

_LONG = 4
"""Letters of a word that is not little, in another language."""


def main_words(text: str, *, english: bool = True) -> list[str]:
    """Return the main words of a text in small letters, each once; in another language, the long ones."""
    found = dict.fromkeys(word.lower().removesuffix("'s") for word in words(text))
    return [word for word in found if (word not in LITTLE_WORDS if english else len(word) >= _LONG)]


class Subject:
    """The main words of a title or of a description.

    Args:
        text: either of them.
        english: whether it is in English; elsewhere the long words are the main ones.
    """

    def __init__(self, text: str, *, english: bool) -> None:
        self.words: tuple[str, ...] = tuple(main_words(text, english=english))
        """In small letters; may be none."""

    def __bool__(self) -> bool:
        return bool(self.words)

    def named_in(self, text: str) -> bool:
        """Tell whether a text has one of the words, also with another ending (lantern, lanterns)."""
        return any(_same(word, main) for word in map(str.lower, words(text)) for main in self.words)


def _same(word: str, main: str) -> bool:
    return word == main or (len(main) >= _LONG and word.startswith(main) and len(word) - len(main) <= 2)
