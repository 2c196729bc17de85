"""What can be said of songs in figures: are they sound, are they new, are they shaped like songs?"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from train.corpus.scratch import split_title
from train.report.figures import SongFigures
from train.report.originality import Originals
from train.report.rhyme import dictionary_words, line_ends, rhyming_by_chance, rhyming_lines
from train.report.wording import Language, lines, stanzas

Count = tuple[int, int]
"""How many of how many."""


LEAST_COPY = 100
"""Characters a song must have for its copying to count."""


class Measures:
    """Measures songs against those that a model read."""

    def __init__(self, texts: Sequence[str], *, title_line: bool) -> None:
        """Index the songs that were read; `title_line` says whether songs begin with their title."""
        self._title_line = title_line
        self._language = Language(map(self._body, texts), dictionary_words())
        self._originals = Originals(texts)

    def _body(self, text: str) -> str:
        return split_title(text)[1] if self._title_line else text

    def measure(self, texts: Sequence[str], ended: int) -> SongFigures:
        """Measure songs, `ended` of which ended by themselves.

        Raises:
            ValueError: there are none.
        """
        bodies = [self._body(text) for text in texts]
        ends = line_ends(bodies)
        spans = self._originals.longest_spans(texts)
        longest = max(spans, key=lambda span: span.characters)
        titles = filter(None, (split_title(text)[0] for text in texts)) if self._title_line else ()
        return SongFigures(
            songs=len(texts),
            ended=ended / len(texts),
            median_characters=_median(map(len, texts)),
            median_lines=_median(len(lines(body)) for body in bodies),
            median_line_characters=_median(len(line) for body in bodies for line in lines(body)),
            median_stanza_lines=_median(len(stanza) for body in bodies for stanza in stanzas(body)),
            median_title_characters=_median(map(len, titles)),
            known_words=_share(self._language.known_words(bodies)),
            known_pairs=_share(self._language.known_pairs(bodies)),
            rhymes=_share(rhyming_lines(ends)),
            rhymes_by_chance=_share(rhyming_by_chance(ends)),
            repeated_lines=_share(_repeated_lines(bodies)),
            copied_lines=_share(self._originals.copied_lines(bodies)),
            copied_runs=_share(self._originals.copied_runs(bodies)),
            median_copied_span=_median(span.characters for span in spans),
            longest_copied_span=longest.characters,
            longest_copied_text=longest.text,
            whole_copies=sum(
                len(body.strip()) >= LEAST_COPY and body.strip() in span.text
                for body, span in zip(bodies, spans, strict=True)
            ),
        )


def _repeated_lines(texts: Sequence[str]) -> Count:
    counts = [(len(found), len(set(found))) for found in map(lines, texts)]
    total = sum(found for found, _ in counts)
    return total - sum(distinct for _, distinct in counts), total


def _share(count: Count) -> float:
    part, whole = count
    return round(part / max(whole, 1), 5)


def _median(values: Iterable[int]) -> float:
    found = list(values)
    return float(statistics.median(found)) if found else 0.0
