"""The form that a draft has, found in the lines that are there."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count, islice, pairwise

from lyricgen.errors import OptionError
from lyricgen.model_file.card import ModelCard
from lyricgen.song.draft import Draft, DraftLine, DraftStanza
from lyricgen.song.form import COMING_BACK, FREE, MAX_SYLLABLES, Form, Line, Section, read_form
from lyricgen.song.line_task import last_word
from lyricgen.song.rhyme_words import RhymeWords
from lyricgen.song.scheme import guessed_scheme
from lyricgen.song.sound import BY_LANGUAGE, line_syllables, rhyme, words

_SPREAD = 1
"""Syllables that a line may have more or fewer than the one that it is measured by."""
_OTHER_KIND = 0.3
"""How much the rhymes of a stanza of another name count, such as those of the chorus for a verse."""
_LINES_AFTER, _CHARACTERS_AFTER = 2, 64
"""Lines behind a gap that are looked at, and how much of them: later characters hardly depend on it."""
_REFRAIN = 2
"""In so many other stanzas a line stands word for word in the same place, if it is a refrain."""


def with_repeats(draft: Draft) -> Draft:
    """Return a draft in which what comes back is marked as such.

    A stanza that stands there twice, word for word, is a chorus. A gap is the refrain, where other stanzas of
    its kind have the same line in its place.
    """
    return _with_refrains(_with_chorus(draft))


def _with_chorus(draft: Draft) -> Draft:
    """Mark stanzas that stand there again, word for word, with or without a label."""
    taken = {stanza.name for stanza in draft.stanzas}
    times = Counter(stanza.lines for stanza in draft.stanzas if not stanza.name)
    names: dict[tuple[DraftLine, ...], str] = {}
    first: dict[str, tuple[DraftLine, ...]] = {}
    stanzas = []
    for stanza in draft.stanzas:
        name = stanza.name
        if not name and times[stanza.lines] > 1 and all(line.text for line in stanza.lines):
            name = names.setdefault(stanza.lines, _free_name(taken))
            taken.add(name)
        again = bool(name) and first.setdefault(name, stanza.lines) is not stanza.lines
        again = again and first[name] == stanza.lines and any(line.text for line in stanza.lines)
        lines = stanza.repeated if again else stanza.lines
        stanzas.append(replace(stanza, name=name, lines=lines, comes_back=stanza.comes_back or again))
    return replace(draft, stanzas=tuple(stanzas))


def _free_name(taken: Container[str]) -> str:
    names = (f"{COMING_BACK[0]}{n if n > 1 else ''}" for n in count(1))
    return next(name for name in names if name not in taken)


def _with_refrains(draft: Draft) -> Draft:
    texts: dict[tuple[str, int, int], Counter[str]] = defaultdict(Counter)
    for stanza in draft.stanzas:
        for n, line in enumerate(stanza.lines):
            if line.text and not stanza.comes_back:
                texts[stanza.name, len(stanza.lines), n][line.text] += 1

    def filled(stanza: DraftStanza, n: int) -> DraftLine:
        common = texts[stanza.name, len(stanza.lines), n].most_common()
        is_refrain = len(common) == 1 and common[0][1] >= _REFRAIN and not stanza.lines[n]
        return DraftLine(common[0][0]) if is_refrain else stanza.lines[n]

    stanzas = (
        replace(stanza, lines=tuple(filled(stanza, n) for n in range(len(stanza.lines))))
        for stanza in draft.stanzas
    )
    return replace(draft, stanzas=tuple(stanzas))


def rewritten(draft: Draft, numbers: Container[int]) -> Draft:
    """Return a draft with gaps in place of the lines with some numbers, from 1.

    A line of a stanza that comes back is the line that it repeats.
    """
    origins, first = list[int](), dict[str, range]()  # of each line, the number of the one that it repeats
    for stanza in draft.stanzas:
        own = range(len(origins) + 1, len(origins) + 1 + len(stanza.lines))
        origins += first.setdefault(stanza.name, own) if stanza.comes_back else own
        first.setdefault(stanza.name, own)
    chosen = {origin for number, origin in enumerate(origins, 1) if number in numbers}

    def anew(line: DraftLine, number: int, origin: int) -> DraftLine:
        if not line.text or origin not in chosen:
            return line
        return DraftLine(was=line.text) if number == origin else DraftLine()

    lines = map(anew, draft.lines, count(1), origins)
    return replace(
        draft,
        stanzas=tuple(
            replace(stanza, lines=tuple(islice(lines, len(stanza.lines)))) for stanza in draft.stanzas
        ),
    )


def found_form(draft: Draft, card: ModelCard) -> Form:
    """Return the form of a draft: what rhymes in it, what should in its gaps, and how long those lines are.

    Lines that are there are asked for nothing. Where what is there leaves a choice, the other stanzas decide,
    and then the shapes of a model's songs.
    """
    found = _Found(draft, card)
    return Form(tuple(found.section(number) for number in range(len(draft.stanzas))))


def given_form(draft: Draft, form: Form, option: str) -> Form:
    """Return a form that was asked for as the form of a draft, whose labels name the stanzas.

    Args:
        draft: as it was read.
        form: with as many stanzas and lines as the draft.
        option: that asked for it.

    Raises:
        OptionError: its stanzas have other numbers of lines than those of the draft.
    """
    lengths = [len(stanza.lines) for stanza in draft.stanzas]
    asked = [size for section in form for size in _stanza_lengths(section)]
    if asked != lengths:
        expected = f"for stanzas of {', '.join(map(str, lengths))} lines, as the draft has"
        raise OptionError(option, ", ".join(map(str, asked)), expected)
    stanzas, sections = iter(draft.stanzas), []
    for section in form:
        first, *others = islice(stanzas, len(_stanza_lengths(section)))
        if not others:
            section = replace(section, name=first.name or section.name, comes_back=first.comes_back)
        sections.append(section)
    return Form(tuple(sections))


def _stanza_lengths(section: Section) -> list[int]:
    """Return how many lines each stanza of a section has."""
    starts = [n for n, line in enumerate(section.lines) if not n or line.opens_stanza]
    return [end - start for start, end in pairwise([*starts, len(section.lines)])]


def texts_after(form: Form, given: Sequence[DraftLine]) -> list[str]:
    """Return for each line of a form what follows it, line ends included: of the next two lines, if given."""
    opens_stanza = [not n or line.opens_stanza for section in form for n, line in enumerate(section.lines)]

    def after(number: int) -> str:
        text = ""
        for n in range(number + 1, min(number + 1 + _LINES_AFTER, len(given))):
            if not given[n].text:
                break
            text += ("\n\n" if opens_stanza[n] else "\n") + given[n].text
        return (text and text + "\n")[:_CHARACTERS_AFTER]

    return [after(number) for number in range(len(opens_stanza))]


class _Found:
    """What is found in a draft."""

    def __init__(self, draft: Draft, card: ModelCard) -> None:
        self._draft, self._sounds = draft, BY_LANGUAGE[card.language]
        self._rhyme_words = RhymeWords(card.rhymes, self._sounds)
        self._shares: dict[str, float] = defaultdict(float)
        for shape in card.shapes:
            if not shape.style:
                for section in read_form(shape.form):
                    self._shares["".join(line.rhyme for line in section.lines)] += shape.share
        self._schemes: list[str] = [self._scheme(stanza, {}) for stanza in draft.stanzas]

    def _scheme(self, stanza: DraftStanza, others: Mapping[str, float]) -> str:
        return guessed_scheme(
            [last_word(line.was or line.last_words).lower() for line in stanza.lines],
            lambda word, other: rhyme(self._sounds, word, other),
            lambda word: not self._rhyme_words or len(self._rhyme_words.of(word)) > 1,
            self._shares,
            others,
        )

    def section(self, number: int) -> Section:
        """Return what is asked of the lines of a stanza; what was found in the other ones counts."""
        stanza, others = self._draft.stanzas[number], defaultdict[str, float](float)
        for n, (other, scheme) in enumerate(zip(self._draft.stanzas, self._schemes, strict=True)):
            if n != number and not other.comes_back:
                others[scheme] += 1 if other.name == stanza.name else _OTHER_KIND
        scheme = self._scheme(stanza, others)
        lines = (
            Line(letter, syllables=None if line.text else self._syllables(stanza, scheme, n))
            for n, (letter, line) in enumerate(zip(scheme, stanza.lines, strict=True))
        )
        return Section(stanza.name or "verse", tuple(lines), stanza.comes_back)

    def _syllables(self, stanza: DraftStanza, scheme: str, n: int) -> tuple[int, int] | None:
        """Return how many syllables a gap should have, by the lines it rhymes with and by other stanzas."""
        place = [
            other.lines[n]
            for other in self._draft.stanzas
            if len(other.lines) == len(stanza.lines) and other.name == stanza.name and not other.comes_back
        ]
        partners = [line for line, one in zip(stanza.lines, scheme, strict=True) if one == scheme[n] != FREE]
        alike, rhymed = self._counts(place), self._counts(partners)
        if rhymed and not all(abs(one - rhymed[0]) <= _SPREAD for one in alike):
            alike = []
        if len(alike) >= 2 and max(alike) - min(alike) <= 2 * _SPREAD:
            return _within(min(alike), max(alike))
        for counts in (rhymed, alike, self._counts(stanza.lines), self._counts(self._draft.lines)):
            if counts:
                middle = statistics.median_low(counts)
                return _within(middle - _SPREAD, middle + _SPREAD)
        return None

    def _counts(self, lines: Iterable[DraftLine]) -> list[int]:
        return [min(line_syllables(self._sounds, line.text)) for line in lines if words(line.text)]


def _within(low: int, high: int) -> tuple[int, int]:
    return min(max(1, low), MAX_SYLLABLES), min(max(1, high), MAX_SYLLABLES)
