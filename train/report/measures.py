"""What can be said of songs in figures: are they sound, are they new, are they shaped like songs?"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from lyricgen.model_file.contract import split_title
from train.report.figures import SongFigures
from train.report.originality import Originals
from train.report.rhyme import dictionary_words, line_ends, rhyming_by_chance, rhyming_lines
from train.report.wording import WordRuns, lines, stanzas, words

LEAST_COPY = 100
"""Characters a song must have for its copying to count."""


class Measures:
    """Measures songs against those that a model read."""

    def __init__(self, texts: Sequence[str], *, title_line: bool) -> None:
        """Index the songs that were read; `title_line` says whether songs begin with their title."""
        self._title_line = title_line
        self._pairs = WordRuns((line for text in texts for line in lines(self._parts(text)[1])), 2)
        self._words = dictionary_words().union(self._pairs.words)
        self._originals = Originals(texts)

    def _parts(self, text: str) -> tuple[str, str]:
        return split_title(text) if self._title_line else ("", text)

    def measure(self, texts: Sequence[str], ended: int) -> SongFigures:
        """Measure one song or more, `ended` of which ended by themselves."""
        titles, bodies = zip(*map(self._parts, texts), strict=True)
        found = [line for body in bodies for line in lines(body)]
        spoken = [word for line in found for word in words(line)]
        ends = line_ends(bodies)
        spans = self._originals.longest_spans(texts)
        longest = max(spans, key=len)
        return SongFigures(
            songs=len(texts),
            ended=ended / len(texts),
            median_characters=_median(map(len, texts)),
            median_lines=_median(len(lines(body)) for body in bodies),
            median_line_characters=_median(map(len, found)),
            median_stanza_lines=_median(len(stanza) for body in bodies for stanza in stanzas(body)),
            median_title_characters=_median(len(title) for title in titles if title),
            known_words=_share(sum(word in self._words for word in spoken), len(spoken)),
            known_pairs=_share(*self._pairs.found(found)),
            rhymes=_share(*rhyming_lines(ends)),
            rhymes_by_chance=_share(*rhyming_by_chance(ends)),
            repeated_lines=_share(len(found) - sum(len(set(lines(body))) for body in bodies), len(found)),
            copied_lines=_share(*self._originals.copied_lines(bodies)),
            copied_runs=_share(*self._originals.copied_runs(bodies)),
            median_copied_span=_median(map(len, spans)),
            longest_copied_span=len(longest),
            longest_copied_text=longest,
            whole_copies=sum(
                len(body.strip()) >= LEAST_COPY and body.strip() in span
                for body, span in zip(bodies, spans, strict=True)
            ),
        )


def _share(part: int, whole: int) -> float:
    return round(part / max(whole, 1), 5)


def _median(values: Iterable[int]) -> float:
    found = list(values)
    return float(statistics.median(found)) if found else 0.0
