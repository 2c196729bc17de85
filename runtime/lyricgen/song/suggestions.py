"""Lines for the gaps of a draft: several for each, the best first, so that its writer can choose."""

from __future__ import annotations

from collections.abc import Container, Generator, Sequence
from dataclasses import dataclass, replace

from lyricgen.engine.step_model import ModelFile
from lyricgen.song.composer import Composer, FormPlan
from lyricgen.song.draft import DraftLine
from lyricgen.song.line_search import Candidate
from lyricgen.song.line_task import last_word
from lyricgen.song.song_line import SongLine
from lyricgen.song.sound import words

_PER_SUGGESTION = 4
"""So many lines are looked for, for each one that is suggested."""


@dataclass(frozen=True)
class Gap:
    """A gap of a draft, and lines that could fill it.

    Example:
        >>> import lyricgen
        >>> draft = ["Low Moon", "", "The moon is low tonight", "..."]
        >>> (gap,) = lyricgen.load().suggest(draft=chr(10).join(draft), count=3, rhyme="AA", seed=1)
        >>> gap.line, gap.rhymes_with, len(gap.suggestions)
        (2, ('tonight',), 3)
        >>> all(line.rhymes for line in gap.suggestions)
        True
    """

    line: int
    """Which of the draft's lines it is, from 1, its title and empty lines not counted."""
    before: str
    """The line before it; "" if none is known."""
    given: DraftLine
    """What the draft says of it."""
    rhymes_with: tuple[str, ...]
    """Last words of the lines that it has to rhyme with."""
    syllables: tuple[int, int]
    """The fewest and the most that it has to have."""
    suggestions: tuple[SongLine, ...]
    """The best first, all with other last words if there are so many. If none does what is asked, the one
    that comes nearest; `rhymes` and `fits` tell."""


def suggest(
    file: ModelFile, plan: FormPlan, chosen: Container[int], count: int, threads: int
) -> Generator[Gap]:
    """Yield the gaps of a plan, each with lines for it, as if there were no other gaps.

    Args:
        file: the model.
        plan: of a draft.
        chosen: numbers of lines, from 1; other gaps get nothing.
        count: how many lines a gap gets at most.
        threads: how many write.
    """
    plan = replace(plan, styles=tuple(filter(None, [plan.style(0)])))
    coming_back = [section.comes_back for section in plan.form or () for _ in section.lines]
    for number, line in enumerate(plan.given):
        if not line.text and not coming_back[number] and number + 1 in chosen:
            composer = Composer(file, plan, number, threads)
            task, found = composer.at_gap(number, count * _PER_SUGGESTION)
            ranked = sorted(found, key=lambda one: (-one[1], one[0].text))
            kept = _different([one for one, _ in ranked], count)
            best = [composer.described(task, "", one) for one in kept]
            before = plan.given[number - 1].text if number else ""
            yield Gap(number + 1, before, line, task.partners, task.syllables, tuple(best))


def _different(lines: Sequence[Candidate], count: int) -> list[Candidate]:
    """Return the first `count` lines that end and begin differently; others only if these are too few."""
    chosen: list[int] = []
    for kinds in (_end_and_beginning, _end, _itself):
        seen = {kind for n in chosen for kind in kinds(lines[n].text)}
        for n, line in enumerate(lines):
            if len(chosen) < count and n not in chosen and seen.isdisjoint(kinds(line.text)):
                chosen.append(n)
                seen |= kinds(line.text)
    return [lines[n] for n in sorted(chosen)]


def _end_and_beginning(text: str) -> set[str]:
    return {"…" + last_word(text).lower(), " ".join(words(text.lower())[:2]) + "…"}


def _end(text: str) -> set[str]:
    return {last_word(text).lower()}


def _itself(text: str) -> set[str]:
    return {" ".join(words(text.lower()))}
