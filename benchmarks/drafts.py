"""How well lines fit that are suggested for a gap, and how long they take.

    python -m benchmarks.drafts                     100 of the songs that come with lyricgen
    python -m benchmarks.drafts --corpus my.csv     of others

Songs of which the model file knows more than half of the lines were read by the model; they are left out.
One line is taken out of each song, at random, among those that rhyme perfectly with a line of their stanza.
Eight lines are suggested for it, by what stands before and after. They are measured by lyricgen's dictionary,
which also chose them. Then the best suggestion is compared with the one that is best if nobody looks at what
follows: how unexpected the model finds the two lines behind the gap, in bits for both together, after the one
and after the other.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Annotated, NamedTuple
from unittest.mock import patch

import numpy as np
import typer

import lyricgen
from benchmarks import columns, run
from lyricgen.errors import LyricgenError
from lyricgen.generator import Model
from lyricgen.song import composer
from lyricgen.song.form import FREE
from lyricgen.song.line_task import last_word
from lyricgen.song.originality import KnownLines, known_lines, telling_words
from lyricgen.song.scheme import rhyme_scheme
from lyricgen.song.sound import BY_LANGUAGE, PERFECT, Sounds, line_syllables, rhyme
from train.config import CorpusConfig
from train.corpus.load import load_corpus

SUGGESTIONS, FOLLOWING = 8, 2
OWN_SONGS = Path(__file__).parents[1] / "train" / "data" / "modern_songs.csv.xz"
_row = columns(62, 14)


class Case(NamedTuple):
    """A song with a line taken out."""

    draft: str
    taken: str
    partners: list[str]
    """The lines of its stanza with its letter."""
    number: int
    """Of the line, from 0."""


def main(
    corpus: Annotated[Path, typer.Option(help="Songs.", show_default="those of lyricgen")] = OWN_SONGS,
    model: Annotated[Path | None, typer.Option(help="Model file.", show_default="the bundled model")] = None,
    songs: Annotated[int, typer.Option(help="How many songs.")] = 100,
    threads: Annotated[int, typer.Option(help="Threads that write.")] = 2,
) -> None:
    """Measure lines that are suggested for gaps."""
    opened = lyricgen.load(model)
    sounds = BY_LANGUAGE[opened.card.language]
    seconds, scoring, gains, found = [], [], [], list[tuple[bool, bool, bool]]()
    for case in _cases(opened, corpus, songs):
        start = time.perf_counter()
        gap = next(opened.suggest(draft=case.draft, count=SUGGESTIONS, threads=threads))
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        opened.score(case.draft.replace("...", case.taken))
        scoring.append(time.perf_counter() - start)
        found += [_kept(case, line.text, sounds) for line in gap.suggestions]
        with patch.object(composer, "texts_after", lambda *_: []):
            blind = next(opened.suggest(draft=case.draft, count=1, threads=threads))
        costs = [_cost_of_following(opened, case, one.suggestions[0].text) for one in (blind, gap)]
        gains.append(costs[0] - costs[1])
    rhymed, of_partner, of_taken = (statistics.mean(column) for column in zip(*found, strict=True))
    error = statistics.stdev(gains) / len(gains) ** 0.5
    _row(f"{songs} songs with a line taken out, {len(found)} suggestions", "")
    _row("rhyme with all lines of their letter", f"{rhymed:.1%}")
    _row("have the syllables of such a line, ± 1", f"{of_partner:.1%}")
    _row("have those of the line taken out, ± 1", f"{of_taken:.1%}")
    _row(
        "bits less for the two lines behind, if they are looked at",
        f"{statistics.mean(gains):.2f} ± {error:.2f}",
    )
    _row(f"seconds for {SUGGESTIONS} suggestions, median", f"{statistics.median(seconds):.2f}")
    _row("seconds to score a song, median", f"{statistics.median(scoring):.2f}")


def _kept(case: Case, line: str, sounds: Sounds) -> tuple[bool, bool, bool]:
    """Tell whether a line rhymes, and has about the syllables of its partner and of the line taken out."""
    ends, counts = map(last_word, case.partners), line_syllables(sounds, line)

    def is_near(other: str) -> bool:
        return any(abs(one - two) <= 1 for one in counts for two in line_syllables(sounds, other))

    rhymes = all(rhyme(sounds, last_word(line), end) >= PERFECT for end in ends)
    return rhymes, any(map(is_near, case.partners)), is_near(case.taken)


def _cases(model: Model, path: Path, count: int) -> Iterator[Case]:
    """Yield songs with a line taken out that rhymes and is followed by another."""
    loaded = load_corpus(path, CorpusConfig())
    known = known_lines(model.card.known_lines)
    songs = [song.text for part in (loaded.held_out, loaded.training) for song in part]
    texts = [text for text in songs if not _was_read(text, known)]
    draw = np.random.default_rng(0)
    found = 0
    for number in draw.permutation(len(texts)).tolist():
        text = model.card.vocabulary.readable(texts[number])
        cases = list(_lines_taken_out(text, BY_LANGUAGE[model.card.language])) if "..." not in text else []
        if cases:
            yield cases[int(draw.integers(len(cases)))]
            found += 1
        if found == count:
            return
    raise LyricgenError(f"{path}: has {found} new songs with a line that rhymes; {count} are needed")


def _was_read(text: str, known: KnownLines | tuple[()]) -> bool:
    """Tell whether most lines of a song stand in songs that the model read."""
    lines = list(filter(telling_words, text.split("\n")))
    return sum(line in known for line in lines) > len(lines) / 2


def _lines_taken_out(text: str, sounds: Sounds) -> Iterator[Case]:
    """Yield a case for each line that rhymes perfectly and is neither the last one nor heard twice."""
    lines, number = text.split("\n"), 0
    groups = groupby(range(len(lines)), lambda n: bool(lines[n]))
    stanzas = [list(places) for is_stanza, places in groups if is_stanza]
    for places in stanzas[len(stanzas[0]) == 1 :]:  # behind the title
        ends = [last_word(lines[n]).lower() for n in places]
        letters = rhyme_scheme(ends, partial(rhyme, sounds))
        for n, letter in zip(places, letters, strict=True):
            others = [m for m, one in zip(places, letters, strict=True) if one == letter != FREE and m != n]
            is_perfect = [rhyme(sounds, last_word(lines[n]), last_word(lines[m])) == PERFECT for m in others]
            if others and all(is_perfect) and lines.count(lines[n]) == 1 and n < len(lines) - 2:
                draft = "\n".join([*lines[:n], "...", *lines[n + 1 :]])
                yield Case(draft, lines[n], [lines[m] for m in others], number)
            number += 1


def _cost_of_following(model: Model, case: Case, line: str) -> float:
    """Return what the lines behind the gap cost if a line stands there, in bits."""
    found = model.score(case.draft.replace("...", line)).lines[case.number + 1 :][:FOLLOWING]
    return sum(one.bits_per_character * (len(one.text) + 1) for one in found)


if __name__ == "__main__":
    run(main)
