"""Candidates for a line: written whole by the loop, or begun by it and completed with words that rhyme.

One line in thirty ends with a rhyme by chance. So for a line that has to rhyme, the loop writes *stems*, the
beginnings of lines up to the last word or two; from these, the words that rhyme are read side by side, letter
by letter, the likeliest first (a beam search over a trie). What stands there in the end is as likely as the
model finds it, like any other line, and competes with the others by that alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from lyricgen.engine.lines import LineWriter
from lyricgen.engine.reading import surprises
from lyricgen.engine.record import Floats32
from lyricgen.engine.slots import Places
from lyricgen.song.sound import Sounds, line_syllables
from lyricgen.vocabulary import Vocabulary

BEAM = 64
"""How many beginnings of words are read side by side."""
_STEMS = 24
"""Of how many stems, the likeliest, words are looked for."""
_DEPTH = 16
"""Letters of the longest word that is looked for, with its punctuation."""
_MARGIN, _ENOUGH = 0.4, 8
"""A beginning is given up once it costs so many bits per character more than the worst of so many lines."""
_SYLLABLE = 3.9
"""Characters of a syllable, the space after a word counted; measured on the bundled model's songs."""
_LEFT_OPEN = ((1.6, 2.6), (2.1, 3.4), (1.2, 3.0))
"""How many syllables stems leave open, in the first try and in the next ones."""
_PUNCTUATION = ",.;:!?"
_UNKNOWN_LENGTH = 6.0
"""Syllables in front of the rhyme, where a line may have any number of them."""


@dataclass(frozen=True)
class Candidate:
    """A line that could stand there."""

    text: str
    bits: float
    """-log2 of the probability that the model gave it, with its line end."""
    state: Floats32
    """(2, L, 1, H) float32: before the line end is read."""
    logits: Floats32
    """(V_out,) float32: what was expected in place of the line end."""
    end_bits: float
    """Those of its last word alone."""

    @property
    def bits_per_character(self) -> float:
        """The mean over its characters, the line end counted."""
        return self.bits / (len(self.text) + 1)


@dataclass(frozen=True)
class Openings:
    """Beginnings of a line from which candidates are written; often only one, the empty one."""

    texts: Sequence[str]
    bits: Sequence[float]
    places: Places


@dataclass(frozen=True)
class Wanted:
    """What is asked of a line."""

    accept: Callable[[str], bool]
    """Tells whether a text will do as the line."""
    syllables: tuple[int, int] | None
    """The fewest and the most."""
    metre: str
    """One of `sound.METRES`, or "": none."""

    @property
    def longest(self) -> int:
        """How many characters the line may have at most."""
        return 6 + 9 * self.syllables[1] // 2 if self.syllables else 80


@dataclass
class _Node:
    """A place in a trie of words; syllables are sets as bits, bit n for n syllables."""

    following: dict[int, _Node] = field(default_factory=dict)
    """By output unit."""
    syllables: int = 0
    """Of the word that ends here."""
    below: int = 0
    """Of all words that lead through here."""


_END = _Node(syllables=-1, below=-1)
"""Behind a word and its punctuation."""


@dataclass(frozen=True)
class _Beginning:
    """A line up to somewhere within its last word."""

    text: str
    bits: float
    node: _Node
    open: int
    """Numbers of syllables that the last word may have, as bits."""
    stem_bits: float
    """-log2 of the probability of what stands before that."""


@dataclass(frozen=True)
class _Stem:
    """The beginning of a line up to a space."""

    bits: float
    state: Floats32
    """(2, L, 1, H) float32: before the space is read."""
    last: int
    """Output unit of the space."""


class LineSearch:
    """Finds candidates for the lines of one song. Not for two threads at once.

    Args:
        writer: of that song.
        vocabulary: of the model.
        sounds: how words sound.
        candidates: how many are written for a line in one try.
    """

    def __init__(self, writer: LineWriter, vocabulary: Vocabulary, sounds: Sounds, candidates: int) -> None:
        self._writer, self._vocabulary, self._sounds = writer, vocabulary, sounds
        self._candidates = candidates
        known = [mark for mark in _PUNCTUATION if mark in vocabulary.characters]
        self._punctuation = [vocabulary.encode(mark)[0] - vocabulary.eos for mark in known]
        self.written = 0
        """How many candidates were written so far."""

    def whole(self, openings: Openings, wanted: Wanted) -> list[Candidate]:
        """Return distinct lines that the loop wrote from the openings."""
        return list(self._draw(openings, wanted, self._candidates, None)[0].values())

    def rhymed(
        self, openings: Openings, wanted: Wanted, words: Sequence[str], attempt: int
    ) -> list[Candidate]:
        """Return distinct lines that end with one of some words, or as the loop wrote them."""
        found: dict[str, Candidate] = {}
        stems: dict[str, _Stem] = {}
        trie, depth = self._trie(words), max(_DEPTH, *(len(word) + 2 for word in words))
        most = wanted.syllables[1] if wanted.syllables else _UNKNOWN_LENGTH + 2
        shares = self._candidates - self._candidates // 2, self._candidates // 2
        shortest = min((min(line_syllables(self._sounds, word)) for word in words), default=0)
        for usual, count in zip(_LEFT_OPEN[attempt % len(_LEFT_OPEN)], shares, strict=True):
            left = max(usual, shortest - 0.4)  # longer ends leave more open
            stem = round((most - left) * _SYLLABLE) - min(map(len, openings.texts))
            lines, begun = self._draw(openings, wanted, count, max(1, stem)) if count else ({}, {})
            found |= lines
            stems |= begun
        beam = [
            _Beginning(text, stem.bits, trie, still_open, stem.bits)
            for text, stem in stems.items()
            if (still_open := self._open(text, wanted)) & trie.below
        ]
        beam = sorted(beam, key=lambda one: one.bits / len(one.text))[:_STEMS]
        if beam:
            chosen = [stems[one.text] for one in beam]
            states = np.concatenate([stem.state for stem in chosen], axis=2)
            places = self._writer.read(states, [stem.last for stem in chosen])
            for line in self._complete(beam, places, wanted, depth):
                found.setdefault(line.text, line)
        return list(found.values())

    def _draw(
        self, openings: Openings, wanted: Wanted, count: int, stem: int | None
    ) -> tuple[dict[str, Candidate], dict[str, _Stem]]:
        """Return the lines and the stems by their texts."""
        lines: dict[str, Candidate] = {}
        stems: dict[str, _Stem] = {}
        self.written += count
        room = wanted.longest + max(map(len, openings.texts))
        for one in self._writer.draw(openings.places, count, room, stem):
            opening = one.index % len(openings.texts)
            units, bits = one.units, openings.bits[opening] + float(one.bits.sum())
            text = openings.texts[opening] + self._vocabulary.decode(
                (units[:-1] + self._vocabulary.eos).tolist()
            )
            if units[-1] != self._writer.line_end:
                stems.setdefault(text + " ", _Stem(bits, one.state[:, :, np.newaxis], int(units[-1])))
            elif text not in lines and wanted.accept(text):
                end_bits = float(one.bits[len(one.units) - len(text.split(" ")[-1]) - 1 :].sum())
                lines[text] = Candidate(text, bits, one.state[:, :, np.newaxis], one.logits, end_bits)
        return lines, stems

    def _complete(
        self, beam: list[_Beginning], places: Places, wanted: Wanted, depth: int
    ) -> Iterator[Candidate]:
        """Yield the lines that words of the trie make of some beginnings; `places` are behind these."""
        costs_of_lines: list[float] = []
        for _ in range(depth):
            costs = surprises(places.logits)
            following: list[tuple[float, int, int, _Beginning]] = []
            for row, one in enumerate(beam):
                length = len(one.text) + 1
                if one.node.syllables & one.open:
                    bits = one.bits + float(costs[row, self._writer.line_end])
                    if wanted.accept(one.text):
                        costs_of_lines.append(bits / length)
                        state = places.states[:, :, row : row + 1].copy()
                        yield Candidate(
                            one.text, bits, state, places.logits[row].copy(), bits - one.stem_bits
                        )
                for unit, node in self._following(one):
                    bits = one.bits + float(costs[row, unit])
                    text = one.text + self._vocabulary.characters[unit - 1]
                    following.append(
                        (bits / length, row, unit, _Beginning(text, bits, node, one.open, one.stem_bits))
                    )
            costs_of_lines = sorted(costs_of_lines)[:_ENOUGH]
            limit = costs_of_lines[-1] + _MARGIN if costs_of_lines else math.inf
            kept = sorted((one for one in following if one[0] < limit), key=lambda one: one[:3])[:BEAM]
            if not kept:
                return
            rows = [row for _, row, _, _ in kept]
            places = self._writer.read(places.states[:, :, rows], [unit for _, _, unit, _ in kept])
            beam = [one for *_, one in kept]

    def _following(self, beginning: _Beginning) -> Iterator[tuple[int, _Node]]:
        """Yield the output units that may follow, and where they lead."""
        for unit, node in beginning.node.following.items():
            if node.below & beginning.open:
                yield unit, node
        if beginning.node is not _END and beginning.node.syllables & beginning.open:
            for unit in self._punctuation:
                yield unit, _END

    def _trie(self, words: Iterable[str]) -> _Node:
        root = _Node()
        for word in words:
            syllables = sum(1 << count for count in line_syllables(self._sounds, word))
            node = root
            node.below |= syllables
            for token in self._vocabulary.encode(word):
                node = node.following.setdefault(token - self._vocabulary.eos, _Node())
                node.below |= syllables
            node.syllables |= syllables
        return root

    def _open(self, stem: str, wanted: Wanted) -> int:
        """Return which numbers of syllables the last word after a stem may have, as bits."""
        counts = line_syllables(self._sounds, stem, wanted.metre)
        if wanted.syllables is None:
            return -1 if counts else 0
        low, high = wanted.syllables
        numbers = {asked - count for count in counts for asked in range(low, high + 1)}
        return sum(1 << number for number in numbers if number > 0)
