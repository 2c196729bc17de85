"""What can be said of songs in figures: are they sound, are they new, are they shaped like songs?"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from lyricgen.model_file.contract import split_title
from lyricgen.song.dictionary import dictionary
from lyricgen.song.originality import plain_words
from lyricgen.song.sound import BY_LANGUAGE, ENGLISH
from train.report.figures import SongFigures
from train.report.originality import Originals
from train.report.rhyme import line_ends, rhyming_by_chance, rhyming_lines
from train.report.wording import WordRuns, lines, stanzas

LEAST_COPY = 100
"""Characters a song must have for its copying to count."""


class Measures:
    """Measures songs against those that a model read."""

    def __init__(self, texts: Sequence[str], *, title_line: bool, language: str) -> None:
        """Index the songs that were read.

        Args:
            texts: the songs.
            title_line: whether songs begin with their title.
            language: a key of `BY_LANGUAGE`.
        """
        self._title_line = title_line
        self._sounds = BY_LANGUAGE[language]
        self._pairs = WordRuns((line for text in texts for line in lines(self._parts(text)[1])), 2)
        self._originals = Originals(texts)

    def _parts(self, text: str) -> tuple[str, str]:
        return split_title(text) if self._title_line else ("", text)

    def _is_known(self, word: str) -> bool:
        return word in self._pairs.words or (
            self._sounds is ENGLISH and bool(dictionary().find(word.replace("’", "'")))
        )

    def measure(self, texts: Sequence[str], ended: int) -> SongFigures:
        """Measure one song or more, `ended` of which ended by themselves."""
        titles, bodies = zip(*map(self._parts, texts), strict=True)
        found = [line for body in bodies for line in lines(body)]
        spoken = [word for line in found for word in plain_words(line)]
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
            known_words=_share(sum(map(self._is_known, spoken)), len(spoken)),
            known_pairs=_share(*self._pairs.found(found)),
            rhymes=_share(*rhyming_lines(ends, self._sounds)),
            rhymes_by_chance=_share(*rhyming_by_chance(ends, self._sounds)),
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

    def copies(self, texts: Sequence[str]) -> tuple[float, int]:
        """Return the share of copied lines of some lyrics, and the longest copied span of all."""
        longest = max(map(len, self._originals.longest_spans(texts)), default=0)
        return _share(*self._originals.copied_lines(texts)), longest


def _share(part: int, whole: int) -> float:
    return round(part / max(whole, 1), 5)


def _median(values: Iterable[int]) -> float:
    found = list(values)
    return float(statistics.median(found)) if found else 0.0
