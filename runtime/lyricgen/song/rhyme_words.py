"""The words that end the lines of a corpus, in groups that rhyme: what a rhyme is looked for among."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from lyricgen.song.sound import PERFECT, Sounds

_MODELS_KEPT = 8


class RhymeWords:
    """Groups of words that rhyme, as a model's card lists them.

    Args:
        groups: words between spaces, as the corpus writes them; those of a group rhyme perfectly.
        sounds: how they sound.
        least: how well words have to rhyme; below 1, words of other groups count too.
    """

    def __init__(self, groups: tuple[str, ...], sounds: Sounds, least: float = PERFECT) -> None:
        self._groups, self._sounds, self._least = groups, sounds, least
        self._found: dict[str, frozenset[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._groups)

    def of(self, word: str) -> frozenset[str]:
        """Return the words that rhyme with a word."""
        word = word.lower()
        if word not in self._found:
            numbers = _numbers(self._groups).get(word, ()) if self._least == PERFECT else self._near(word)
            words = (other for number in numbers for other in self._groups[number].split(" "))
            self._found[word] = frozenset(words) - {word}
        return self._found[word]

    def of_all(self, words: Sequence[str]) -> list[str]:
        """Return the words that rhyme with each of some words, in alphabetical order."""
        return sorted(frozenset.intersection(*map(self.of, words))) if words else []

    def _near(self, word: str) -> list[int]:
        """Return the numbers of the groups that nearly rhyme with a word."""
        return [
            number
            for number, others in enumerate(_endings(self._groups, self._sounds.endings))
            if any(
                self._sounds.nearness(ending, other) >= self._least
                for ending in self._sounds.endings(word)
                for other in others
            )
        ]


@lru_cache(_MODELS_KEPT)
def _numbers(groups: tuple[str, ...]) -> Mapping[str, Sequence[int]]:
    """Return in which groups a word is, by the word in small letters."""
    found: dict[str, list[int]] = {}
    for number, group in enumerate(groups):
        for word in group.lower().split(" "):
            found.setdefault(word, []).append(number)
    return found


@lru_cache(_MODELS_KEPT)
def _endings(groups: tuple[str, ...], endings: Callable[[str], frozenset[str]]) -> Sequence[frozenset[str]]:
    """Return the endings that all words of a group have, for each group."""
    return [frozenset.intersection(*map(endings, group.split(" "))) for group in groups]
