"""The words that rhyme with one, as a model's songs end their lines, the likeliest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lyricgen.engine.reading import surprises
from lyricgen.engine.record import Floats64
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.errors import ExcludedOptionError, OptionError
from lyricgen.song.form import MAX_SYLLABLES
from lyricgen.song.rhyme_words import RhymeWords
from lyricgen.song.sound import BY_LANGUAGE, NEAR, PERFECT, rhyme, words
from lyricgen.vocabulary import SOS

_SIDE_BY_SIDE = 256
"""Words that are read at once."""


@dataclass(frozen=True)
class RhymeWord:
    """A word that rhymes.

    Example:
        >>> import lyricgen
        >>> found = lyricgen.load().rhymes("night", after="The stars are burning")
        >>> found[0].word, found[0].syllables, found[0].rhyme
        ('bright', 1, 1.0)
    """

    word: str
    syllables: int
    """The fewest that it may have."""
    rhyme: float
    """1 for a perfect rhyme, less for a near one."""
    bits: float | None
    """How unexpected the model finds it at the end of the line; None if no line is given."""


def rhymes_of(
    file: ModelFile, word: str, after: str, syllables: tuple[int, int] | None, *, near: bool
) -> list[RhymeWord]:
    """Return the words that rhyme with one, perfect rhymes first.

    Args:
        file: the model; its card lists the words.
        word: one word.
        after: the line before the word that is looked for; "": the commonest words of each sound come first.
        syllables: the fewest and the most that they may have; None: any number.
        near: whether near rhymes follow.

    Raises:
        OptionError: it is no word, or the card lists none.
        OrtError: onnxruntime failed.
    """
    card = file.card
    if not card.rhymes or "\n" not in card.vocabulary.characters:
        raise ExcludedOptionError("word", word, "this model, whose card lists no words that rhyme")
    if len(words(word)) != 1 or words(word)[0] != word.strip():
        raise OptionError("word", word, "one word")
    sounds, least = BY_LANGUAGE[card.language], NEAR if near else PERFECT
    listed = RhymeWords(card.rhymes, sounds, NEAR).of(word.strip())
    order: dict[str, int] = {}  # by its place among the words that rhyme with it
    for group in card.rhymes:
        for n, one in enumerate(group.split(" ")):
            if one in listed:
                order[one] = min(n, order.get(one, n))
    low, high = syllables or (1, MAX_SYLLABLES)
    found = [
        (one, min(sounds.syllables(one)), rhyme(sounds, word.strip(), one))
        for one in sorted(order, key=lambda one: order[one])
        if any(low <= count <= high for count in sounds.syllables(one))
    ]
    found = [one for one in found if one[2] >= least]
    costs: Sequence[float | None] = [None] * len(found)
    if after.strip():
        costs = _costs(file, after, [one for one, _, _ in found]).tolist()
    listed_words = [RhymeWord(*one, cost) for one, cost in zip(found, costs, strict=True)]
    return sorted(listed_words, key=lambda one: (one.rhyme < PERFECT, one.bits or -one.rhyme))


def _costs(file: ModelFile, after: str, found: Sequence[str]) -> Floats64:
    """Return what each word costs, with the line's end, in bits, behind the beginning of a line."""
    vocabulary, steps = file.card.vocabulary, StepModel(file)
    for token in [SOS, *vocabulary.encode(vocabulary.readable(after.rstrip() + " "))]:
        steps.token[:] = token
        steps.step()
    return np.concatenate(
        [_costs_of(file, steps, found[n : n + _SIDE_BY_SIDE]) for n in range(0, len(found), _SIDE_BY_SIDE)]
        or [np.zeros(0)]
    )


def _costs_of(file: ModelFile, behind: StepModel, found: Sequence[str]) -> Floats64:
    vocabulary, steps = file.card.vocabulary, StepModel(file, len(found))
    texts = [vocabulary.encode(vocabulary.readable(word) + "\n") for word in found]
    steps.state[:] = behind.state
    logits, costs = np.repeat(behind.logits, len(found), axis=0), np.zeros(len(found))
    for position in range(max(map(len, texts))):
        tokens = np.array([text[min(position, len(text) - 1)] for text in texts])
        read = np.array([position < len(text) for text in texts])
        costs += read * surprises(logits)[np.arange(len(found)), tokens - vocabulary.eos]
        steps.token[:] = tokens
        steps.step()
        logits = steps.logits
    return costs
