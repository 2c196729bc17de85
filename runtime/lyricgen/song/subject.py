"""What a song is about: the words of its title, or those that the writer gives."""

from __future__ import annotations

from lyricgen.song.sound import words

_LITTLE_WORDS = frozenset(
    """
    a about again ah all alone always am an and any are as at away be because been before being both
    but by can can't come comes could did didn't do does doesn't don't down each even ever every few
    for from get gets go goes going gone gonna good got had has have he he's her here him his how i
    i'd i'll i'm i've if in into is isn't it it's its just know let let's like little made make makes
    many may me mine more most much must my never no nor not nothing now o of off oh old on once one
    only or other our ours out over own said say says set shall she she's should so some song still
    such take tell than that that's the thee their them then there there's these they they're thine
    this those thou thy till to too under until up upon us very was way we we're we've well were what
    what's when where which while who whose why will with without won't would ye yes yet you you'll
    you're you've your yours
    """.split()  # noqa: SIM905 (a list would take a page)
)
"""English words that say little of what a song is about."""
_LONG = 4
"""Letters of a word that is not little, in another language."""


def main_words(text: str, *, english: bool = True) -> list[str]:
    """Return the main words of a text in small letters, each once; in another language, the long ones."""
    found = dict.fromkeys(word.lower().removesuffix("'s") for word in words(text))
    return [word for word in found if (word not in _LITTLE_WORDS if english else len(word) >= _LONG)]


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
