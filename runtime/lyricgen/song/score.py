"""A reading of a song: what each line sounds like, how expected it is, and what strikes one about it."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from lyricgen.engine.reading import bits_of
from lyricgen.engine.record import Floats64
from lyricgen.engine.step_model import ModelFile
from lyricgen.errors import ExcludedOptionError
from lyricgen.model_file.contract import AFTER_TITLE
from lyricgen.song.draft import Draft, read_draft
from lyricgen.song.draft_form import with_repeats
from lyricgen.song.form import FREE
from lyricgen.song.line_task import last_word
from lyricgen.song.originality import known_lines
from lyricgen.song.scheme import REACH, rhyme_scheme
from lyricgen.song.sound import BY_LANGUAGE, METRES, NEAR, PERFECT, Beat, line_syllables, rhyme, words

_MOST_LINES = 0.7
"""Share of a song's lines that keep to a metre, if it has one."""
_MOST_RHYMES = 0.5
"""Share of the rhymes of a scheme that stanzas must have, if it is theirs."""
_STYLE_CHARACTERS = 160
"""Of a song, by which its nearest style is found."""
_STRIKING = 1.5
"""Standard deviations by which a line is more or less expected than the others, if that is worth a word."""
_ODD_WORDS, _ODD_BITS, _ODD_LETTERS = 5, 4.0, 3
"""How many words are called odd at most; from how many bits per character and letters on one may be."""
_NAME = re.compile(r"[a-z][a-z_-]*")
"""Of a stanza, as a form has it."""
_SIGNS = {Beat(2, 2): "/", Beat(1, 1): "\\", Beat(0, 0): "x", Beat(0, 1): "x"}
"""Of syllables by their beat; others may be either."""
METRE, NO_RHYME, NEAR_RHYME = "breaks the metre", "does not rhyme", "nearly rhymes"
KNOWN = "stands in a song that the model read"
SAME_WORD, WORN, ODD = "rhymes with itself", "very expected", "odd"


@dataclass(frozen=True)
class ScoredLine:
    """What a line of a song is like."""

    text: str
    stanza: int
    """Counted from 0."""
    syllables: int
    """Of all ways to pronounce its words, what comes nearest to the lines like it."""
    stress: str
    """A sign for each syllable: / strong, \\ less so, x weak, - either."""
    rhyme: str
    """Its rhyme letter within its stanza; "" if it rhymes with nothing."""
    bits_per_character: float
    """How unexpected the model finds it, with its line end."""
    marks: tuple[str, ...]
    """What strikes one: "breaks the metre", "does not rhyme", "nearly rhymes", "rhymes with itself", "very
    expected", "stands in a song that the model read", "odd: lantern"."""


@dataclass(frozen=True)
class Score:
    """A reading of a song.

    Example:
        >>> import lyricgen
        >>> song = ["Low Moon", "", "The moon is low tonight", "And all the stars are bright"]
        >>> score = lyricgen.load().score(chr(10).join(song))
        >>> score.title, score.form, [line.syllables for line in score.lines]
        ('Low Moon', 'verse AA 6 iambic', [6, 6])
    """

    title: str
    """"" if it has none."""
    lines: tuple[ScoredLine, ...]
    form: str
    """Its commonest stanzas, as a text for `--form`; "" if nothing rhymes."""
    metre: str
    """"iambic" or "trochaic", if most lines are; else ""."""
    bits_per_character: float
    """How unexpected the model finds the lines."""
    style: str
    """The model's style that expects the song most; "" if it has none."""
    words: int
    different_words: int
    repeated_lines: int
    """Lines that the song had before, refrains among them."""
    unread: str
    """Characters that the model does not know, and that were left out where it read."""


def score(file: ModelFile, text: str) -> Score:
    """Read a song.

    Raises:
        DraftError: it has no line, too many, or one that is too long.
        OptionError: the model writes no line ends.
        OrtError: onnxruntime failed.
    """
    if "\n" not in file.card.vocabulary.characters:
        raise ExcludedOptionError("song", text, "this model, which writes no line ends")
    draft = read_draft(text, titles=file.card.title_line, gaps=False)
    return _Song(file, with_repeats(draft)).score()


class _Stanza(NamedTuple):
    """A stanza that is read."""

    name: str
    lines: tuple[str, ...]
    ends: tuple[str, ...]
    """Last words, in small letters."""
    scheme: str

    @property
    def kind(self) -> tuple[str, int]:
        """Its name and the number of its lines: stanzas alike have both."""
        return self.name, len(self.lines)


class _Song:
    """A song on its way to a score."""

    def __init__(self, file: ModelFile, draft: Draft) -> None:
        self._file, self._words, self._title = file, file.card.vocabulary, draft.title
        self._sounds = BY_LANGUAGE[file.card.language]
        self._stanzas = [
            self._stanza(stanza.name, [line.text for line in stanza.lines]) for stanza in draft.stanzas
        ]
        self.lines = [line for stanza in self._stanzas for line in stanza.lines]
        self._counts = {line: sorted(line_syllables(self._sounds, line)) for line in set(self.lines)}
        self._unread = draft.unread(self._words)
        self._kinds: dict[tuple[str, int], list[_Stanza]] = defaultdict(list)
        for one in self._stanzas:
            self._kinds[one.kind].append(one)
        self._expected = {kind: self._expected_scheme(alike) for kind, alike in self._kinds.items()}
        self._medians = {
            kind: [statistics.median(self._counts[line][0] for line in place) for place in _places(alike)]
            for kind, alike in self._kinds.items()
        }

    def _stanza(self, name: str, lines: Sequence[str]) -> _Stanza:
        name = name.replace(" ", "-")
        ends = tuple(last_word(line).lower() for line in lines)
        scheme = rhyme_scheme(ends, self._rhyme)
        return _Stanza(name if _NAME.fullmatch(name) else "verse", tuple(lines), ends, scheme)

    def _rhyme(self, word: str, other: str) -> float:
        return rhyme(self._sounds, word, other)

    def score(self) -> Score:
        """Return the score of a song that has lines."""
        read, places = self._read()
        with ThreadPoolExecutor(1) as pool:
            style = pool.submit(self._style, read)  # beside the other reading
            costs_of_all = bits_of(self._file, read)[:, 0]
        bits = [costs_of_all[start:end] for start, end in places]
        metre, spoken = self._metre(), words(" ".join(self.lines).lower())
        marks = self._marks(metre, bits)
        costs, lengths = [one.sum() for one in bits], [len(one) for one in bits]
        lines, number = [], 0
        for n, stanza in enumerate(self._stanzas):
            syllables = self._syllables(stanza)
            for text, letter, count in zip(stanza.lines, stanza.scheme, syllables, strict=True):
                lines.append(
                    ScoredLine(
                        text,
                        n,
                        count,
                        self._stress(text, count),
                        "" if letter == FREE else letter,
                        float(costs[number]) / max(1, lengths[number]),
                        tuple(marks[number]),
                    )
                )
                number += 1
        return Score(
            title=self._title,
            lines=tuple(lines),
            form=self._form(metre),
            metre=metre,
            bits_per_character=float(sum(costs)) / max(1, sum(lengths)),
            style=style.result(),
            words=len(spoken),
            different_words=len(set(spoken)),
            repeated_lines=len(self.lines) - len({line.lower() for line in self.lines}),
            unread=self._unread,
        )

    def _metre(self) -> str:
        """Return the metre that most lines keep to, if it is one alone."""
        kept = {
            metre: sum(bool(line_syllables(self._sounds, line, metre)) for line in self.lines)
            for metre in METRES
        }
        best, other = sorted(kept, key=lambda metre: -kept[metre])
        is_one = kept[best] >= _MOST_LINES * len(self.lines) and kept[best] > kept[other]
        return best if is_one and self._file.card.language == "en" else ""

    def _syllables(self, stanza: _Stanza) -> list[int]:
        """Return the syllables of each line: of those it may have, what is nearest to lines in its place."""
        found = []
        for line, median in zip(stanza.lines, self._medians[stanza.kind], strict=True):
            distances = [abs(one - median) for one in self._counts[line]]
            found.append(self._counts[line][distances.index(min(distances))])
        return found

    def _stress(self, line: str, syllables: int) -> str:
        """Return a sign for each of so many syllables of a line, by the commonest ways to say its words."""
        ways = [self._sounds.beats(word) for word in words(line)]
        behind = [{0}]  # how many syllables the words behind may have, from the last one on
        for options in reversed(ways):
            behind.append({len(one) + more for one in options for more in behind[-1]})
        signs = ""
        for options, more in zip(ways, reversed(behind[:-1]), strict=True):
            beats = next(one for one in options if syllables - len(signs) - len(one) in more)
            signs += "".join(_SIGNS.get(beat, "-") for beat in beats)
        return signs

    def _form(self, metre: str) -> str:
        """Return the commonest stanza of each name that rhymes, with the median syllables of its lines."""
        parts = []
        for name in dict.fromkeys(stanza.name for stanza in self._stanzas):
            stanzas = [one for one in self._stanzas if one.name == name and one.scheme.strip(FREE)]
            if not stanzas:
                continue
            scheme, _ = Counter(one.scheme for one in stanzas).most_common(1)[0]
            columns = zip(*(self._syllables(one) for one in stanzas if one.scheme == scheme), strict=True)
            counts = list(map(statistics.median_low, columns))
            numbers = counts[:1] if len(set(counts)) == 1 else counts
            parts.append(" ".join(filter(None, [name, scheme, ",".join(map(str, numbers)), metre])))
        return "; ".join(parts)

    def _read(self) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the song's token ids, as far as it has any, and where its lines begin and end."""
        before = self._title + AFTER_TITLE if self._title and self._file.card.title_line else ""
        text, places = self._words.readable(before), []
        for n, stanza in enumerate(self._stanzas):
            text += "\n" if n else ""
            for line in map(self._words.readable, stanza.lines):
                places.append((len(text), len(text) + len(line) + 1))
                text += line + "\n"
        return self._words.encode(text[:-1]), places

    def _style(self, read: Sequence[int]) -> str:
        """Return the style in which the beginning of the song is most expected."""
        styles = self._words.styles
        if not styles:
            return ""
        tokens = list(map(self._words.style_token, styles))
        costs = bits_of(self._file, read[:_STYLE_CHARACTERS], tokens).sum(axis=0)
        return styles[int(costs.argmin())]

    def _marks(self, metre: str, bits: Sequence[Floats64]) -> list[list[str]]:
        """Return what strikes one about each line."""
        marks: list[list[str]] = []
        for stanza in self._stanzas:
            marks += [self._rhyme_marks(stanza, n) for n in range(len(stanza.lines))]
        means = [float(one.mean()) if len(one) else 0.0 for one in bits]
        low = statistics.mean(means) - _STRIKING * statistics.pstdev(means)
        known = known_lines(self._file.card.known_lines)
        for number, line in enumerate(self.lines):
            if metre and not line_syllables(self._sounds, line, metre):
                marks[number].append(METRE)
            if means[number] < low:
                marks[number].append(WORN)
            if line in known:
                marks[number].append(KNOWN)
        for number, word in self._odd_words(bits):
            marks[number].append(f"{ODD}: {word}")
        return marks

    def _rhyme_marks(self, stanza: _Stanza, n: int) -> list[str]:
        """Return what is wrong with the rhyme of line `n`, by what stanzas alike have in its place."""
        partner = _partner(self._expected[stanza.kind] or stanza.scheme, n)
        if partner is None:
            near = range(max(0, n - REACH), n)
            partner = next((m for m in near if stanza.ends[m] == stanza.ends[n]), None)
        if partner is None or stanza.lines[partner].lower() == stanza.lines[n].lower():
            return []
        one, other = stanza.ends[partner], stanza.ends[n]
        if not self._sounds.sounds(one).isdisjoint(self._sounds.sounds(other)):
            return [SAME_WORD]
        found = self._rhyme(one, other)
        return [] if found >= PERFECT else [NEAR_RHYME if found >= NEAR else NO_RHYME]

    def _expected_scheme(self, alike: Sequence[_Stanza]) -> str:
        """Return the scheme that stanzas alike have, by most of their rhymes; "" if they have none."""

        def met(scheme: str) -> tuple[int, int]:
            """Return how many rhymes of a scheme these stanzas have, and how many they could have."""
            pairs = [(m, n) for n in range(len(scheme)) if (m := _partner(scheme, n)) is not None]
            found = [self._rhyme(one.ends[m], one.ends[n]) >= NEAR for one in alike for m, n in pairs]
            return sum(found), len(found)

        best = max(sorted({one.scheme for one in alike}), key=lambda scheme: met(scheme)[0])
        found, asked = met(best)
        return best if found >= _MOST_RHYMES * asked else ""

    def _odd_words(self, bits: Sequence[Floats64]) -> list[tuple[int, str]]:
        """Return the words that the model expects least, with the numbers of their lines."""
        found = []
        for number, (line, costs) in enumerate(zip(self.lines, bits, strict=True)):
            place = 0
            for part in self._words.readable(line).split(" "):
                word = last_word(part)
                if len(word) >= _ODD_LETTERS:
                    mean = float(costs[place : place + len(part)].sum()) / len(part)
                    found.append((mean, number, word))
                place += len(part) + 1
        odd = [one for one in sorted(found, key=lambda one: (-one[0], one[1])) if one[0] >= _ODD_BITS]
        return [(number, word) for _, number, word in odd[:_ODD_WORDS]]


def _partner(scheme: str, n: int) -> int | None:
    """Return the last line before line `n` with its letter."""
    return next((m for m in range(n - 1, -1, -1) if scheme[m] == scheme[n] != FREE), None)


def _places(alike: Sequence[_Stanza]) -> Iterator[tuple[str, ...]]:
    """Yield the lines in the same place of stanzas that are alike, for each place."""
    return zip(*(stanza.lines for stanza in alike), strict=True)
