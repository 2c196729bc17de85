"""Songs with a form: each line is chosen among many candidates, those that rhyme and scan.

Where no candidate will do, the composer goes back and writes the line anew that has to be rhymed; if that
fails several times, the likeliest line stands there, and the song says so (`SongLine.rhymes`, `.fits`).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from lyricgen.engine.lines import LineWriter
from lyricgen.engine.record import Floats32
from lyricgen.engine.slots import Places, SongPlan
from lyricgen.engine.step_model import ModelFile
from lyricgen.model_file.contract import AFTER_TITLE
from lyricgen.song.form import COMING_BACK, FREE, Form, Line, Section, read_form
from lyricgen.song.line_search import Candidate, LineSearch, Openings, Wanted, surprises
from lyricgen.song.rhyme_words import RhymeWords
from lyricgen.song.song_line import SongLine
from lyricgen.song.sound import BY_LANGUAGE, NEAR, PERFECT, line_syllables, rhyme, words
from lyricgen.song.subject import Subject, main_words

T = TypeVar("T")

_TRIES = 3
"""How many times candidates are written for a line before the composer goes back."""
_RETURNS = 6
"""How many times it goes back within a section."""
_ENOUGH, _ENOUGH_RHYMED = 8, 3
"""With so many candidates that will do, no more are written."""
_STRICTNESS = 40.0
"""How much likelier lines are preferred: weights are e^(this × bits per character saved)."""
_FEWEST_RHYMES = 4
"""A line that has to be rhymed ends with a word that has so many rhymes for each line to come."""
_SAME_END = 8
"""Lines within which no two end with the same word, but refrains."""
_SYLLABLES, _SPREAD = (6, 10), 1
"""Where the form leaves them open: those of the first line, and how far others may be from that."""
_STANZAS = 2, 6
"""The fewest and the most verses, or pairs of verse and chorus, where the model ends the song."""
_TITLE_LENGTH, _TITLE_STRICTNESS = 36, 4.0
"""Characters of the longest title that the model may invent; and as `_STRICTNESS`, for these."""
_SUBJECT_BY = 4
"""The line by which the subject is named, counted from 1."""
_SUBJECT_BONUS = 0.1
"""Bits per character that a line may cost more if it names the subject."""
_SAME_OPENING, _SAME_TWO, _SAME_WORD = 0.03, 0.08, 0.03
"""What a line costs for each one before, three at most, with its first word, first two, or a main word."""
_CLOSED = 0.1
"""What it earns to end a section's sentence, and costs not to."""
_DOUBTFUL = 0.1
"""What a rhyme costs that is none if both words are said in their commonest way, with their main stress."""
_FORCED, _FORCED_FROM = 0.015, 6.0
"""What each bit of a last word costs beyond so many: it stands there for the rhyme alone."""
_LEADS = ("{}", "The {}", "My {}", "And the {}", "A {}", "Oh, {}", "Your {}", "In the {}")
"""How an English line may begin that names the subject."""


@dataclass(frozen=True)
class FormPlan(SongPlan):
    """All that decides a song with a form, besides the model and the song's index."""

    form: Form | None
    """None: drawn from the shapes that the model's card lists."""
    title: str | None
    """None: the model invents one, if its songs have any."""
    prompt: str
    """How the song begins, after its title."""
    about: str
    """What the song is about, in words; may be empty."""
    candidates: int
    """How many are written for a line in one try."""
    near_rhymes: bool
    """Whether words that nearly rhyme do."""
    metre: str
    """One of `sound.METRES`, in place of the form's; "": as the form says."""


@dataclass
class Counts:
    """What a song took."""

    candidates: int = 0
    """Written by the loop."""
    dead_ends: int = 0
    """Times that no candidate would do, and the composer went back or gave up."""
    given_up: int = 0
    """Lines that do not do what was asked."""
    rhymes_asked: int = 0
    """Lines that had to rhyme with one before, those that came back not counted."""
    rhymes_met: int = 0
    """Those of them that do."""


@dataclass
class _Song:
    """What was written so far."""

    lines: list[SongLine] = field(default_factory=list)
    refrains: dict[str, str] = field(default_factory=dict)
    sections: dict[str, list[SongLine]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Task:
    """A line to be written, and what stands before it."""

    asked: Line
    metre: str
    section: str
    stanza: int
    is_hook: bool
    """Whether it begins with the title: the first line of a chorus."""
    partners: tuple[str, ...]
    """Last words of the lines that it rhymes with."""
    rhymed_later: int
    """How many lines to come rhyme with it."""
    before: tuple[SongLine, ...]
    """All lines of the song before it."""
    said: frozenset[str]
    """Their texts in small letters: it must be none of them."""
    near_ends: frozenset[str]
    """Last words of those near by, in small letters: it must end with none of them."""
    is_last: bool
    """Whether its stanza ends with it."""
    openings: Counter[str]
    """First word, and first two, of the lines before."""
    words: Counter[str]
    """Main words of the lines before."""

    @property
    def syllables(self) -> tuple[int, int]:
        """The fewest and the most; where the form leaves them open, about as many as the first line has."""
        if self.asked.syllables is None and self.before:
            first = max(self.before[0].syllables or 0, 2)
            return max(1, first - _SPREAD), first + _SPREAD
        return self.asked.syllables or _SYLLABLES


class Composer:
    """Writes one song with a form; iterate over `lines`. Not for two threads at once."""

    def __init__(self, file: ModelFile, plan: FormPlan, index: int, threads: int) -> None:
        card = file.card
        self._plan, self._index, self._card, self._vocabulary = plan, index, card, card.vocabulary
        self._sounds = BY_LANGUAGE[card.language]
        self._least = NEAR if plan.near_rhymes else PERFECT
        self._rhyme_words = RhymeWords(card.rhymes, self._sounds, self._least)
        self._writer = LineWriter(file, plan, index, threads)
        self._search = LineSearch(self._writer, self._vocabulary, self._sounds, plan.candidates)
        self._subject = Subject(plan.about, english=card.language == "en")
        self._song, self._draws, self._end_odds = _Song(), 0, 0.0
        self._given: list[str] = []
        self.title: str | None = None
        """Known once the first line is."""
        self.ended = False
        """Whether the song is complete."""
        self.counts = Counts()

    def lines(self) -> Generator[SongLine]:
        """Yield the lines in order, each as soon as it cannot change any more."""
        place, stanza = self._begin(), 0
        for section in self._sections():
            known = self._song.sections.get(section.name)
            if section.comes_back and known is not None:
                later = stanza - known[0].stanza
                chosen = [replace(line, stanza=line.stanza + later, bits=None) for line in known]
                for line, asked in zip(chosen, section.lines, strict=True):
                    place = self._read_line(self._behind_stanza(asked, place), line.text)
                    yield line
            else:
                chosen, place = yield from self._write_section(section, stanza, place)
            self._song.sections.setdefault(section.name, chosen)
            self._song.lines += chosen
            self.counts.candidates = self._search.written
            if len(chosen) < len(section.lines):
                return
            place = self._writer.read(place.states, [self._writer.line_end])
            stanza = chosen[-1].stanza + 1
        self.ended = True

    def _behind_stanza(self, asked: Line, place: Places) -> Places:
        """Return the place before a line, where the one before it came to its end."""
        return self._writer.read(place.states, [self._writer.line_end]) if asked.opens_stanza else place

    def _begin(self) -> Places:
        """Read or invent the title; return the place where the lyrics begin."""
        plan, place = self._plan, self._writer.start(self._plan.style)
        title, prompt = plan.title, plan.prompt
        if self._card.title_line:
            if title is None:
                beginning, _, prompt = plan.prompt.partition(AFTER_TITLE)
                title = beginning if prompt else self._invented_title(place, beginning)
            self.title = title
            place = self._writer.read_text(place, self._vocabulary.encode(title + AFTER_TITLE))
            if not self._subject:
                self._subject = Subject(title, english=self._card.language == "en")
        self._given = [line for line in prompt.split("\n")[:-1] if line] + prompt.split("\n")[-1:]
        return place

    def _invented_title(self, place: Places, beginning: str) -> str:
        def accept(text: str) -> bool:
            return text == text.strip() and bool(words(text)) and len(text) <= _TITLE_LENGTH

        place = self._writer.read_text(place, self._vocabulary.encode(beginning))
        for _ in range(_TRIES):
            found = self._search.whole(Openings([beginning], [0.0], place), Wanted(accept, None, ""))
            if found:
                return self._drawn(found, [-_TITLE_STRICTNESS * one.bits_per_character for one in found]).text
        return beginning.strip() or next(one for one in self._vocabulary.characters if one.isalnum())

    def _sections(self) -> Iterator[Section]:
        """Yield the sections of the form; of a shape, until the model ends the song."""
        if self._plan.form is not None:
            yield from self._plan.form
            return
        shape = self._shape()
        names = [section.name for section in read_form(shape)]
        form = read_form("; ".join([shape, *names * (_STANZAS[1] - 1)]))
        for number, section in enumerate(form, 1):
            yield section
            times, rest = divmod(number, len(names))
            if not rest and times >= _STANZAS[0] and self._uniform() < self._end_odds:
                return

    def _shape(self) -> str:
        """Draw one of the shapes that songs of this style have."""
        style = self._plan.style
        name = "" if style is None else self._vocabulary.styles[style - 1]
        of_style = [shape for shape in self._card.shapes if shape.style == name]
        shapes = of_style or [shape for shape in self._card.shapes if not shape.style]
        return self._drawn(shapes, [math.log(shape.share) for shape in shapes]).form

    def _write_section(
        self, section: Section, stanza: int, place: Places
    ) -> Generator[SongLine, None, tuple[list[SongLine], Places]]:
        """Yield the lines of a section; return them and the place behind them."""
        chosen: list[SongLine] = []
        places: list[Places] = []  # before each of them
        yielded = returns = 0
        while len(chosen) < len(section.lines):
            task = self._task(section, stanza, chosen)
            if len(places) == len(chosen):
                places.append(self._behind_stanza(task.asked, place))
            place = places[-1]
            text = (
                self._given.pop(0)
                if len(self._given) > 1
                else self._song.refrains.get(task.asked.refrain, "")
            )
            found = None if text else self._best(task, place)
            if not text and found is None:
                self.counts.dead_ends += 1
                first = next(n for n, one in enumerate(section.lines) if one.rhyme == task.asked.rhyme)
                if task.partners and first >= yielded and returns < _RETURNS:
                    returns += 1
                    del chosen[first:], places[first + 1 :]
                    continue
                self.counts.given_up += 1
                found = self._last_resort(task, place)
                if found is None:
                    break
            chosen.append(self._described(task, text, found))
            place = (
                self._read_line(place, text) if found is None else self._read_end(found.state, found.logits)
            )
            if task.asked.refrain:
                self._song.refrains[task.asked.refrain] = chosen[-1].text
            settled = _settled(section, len(chosen))
            yield from chosen[yielded:settled]
            yielded = max(yielded, settled)
        yield from chosen[yielded:]
        letters = Counter(line.rhyme for line in section.lines[: len(chosen)] if line.rhyme != FREE)
        asked = sum(count - 1 for count in letters.values())
        self.counts.rhymes_asked += asked
        self.counts.rhymes_met += asked - sum(not line.rhymes for line in chosen)
        return chosen, place

    def _task(self, section: Section, stanza: int, chosen: Sequence[SongLine]) -> _Task:
        n, before = len(chosen), (*self._song.lines, *chosen)
        asked, letter = section.lines[n], section.lines[n].rhyme
        with_letter = [
            one.text for one, line in zip(chosen, section.lines, strict=False) if line.rhyme == letter
        ]
        to_come = [line for line in section.lines[n + 1 :] if line.rhyme == letter != FREE]
        with_letter += filter(None, (self._song.refrains.get(line.refrain) for line in to_come))
        following = section.lines[n + 1 : n + 2]
        return _Task(
            asked,
            self._plan.metre or asked.metre,
            section.name,
            stanza + sum(line.opens_stanza for line in section.lines[: n + 1]),
            is_hook=n == 0 and section.name in COMING_BACK and bool(self.title),
            partners=() if letter == FREE else tuple(map(_last_word, with_letter)),
            rhymed_later=len(to_come),
            before=before,
            said=frozenset(line.text.lower() for line in before),
            is_last=not following or following[0].opens_stanza,
            openings=Counter(" ".join(words(line.text.lower())[:m]) for line in before for m in (1, 2)),
            words=Counter(word for line in before for word in set(main_words(line.text))),
            near_ends=frozenset(_last_word(line.text).lower() for line in before[-_SAME_END:]),
        )

    def _best(self, task: _Task, place: Places) -> Candidate | None:
        """Return one of the candidates that do what is asked, or None; likelier ones are preferred."""
        openings, must_name = self._openings(task, place)
        found = self._candidates(task, openings, must_name=must_name)
        if not found and openings.texts != [""] and not self._given:  # neither title nor subject fits
            found = self._candidates(task, Openings([""], [0.0], place), must_name=False)
        if not found:
            return None
        self._given = []
        return self._drawn(found, [_STRICTNESS * self._worth(task, one) for one in found])

    def _candidates(self, task: _Task, openings: Openings, *, must_name: bool) -> list[Candidate]:
        """Return distinct lines that do what is asked; after some tries, few or none."""

        def accept(text: str) -> bool:
            return self._does(task, text) and (not must_name or self._subject.named_in(text))

        found: dict[str, Candidate] = {}
        wanted = Wanted(accept, task.syllables, task.metre)
        rhymes = self._rhyme_words.of_all(task.partners) if task.partners else []
        if task.partners and self._rhyme_words and not rhymes:
            return []
        for attempt in range(_TRIES):
            if rhymes:
                more = self._search.rhymed(openings, wanted, rhymes, attempt)
            else:
                more = self._search.whole(openings, wanted)
            found |= {one.text: one for one in more}
            if len(found) >= (_ENOUGH_RHYMED if task.partners else _ENOUGH):
                break
        return list(found.values())

    def _worth(self, task: _Task, candidate: Candidate) -> float:
        """Return how good a candidate is, in bits per character."""
        text = candidate.text
        worth = -candidate.bits_per_character - _FORCED * max(0.0, candidate.end_bits - _FORCED_FROM)
        if len(task.before) < _SUBJECT_BY and self._subject:
            worth += _SUBJECT_BONUS * self._subject.named_in(text)
        spoken = [word.lower() for word in words(text)]
        worth -= _SAME_OPENING * min(3, task.openings[spoken[0]]) + _SAME_TWO * min(
            3, task.openings[" ".join(spoken[:2])]
        )
        worth -= _SAME_WORD * sum(
            min(3, task.words[word]) for word in set(main_words(text)) if not self._subject.named_in(word)
        )
        end = spoken[-1]
        worth -= _DOUBTFUL * any(
            self._sounds.main_ending(end) != self._sounds.main_ending(partner) for partner in task.partners
        )
        if task.is_last and any(line.text[-1:] in ",;:" for line in task.before):
            worth += _CLOSED * (text[-1:] in ".!?") - _CLOSED * (text[-1:] not in '.!?;"')
        return worth

    def _openings(self, task: _Task, place: Places) -> tuple[Openings, bool]:
        """Return how the line may begin, and whether it has to name the subject."""
        texts, must_name = [""], False
        if self._given:  # the last line of the prompt
            texts = [self._given[0]]
        elif task.is_hook:
            texts = [self.title or "", _as_words(self.title or "")]
        elif len(task.before) == _SUBJECT_BY - 1 and self._subject and not self._is_named(task):
            leads = _LEADS if self._card.language == "en" else _LEADS[:1]
            texts = [lead.format(word) for word in self._subject.words[:3] for lead in leads]
            texts, must_name = [text[0].upper() + text[1:] for text in texts], True
        known = set(self._vocabulary.characters)
        texts = [text for text in dict.fromkeys(texts) if known.issuperset(text)] or [""]
        return self._read_openings(texts, place), must_name

    def _read_openings(self, texts: Sequence[str], place: Places) -> Openings:
        """Let the network read beginnings of a line."""
        costs, states, logits = [], [], []
        for text in texts:
            behind, cost = place, 0.0
            for token in self._vocabulary.encode(text):
                cost += float(surprises(behind.logits)[0, token - self._vocabulary.eos])
                behind = self._writer.read(behind.states, [token - self._vocabulary.eos])
            costs.append(cost)
            states.append(behind.states)
            logits.append(behind.logits)
        return Openings(texts, costs, Places(np.concatenate(states, axis=2), np.concatenate(logits)))

    def _is_named(self, task: _Task) -> bool:
        return any(self._subject.named_in(line.text) for line in task.before)

    def _does(self, task: _Task, text: str) -> bool:
        """Tell whether a text does what is asked of a line."""
        (low, high), spoken = task.syllables, words(text)
        if not _is_whole(text) or len(spoken) < min(2, high) or text.lower() in task.said:
            return False
        end = spoken[-1].lower()
        if end in task.near_ends:
            return False
        if not any(low <= number <= high for number in line_syllables(self._sounds, text, task.metre)):
            return False
        if any(rhyme(self._sounds, end, partner) < self._least for partner in task.partners):
            return False
        if not (task.rhymed_later and self._rhyme_words):
            return True
        return len(self._rhyme_words.of(end)) >= _FEWEST_RHYMES * task.rhymed_later

    def _last_resort(self, task: _Task, place: Places) -> Candidate | None:
        """Return the likeliest line, whatever was asked of it; None if the model writes none."""

        def accept(text: str) -> bool:
            return bool(words(text)) and text.lower() not in task.said

        found = self._search.whole(Openings([""], [0.0], place), Wanted(accept, None, ""))
        return min(found, key=lambda one: one.bits_per_character, default=None)

    def _described(self, task: _Task, text: str, found: Candidate | None) -> SongLine:
        """Return a line with what it makes of what was asked."""
        text, (low, high) = text if found is None else found.text, task.syllables
        keeping = line_syllables(self._sounds, text, task.metre)
        syllables = min(
            keeping or line_syllables(self._sounds, text), key=lambda count: max(low - count, count - high)
        )
        last = _last_word(text)
        return SongLine(
            text,
            task.section,
            task.stanza,
            rhyme=task.asked.rhyme if task.partners or task.rhymed_later else "",
            rhymes=all(
                rhyme(self._sounds, last, partner) >= self._least or (found is None and last == partner)
                for partner in task.partners
            ),
            syllables=syllables,
            fits=bool(keeping) and (task.asked.syllables is None or low <= syllables <= high),
            bits=None if found is None else found.bits,
        )

    def _read_line(self, place: Places, text: str) -> Places:
        place = self._writer.read_text(place, self._vocabulary.encode(text))
        return self._read_end(place.states, place.logits[0])

    def _read_end(self, states: Floats32, logits: Floats32) -> Places:
        """Read a line's end, and note how likely the song's end was in its place."""
        bits = surprises(logits[np.newaxis])[0]
        song, line = 2.0 ** -float(bits[0]), 2.0 ** -float(bits[self._writer.line_end])
        self._end_odds = song / ((song + line) or 1.0)
        return self._writer.read(states, [self._writer.line_end])

    def _drawn(self, choices: Sequence[T], logits: Sequence[float]) -> T:
        """Return one of some choices, drawn with weights e^logit."""
        highest = max(logits)
        weights = [math.exp(logit - highest) for logit in logits]
        at = self._uniform() * sum(weights)
        for choice, weight in zip(choices, weights, strict=True):
            at -= weight
            if at < 0:
                return choice
        return choices[-1]

    def _uniform(self) -> float:
        """Return the next random number in [0, 1) of this song's choices."""
        self._draws += 1
        digest = hashlib.sha256(f"{self._plan.seed} {self._index} {self._draws}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48


def _settled(section: Section, written: int) -> int:
    """Return how many lines of a section stay, whatever comes: no line to come rhymes with them."""
    open_letters = {line.rhyme for line in section.lines[written:]} - {FREE}
    waiting = (n for n, line in enumerate(section.lines[:written]) if line.rhyme in open_letters)
    return next(waiting, written)


def _last_word(text: str) -> str:
    return (words(text) or [""])[-1]


def _is_whole(text: str) -> bool:
    """Tell whether a line has no space at its ends, no two in a row, and closes what it opens."""
    return text == " ".join(text.split()) and not text.count('"') % 2 and text.count("(") == text.count(")")


def _as_words(title: str) -> str:
    """Return a title as it would stand in a line: only its first letter and "I" in capitals."""
    first, *others = title.split(" ")
    return " ".join(
        [first, *(word if word in ("I", "I'm", "I'll", "I'd", "I've") else word.lower() for word in others)]
    )
