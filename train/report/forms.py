"""What songs with a form are like: how well they keep to it, and what that takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lyricgen.engine.cpus import usable_cpus
from lyricgen.generator import Model
from lyricgen.options import SongOptions, plan_song
from lyricgen.song.composer import Composer, Counts, FormPlan
from lyricgen.song.song_line import SongLine
from lyricgen.song.sound import words
from train.report.figures import FormFigures

COMMON: SongOptions = {"rhyme": "ABAB", "syllables": "8,6,8,6", "stanzas": 3}
"""Songs in common metre, as many hymns and ballads have it."""
DEPTHS = tuple(2**n for n in range(10))
"""Numbers of candidates for a line."""
Copies = Callable[[Sequence[str]], tuple[float, int]]
"""Returns the share of copied lines of some songs, and the longest copied span of all."""


@dataclass(frozen=True)
class Composed:
    """A song with a form, and what it took."""

    lines: tuple[SongLine, ...]
    counts: Counts
    seconds: float
    """Of a CPU."""

    @property
    def text(self) -> str:
        """The lines, without the title."""
        return "\n".join(line.text for line in self.lines)

    @property
    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield the last words of lines that should rhyme, each with the one before it of its letter."""
        last: dict[tuple[int, str], str] = {}
        for line in self.lines:
            word, letter = words(line.text)[-1].lower(), (line.stanza, line.rhyme)
            if line.rhyme and letter in last:
                yield last[letter], word
            last[letter] = word


def compose(model: Model, count: int, options: SongOptions, threads: int | None = None) -> list[Composed]:
    """Write songs 0, 1, … of a seed in so many threads, side by side; None: one for each CPU."""
    plan = plan_song(model.card, options)
    assert isinstance(plan, FormPlan)  # noqa: S101

    def song(index: int) -> Composed:
        composer, start = Composer(model.file, plan, index, 1), time.thread_time()
        lines = tuple(composer.lines())
        return Composed(lines, composer.counts, time.thread_time() - start)

    with ThreadPoolExecutor(threads or usable_cpus()) as pool:
        return list(pool.map(song, range(count)))


def measure_forms(songs: Sequence[Composed], copies: Copies) -> FormFigures:
    """Measure songs with a form, one or more; means over lines are 0 if there are none."""
    lines = [line for song in songs for line in song.lines]
    costs = [(line.bits, len(line.text) + 1) for line in lines if line.bits is not None]
    copied, span = copies([song.text for song in songs])
    return FormFigures(
        songs=len(songs),
        lines=len(lines) / len(songs),
        rhymes=_share((song.counts.rhymes_met, song.counts.rhymes_asked) for song in songs),
        syllables=_share((song.counts.syllables_met, song.counts.syllables_asked) for song in songs),
        dead_ends=_mean([song.counts.dead_ends for song in songs]),
        candidates=sum(song.counts.candidates for song in songs) / max(1, len(lines)),
        bits_per_character=sum(bits for bits, _ in costs) / max(1, sum(length for _, length in costs)),
        seconds=_mean([song.seconds for song in songs]),
        copied_lines=copied,
        longest_copied_span=span,
    )


def _share(counts: Iterable[tuple[int, int]]) -> float | None:
    met, asked = map(sum, zip(*counts, strict=True))
    return round(met / asked, 5) if asked else None


def _mean(values: Sequence[float]) -> float:
    return round(statistics.mean(values), 5) if values else 0.0
