"""Songs with a form: each line is chosen among many candidates, those that rhyme and scan.

Where no candidate fits, the composer goes back and writes the line anew that has to be rhymed; if that fails
several times, the line that comes nearest stands there, and the song says so (`SongLine.rhymes`, `.fits`).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import NamedTuple, TypeVar

import numpy as np

from lyricgen.engine.lines import LineWriter
from lyricgen.engine.reading import surprises
from lyricgen.engine.record import Floats32, Floats64
from lyricgen.engine.slots import Places, SongPlan
from lyricgen.engine.step_model import ModelFile
from lyricgen.model_file.contract import AFTER_TITLE
from lyricgen.song.beginnings import as_words, naming, titles_naming
from lyricgen.song.draft import DraftLine
from lyricgen.song.draft_form import texts_after
from lyricgen.song.form import COMING_BACK, FREE, Form, Line, Section, read_form
from lyricgen.song.line_search import Candidate, LineSearch, Openings, Wanted
from lyricgen.song.line_task import LineTask, last_word
from lyricgen.song.originality import known_lines
from lyricgen.song.rhyme_words import RhymeWords
from lyricgen.song.song_line import SongLine
from lyricgen.song.sound import BY_LANGUAGE, NEAR, PERFECT, line_syllables, rhyme, words
from lyricgen.song.subject import Subject
from lyricgen.song.worth import SUBJECT_BY, worth

T = TypeVar("T")

_FEWEST_STANZAS, _MOST_STANZAS = 2, 6
"""Verses, or pairs of verse and chorus, of a song whose length the model decides; a long prompt has more."""
_TRIES = 3
"""How many times candidates are written for a line before the composer goes back."""
_RETURNS, _REACH = 4, 8
"""How many times it goes back within a section, and over how many lines at most."""
_ENOUGH, _ENOUGH_RHYMED = 8, 3
"""With so many candidates that fit, no more are written."""
_ALIKE = 2
"""Of lines that are suggested for a gap, no more than so many differ in their last word alone."""
_READ_ON = 24
"""Behind so many candidates at least, the best, what follows is read to find those that it follows from."""
_STRICTNESS = 40.0
"""How much better lines are preferred: weights are e^(this × worth)."""
_FEWEST_RHYMES, _MANY_RHYMES = 4, 40
"""A line ends with a word that has so many rhymes for each line to come that rhymes with it, or many."""
_TITLE_LENGTH, _TITLE_STRICTNESS = 36, 4.0
"""Characters of the longest title that the model may invent; and as `_STRICTNESS`, for these."""


@dataclass(frozen=True)
class FormPlan(SongPlan):
    """All that decides a song with a form, besides the model and the song's index."""

    form: Form | None
    """None: drawn from the shapes that the model's card lists."""
    title: str | None
    """None: the model invents one, if its songs have any."""
    title_begins: str
    """How the title begins that it invents."""
    given: tuple[DraftLine, ...]
    """What is known of the song's first lines."""
    labels: tuple[str, ...]
    """What stands above its first stanzas, such as "[Chorus]"; "" for nothing."""
    shows_title: bool
    """Whether the title belongs to the song's text; a draft without one gets none."""
    about: str
    """What the song is about, in words; may be empty."""
    candidates: int
    """How many are written for a line in one try."""
    original: bool
    """Whether no line is kept that stands in the songs that the model read."""
    near_rhymes: bool
    """Whether words that nearly rhyme do."""
    metre: str
    """One of `sound.METRES`, in place of the form's; "": as the form says."""


@dataclass
class Counts:
    """What a song took. Of lines, only those count that the model wrote: not those given or coming back."""

    candidates: int = 0
    """Written by the loop."""
    dead_ends: int = 0
    """Times that no candidate fitted, and the composer went back or gave up."""
    rhymes_asked: int = 0
    """Lines that had to rhyme with one before."""
    rhymes_met: int = 0
    syllables_asked: int = 0
    """Lines for which the form has syllables or a metre."""
    syllables_met: int = 0

    def add(self, task: LineTask, line: SongLine) -> None:
        """Count what a line makes of what was asked."""
        if line.bits is None:
            return
        self.rhymes_asked += bool(task.partners)
        self.rhymes_met += bool(task.partners) and line.rhymes
        has_measure = bool(task.asked.syllables or task.metre)
        self.syllables_asked += has_measure
        self.syllables_met += has_measure and line.fits


@dataclass(frozen=True)
class _Written:
    """A line of a section, and what is needed to write it again."""

    task: LineTask
    place: Places
    """Before it, and before the empty line in front of it."""
    line: SongLine


class Step(NamedTuple):
    """How far a song is when another line was found, or taken back."""

    settled: tuple[SongLine, ...]
    """Lines that cannot change any more, those behind all that were settled before."""
    open: tuple[SongLine, ...]
    """Lines behind these that may still be written anew, because others have to rhyme with them."""


class StoppedError(Exception):
    """Nobody wants the song any more."""


class Composer:
    """Writes one song with a form; iterate over `lines`, or `steps`. Not for two threads at once.

    Args:
        file: the model.
        plan: of the song.
        index: which of the seed's songs it is.
        threads: how many write.
        is_stopped: asked now and then; if it says True, writing raises a StoppedError.
    """

    def __init__(
        self,
        file: ModelFile,
        plan: FormPlan,
        index: int,
        threads: int,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        card = file.card
        self._plan, self._index, self._card, self._vocabulary = plan, index, card, card.vocabulary
        self._style, self._is_stopped = plan.style(index), is_stopped
        self._english = card.language == "en"
        self._sounds = BY_LANGUAGE[card.language]
        self._least = NEAR if plan.near_rhymes else PERFECT
        self._rhyme_words = RhymeWords(card.rhymes, self._sounds, self._least)
        self._writer = LineWriter(file, plan, index, threads)
        self._search = LineSearch(self._writer, self._vocabulary, self._sounds, plan.candidates)
        self._subject = Subject(plan.about, english=self._english)
        self._known = known_lines(card.known_lines)
        self._fewest_words = 2 if " " in self._vocabulary.characters else 1
        self._texts_after = texts_after(plan.form, plan.given) if plan.form else []
        self._lines: list[SongLine] = []
        self._refrains: dict[str, str] = {}
        self._draws, self._end_odds = 0, 0.0
        self.title: str | None = None
        """Known at the first step."""
        self.ended = False
        """Whether the song is complete."""
        self.counts = Counts()

    def lines(self) -> Generator[SongLine]:
        """Yield the lines in order, each as soon as it cannot change any more."""
        for step in self.steps():
            yield from step.settled

    def steps(self) -> Generator[Step]:
        """Yield how far the song is, after each line that was searched."""
        place, known = self._begin(), dict[str, list[SongLine]]()
        for section in self._sections():
            if section.comes_back and self._is_as_given(known.get(section.name, [])):
                chosen, place = yield from self._sing_again(section, known[section.name], place)
            else:
                chosen, place = yield from self._write_section(section, place)
            known.setdefault(section.name, chosen)
            self._lines += chosen
            self.counts.candidates = self._search.written
            if len(chosen) < len(section.lines):
                return
            place = self._writer.read(place.states, [self._writer.line_end])
        self.ended = True

    def _begin(self) -> Places:
        """Read or invent the title; return the place where the lyrics begin."""
        plan, place = self._plan, self._writer.start(self._style)
        if not self._card.title_line:
            return place
        self.title = plan.title or self._invented_title(place, plan.title_begins)
        self._subject = self._subject or Subject(self.title, english=self._english)
        return self._writer.read_text(place, self._tokens(self.title + AFTER_TITLE))

    def _invented_title(self, place: Places, begun: str) -> str:
        def accept(text: str) -> bool:
            return text == text.strip() and bool(words(text)) and len(text) <= _TITLE_LENGTH

        texts = [begun] if begun else titles_naming(self._subject, english=self._english)
        openings = self._read_openings(texts, place)
        for _ in range(_TRIES):
            found = self._search.whole(openings, Wanted(accept, None, ""))
            if found:
                return self._drawn(found, [-_TITLE_STRICTNESS * one.bits_per_character for one in found]).text
        return openings.texts[0].strip() or next(one for one in self._vocabulary.characters if one.isalnum())

    def _sections(self) -> Iterator[Section]:
        """Yield the sections of the form; of a shape, until the model ends the song."""
        if self._plan.form is not None:
            yield from self._plan.form
            return
        shape = self._shape()
        names = [section.name for section in read_form(shape)]
        sections = read_form("; ".join([shape, *names])).sections
        for times in count(1):
            yield from sections[: len(names)] if times == 1 else sections[len(names) :]
            may_end = times >= _FEWEST_STANZAS and len(self._lines) >= len(self._plan.given)
            if may_end and (times >= _MOST_STANZAS or self._uniform() < self._end_odds):
                return

    def _shape(self) -> str:
        """Draw one of the shapes that songs of this style have."""
        name = "" if self._style is None else self._vocabulary.style_name(self._style)
        of_style = [shape for shape in self._card.shapes if shape.style == name]
        shapes = of_style or [shape for shape in self._card.shapes if not shape.style]
        return self._drawn(shapes, [math.log(shape.share) for shape in shapes]).form

    def _sing_again(
        self, section: Section, known: Sequence[SongLine], place: Places
    ) -> Generator[Step, None, tuple[list[SongLine], Places]]:
        """Yield the steps of a section that comes back; return its lines and the place behind them."""
        later = self._lines[-1].stanza + 1 - known[0].stanza
        chosen = [replace(line, stanza=line.stanza + later, bits=None) for line in known]
        for line, asked in zip(chosen, section.lines, strict=True):
            place = self._read_line(self._behind_stanza(asked, place), line.text)
            yield Step((line,), ())
        return chosen, place

    def _write_section(
        self, section: Section, place: Places
    ) -> Generator[Step, None, tuple[list[SongLine], Places]]:
        """Yield the steps of a section; return its lines and the place behind them."""
        written: list[_Written] = []
        before_section, handed_out, returns = dict(self._refrains), 0, 0
        while len(written) < len(section.lines):
            task, start = self._task(section, written), place
            place = self._behind_stanza(task.asked, start)
            text = task.given.text or self._refrains.get(task.asked.refrain, "")
            found = None if text else self._best(task, place)
            if not text and found is None:
                self.counts.dead_ends += 1
                back = self._rewritable(section, len(written), handed_out, before_section)
                if task.partners and back is not None and returns < _RETURNS:
                    returns += 1
                    place = written[back].place
                    del written[back:]
                    self._refrains = before_section | _refrains(written)
                    yield Step((), tuple(one.line for one in written[handed_out:]))
                    continue
                found = self._nearest(task, place)
                if found is None:
                    break
            written.append(_Written(task, start, self.described(task, text, found)))
            self._refrains |= _refrains(written[-1:])
            place = (
                self._read_line(place, text) if found is None else self._read_end(found.state, found.logits)
            )
            settled = max(_settled(section, len(written)), len(written) - _REACH, handed_out)
            found_lines = tuple(one.line for one in written[handed_out:])
            yield Step(found_lines[: settled - handed_out], found_lines[settled - handed_out :])
            handed_out = settled
        yield Step(tuple(one.line for one in written[handed_out:]), ())
        for one in written:
            self.counts.add(one.task, one.line)
        return [one.line for one in written], place

    def _task(self, section: Section, written: Sequence[_Written]) -> LineTask:
        before = (*self._lines, *(one.line for one in written))
        given = [self._given(len(self._lines) + n) for n in range(len(section.lines))]
        after = self._plan.given[len(before) + 1 :]
        return LineTask.of(
            section,
            len(written),
            before,
            given,
            [line.text for line in after if line.text],
            self._refrains,
            self._plan.metre,
            english=self._english,
        )

    def _rewritable(
        self, section: Section, number: int, handed_out: int, before_section: dict[str, str]
    ) -> int | None:
        """Return the first line that line `number` of a section rhymes with and that may be written anew."""
        letter = section.lines[number].rhyme
        for n in range(handed_out, number):
            is_free = section.lines[n].refrain not in before_section and not self._given(len(self._lines) + n)
            if section.lines[n].rhyme == letter and is_free:
                return n
        return None

    def _given(self, number: int) -> DraftLine:
        """Return what is known of a line of the song before it is written."""
        return self._plan.given[number] if number < len(self._plan.given) else DraftLine()

    def _is_as_given(self, known: Sequence[SongLine]) -> bool:
        """Tell whether there are lines to come back, and no others are given in their place."""
        given = (self._given(len(self._lines) + n) for n in range(len(known)))
        return bool(known) and all(
            not line or line.text == one.text for line, one in zip(given, known, strict=True)
        )

    def _behind_stanza(self, asked: Line, place: Places) -> Places:
        """Return the place before a line, where the one before it came to its end."""
        return self._writer.read(place.states, [self._writer.line_end]) if asked.opens_stanza else place

    def at_gap(self, number: int, enough: int) -> tuple[LineTask, list[tuple[Candidate, float]]]:
        """Read the lines that are given up to a gap; return what is asked of it, and lines for it.

        Args:
            number: of the line, from 0; gaps before it are passed over.
            enough: how many lines for it will do.

        Returns:
            Its task, and lines that could stand there with how good they are, in bits per character; if none
            fits, the one that comes nearest.
        """
        place = self._begin()
        for section in self._sections():
            written, has_lines = list[_Written](), False  # read since the last empty line
            for _ in section.lines:
                task = self._task(section, written)
                if task.asked.opens_stanza and has_lines:
                    place, has_lines = self._behind_stanza(task.asked, place), False
                if len(task.before) == number:
                    return task, self._choices(task, place, enough)
                line = SongLine("", task.section, task.stanza)  # passed over
                if task.given.text:
                    place, has_lines = self._read_line(place, task.given.text), True
                    line = self.described(task, task.given.text, None)
                written.append(_Written(task, place, line))
            self._lines += [one.line for one in written]
            if has_lines:
                place = self._writer.read(place.states, [self._writer.line_end])
        raise ValueError(f"there is no line {number}")

    def _choices(self, task: LineTask, place: Places, enough: int) -> list[tuple[Candidate, float]]:
        """Return lines that fit, or the one that comes nearest, and how good they are."""
        found: dict[str, Candidate] = {}
        different: list[Candidate] = []
        for _ in range(_TRIES):
            found |= {one.text: one for one in self._found(task, place, enough)}
            different = self._not_alike(task, found.values())
            if not found or len(different) >= enough // _ALIKE:
                break
        nearest = None if found else self._nearest(task, place)
        return self._ranked(task, [nearest] if nearest else different, max(_READ_ON, enough // 3))

    def _not_alike(self, task: LineTask, found: Collection[Candidate]) -> list[Candidate]:
        """Return lines, the best first, without most of those that are the same but for their last word."""
        values = {one.text: worth(task, one, self._subject, self._sounds) for one in found}
        times = Counter[tuple[str, ...]]()
        kept = []
        for one in sorted(found, key=lambda one: (-values[one.text], one.text)):
            beginning = tuple(words(one.text.lower())[:-1])
            times[beginning] += 1
            if times[beginning] <= _ALIKE:
                kept.append(one)
        return kept

    def _best(self, task: LineTask, place: Places) -> Candidate | None:
        """Return one of the candidates that fit, or None; better ones are preferred."""
        found = self._found(task, place, _ENOUGH_RHYMED if task.partners else _ENOUGH)
        if not found:
            return None
        ranked = self._ranked(task, found)
        return self._drawn([one for one, _ in ranked], [_STRICTNESS * value for _, value in ranked])

    def _found(self, task: LineTask, place: Places, enough: int) -> list[Candidate]:
        """Return distinct lines that do what is asked, from the best beginnings that there are."""
        begun = self._vocabulary.readable(task.given.begins)
        texts, must_name = self._openings(task)
        openings = self._read_openings([begun] if begun else texts, place)
        found = self._candidates(task, openings, enough, must_name=must_name and not begun)
        if not found and texts and not begun:  # neither title nor subject fits
            found = self._candidates(task, self._read_openings([], place), enough, must_name=False)
        return found

    def _ranked(
        self, task: LineTask, found: Sequence[Candidate], most: int = _READ_ON
    ) -> list[tuple[Candidate, float]]:
        """Return candidates and how good they are; if lines follow that are known, only `most` of them."""
        values = [worth(task, one, self._subject, self._sounds) for one in found]
        number = len(task.before)
        text = self._texts_after[number] if number < len(self._texts_after) else ""
        ranked = list(zip(found, values, strict=True))
        if not text:
            return ranked
        ranked = sorted(ranked, key=lambda one: (-one[1], one[0].text))[:most]
        bits = self._bits_after([one for one, _ in ranked], text)
        length = sum(len(one.text) + 1 for one, _ in ranked) / len(ranked)
        return [(one, value - float(cost) / length) for (one, value), cost in zip(ranked, bits, strict=True)]

    def _bits_after(self, lines: Sequence[Candidate], text: str) -> Floats64:
        """Return what a text costs behind each of some lines, in bits, but for its first line end."""
        first, *others = [token - self._vocabulary.eos for token in self._tokens(text)]
        places = self._writer.read(
            np.concatenate([line.state for line in lines], axis=2), [first] * len(lines)
        )
        bits = np.zeros(len(lines))
        for unit in others:
            bits += surprises(places.logits)[:, unit]
            places = self._writer.read(places.states, [unit] * len(lines))
        return bits

    def _openings(self, task: LineTask) -> tuple[list[str], bool]:
        """Return how a line had best begin, [] if anyhow, and whether it has to name the subject."""
        opens_section = not task.before or task.before[-1].section != task.section
        if self.title and task.section in COMING_BACK and opens_section:
            return [self.title, as_words(self.title)], False
        is_named = any(self._subject.named_in(line.text) for line in task.before)
        if len(task.before) == SUBJECT_BY - 1 and not is_named:
            texts = naming(self._subject, english=self._english)
            return texts, bool(texts)
        return [], False

    def _candidates(
        self, task: LineTask, openings: Openings, enough: int, *, must_name: bool
    ) -> list[Candidate]:
        """Return distinct lines that do what is asked; after some tries, few or none."""

        def accept(text: str) -> bool:
            return self._fits(task, text) and (not must_name or self._subject.named_in(text))

        found: dict[str, Candidate] = {}
        wanted = Wanted(accept, task.syllables, task.metre)
        ends = self._vocabulary.readable(task.given.ends)
        rhymes = [ends] if ends else self._rhyme_words.of_all(task.partners)
        if task.partners and self._rhyme_words and not rhymes:
            return []
        found |= {one.text: one for one in self._only_given(task, openings) if accept(one.text)}
        for attempt in range(_TRIES):
            if self._is_stopped():
                raise StoppedError
            if rhymes:
                more = self._search.rhymed(openings, wanted, rhymes, attempt)
            else:
                more = self._search.whole(openings, wanted)
            found |= {one.text: one for one in more}
            if len(found) >= enough:
                break
        return list(found.values())

    def _only_given(self, task: LineTask, openings: Openings) -> list[Candidate]:
        """Return the line that has nothing but the beginning and the end that are given, if an end is."""
        if not task.given.ends:
            return []
        ends, begun = self._vocabulary.readable(task.given.ends), openings.texts[0]
        text = begun + (ends if begun else ends[:1].upper() + ends[1:])
        behind = Places(openings.places.states[:, :, :1], openings.places.logits[:1])
        behind, more = self._read_with_cost(behind, text[len(begun) :])
        bits = openings.bits[0] + more + float(surprises(behind.logits)[0, self._writer.line_end])
        return [Candidate(text, bits, behind.states, behind.logits[0], bits - openings.bits[0])]

    def _read_with_cost(self, place: Places, text: str) -> tuple[Places, float]:
        """Read a text, each character of which the model knows; return the place behind it and its bits."""
        cost = 0.0
        for token in self._vocabulary.encode(text):
            unit = token - self._vocabulary.eos
            cost += float(surprises(place.logits)[0, unit])
            place = self._writer.read(place.states, [unit])
        return place, cost

    def _read_openings(self, texts: Sequence[str], place: Places) -> Openings:
        """Let the network read beginnings of a line, those whose characters it knows; else of any line."""
        known = set(self._vocabulary.characters)
        texts = [text for text in dict.fromkeys(texts) if known.issuperset(text)] or [""]
        places, costs = zip(*(self._read_with_cost(place, text) for text in texts), strict=True)
        states = np.concatenate([one.states for one in places], axis=2)
        return Openings(texts, costs, Places(states, np.concatenate([one.logits for one in places])))

    def _fits(self, task: LineTask, text: str) -> bool:
        """Tell whether a text does what is asked of a line."""
        (low, high), spoken = task.syllables, words(text)
        if not spoken or not _is_whole(text) or len(spoken) < min(self._fewest_words, high):
            return False
        end = spoken[-1].lower()
        if text.lower() in task.other_texts or (self._plan.original and text in self._known):
            return False
        if not any(low <= number <= high for number in line_syllables(self._sounds, text, task.metre)):
            return False
        if task.given.ends:
            return self._ends_as_given(task, text)
        if end in task.near_ends:
            return False
        if not self._rhymes(end, task.partners):
            return False
        if not (task.rhymed_later and self._rhyme_words):
            return True
        return len(self._rhyme_words.of(end)) >= min(_FEWEST_RHYMES * task.rhymed_later, _MANY_RHYMES)

    def _ends_as_given(self, task: LineTask, text: str) -> bool:
        """Tell whether a text ends with the words with which a gap ends; True if these are not known."""
        asked = words(self._vocabulary.readable(task.given.ends).lower())
        return not asked or words(text.lower())[-len(asked) :] == asked

    def _spelled(self, given: DraftLine, text: str) -> str:
        """Return a line that the model wrote with its beginning and end as the draft spells them."""
        begins, ends = (self._vocabulary.readable(part) for part in (given.begins, given.ends))
        if begins and text.startswith(begins):
            text = given.begins + text[len(begins) :]
        at = text.rfind(ends)
        return text[:at] + given.ends + text[at + len(ends) :] if ends and at >= 0 else text

    def _rhymes(self, end: str, partners: Sequence[str]) -> bool:
        return all(rhyme(self._sounds, end, partner) >= self._least for partner in partners)

    def _nearest(self, task: LineTask, place: Places) -> Candidate | None:
        """Return the line that comes nearest to what is asked; None if the model writes none."""

        def distance(one: Candidate) -> tuple[bool, bool, int, float]:
            ends = self._ends_as_given(task, one.text)
            rhymes = self._rhymes(last_word(one.text), task.partners)
            off = _distance(self._syllables(one.text, task), task)
            return not ends, not rhymes, off, one.bits_per_character

        begun, ends = (self._vocabulary.readable(text) for text in (task.given.begins, task.given.ends))
        openings = self._read_openings([begun] if begun else [], place)
        for syllables in (task.syllables, None):  # None: of any length
            wanted = Wanted(lambda text: bool(words(text)), syllables, "")
            found = self._search.whole(openings, wanted) + self._only_given(task, openings)
            found += self._search.rhymed(openings, wanted, [ends], 0) if ends else []
            if found:
                new = [one for one in found if one.text.lower() not in task.other_texts]
                return min(new or found, key=distance)
        return None

    def _syllables(self, text: str, task: LineTask) -> int:
        """Return how many syllables a line has, of all ways to say it what is nearest to what is asked."""
        counts = line_syllables(self._sounds, text, task.metre) or line_syllables(self._sounds, text)
        return min(counts, key=lambda count: (_distance(count, task), count))

    def described(self, task: LineTask, text: str, found: Candidate | None) -> SongLine:
        """Return a line with what it makes of what was asked."""
        text = text if found is None else self._spelled(task.given, found.text)
        syllables, last = self._syllables(text, task), last_word(text)
        others = [one for one in task.partners if not (task.asked.refrain and one == last)]
        is_measured = task.asked.syllables is None or not _distance(syllables, task)
        return SongLine(
            text,
            task.section,
            task.stanza,
            rhyme=task.asked.rhyme if task.partners or task.rhymed_later else "",
            rhymes=self._rhymes(last, others),
            syllables=syllables,
            fits=is_measured
            and bool(line_syllables(self._sounds, text, task.metre))
            and (found is None or self._ends_as_given(task, found.text)),
            bits=None if found is None else found.bits,
            known=found is not None and text in self._known,
        )

    def _read_line(self, place: Places, text: str) -> Places:
        place = self._writer.read_text(place, self._tokens(text))
        return self._read_end(place.states, place.logits[0])

    def _tokens(self, text: str) -> list[int]:
        return self._vocabulary.encode(self._vocabulary.readable(text))

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


def _refrains(written: Sequence[_Written]) -> dict[str, str]:
    """Return the texts of lines that come back, by their names."""
    return {one.task.asked.refrain: one.line.text for one in written if one.task.asked.refrain}


def _distance(syllables: int, task: LineTask) -> int:
    """Return by how many syllables a line is too short or too long."""
    low, high = task.syllables
    return max(low - syllables, syllables - high, 0)


def _is_whole(text: str) -> bool:
    """Tell whether a line has no space at its ends, no two in a row, and closes what it opens."""
    return text == " ".join(text.split()) and not text.count('"') % 2 and text.count("(") == text.count(")")
