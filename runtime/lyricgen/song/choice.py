"""The best of many songs, by a measure that needs no reader."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lyricgen.generator import Song

_UNMET, _KNOWN, _OPEN, _REPEATED, _CUT = 4.0, 4.0, 0.3, 1.0, 1.0
"""What songs lose, in bits per character: times the share of lines that do not do what their form asks, of
those that the model read, of stanzas whose last sentence is open, of lines that they had before outside a
chorus; and for being cut."""
_WORN = 0.85
"""Songs that are likelier than this share of the bits of the median song gain nothing more: they are worn."""
_ENDED = re.compile(r"[.!?…][\"'”’)]*$")


def best_songs(songs: Iterable[Song], count: int) -> list[Song]:
    """Return the best of some songs, the best first.

    A song is good if its lines do what its form asks and were not read by the model, if its stanzas end
    their sentences, if it repeats no line outside a chorus and came to its end, and if the model finds it
    likely; but no likelier than songs usually are, which is worn.

    Example:
        >>> import lyricgen
        >>> songs = list(lyricgen.load().songs(range(4), form="couplets", candidates=8, seed=7))
        >>> best = lyricgen.best_songs(songs, 2)
        >>> len(best), all(song in songs for song in best)
        (2, True)
    """
    found = list(songs)
    known = [song.bits_per_character for song in found if song.bits_per_character is not None]
    worn = _WORN * statistics.median(known) if known else 0.0
    return sorted(found, key=lambda song: (_loss(song, worn), song.index))[:count]


def _loss(song: Song, worn: float) -> float:
    """Return how bad a song is, in bits per character."""
    lines = song.lines
    if not lines:
        return float("inf")
    unmet = sum(not (line.rhymes and line.fits) for line in lines) / len(lines)
    known = sum(line.known for line in lines) / len(lines)
    texts = [line.text.lower() for line in lines if line.bits is not None or song.composed is None]
    repeated = 1 - len(set(texts)) / len(texts) if texts else 0.0
    found = max(song.bits_per_character or worn, worn) + _CUT * (song.finished != "eos")
    return found + _UNMET * unmet + _KNOWN * known + _OPEN * _open_stanzas(song) + _REPEATED * repeated


def _open_stanzas(song: Song) -> float:
    """Return the share of stanzas whose last line ends no sentence, or whose quotes are not closed."""
    stanzas: dict[int, list[str]] = {}
    for line in song.lines:
        stanzas.setdefault(line.stanza, []).append(line.text)
    open_ones = sum(not _ENDED.search(texts[-1]) or _quotes(texts) % 2 for texts in stanzas.values())
    return open_ones / len(stanzas)


def _quotes(texts: Sequence[str]) -> int:
    return sum(text.count('"') for text in texts)
