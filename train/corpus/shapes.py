"""What songs say about language and form: how words sound, how stanzas rhyme and how long lines are.

Shapes are texts for `lyricgen.model_file.shape.Shape`.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice
from typing import Literal, NamedTuple

from lyricgen.model_file.shape import Shape
from lyricgen.song.dictionary import dictionary
from lyricgen.song.form import COMING_BACK
from lyricgen.song.scheme import rhyme_scheme
from lyricgen.song.sound import BY_LANGUAGE, Sounds, rhyme, words
from train.corpus.scratch import CorpusSong, Songs

LEAST_ENGLISH = 0.75
"""Share of running words that the dictionary must know for a corpus to be English."""
MAX_SONGS = 2000
"""Of more songs, so many are looked at, evenly spread."""
MAX_SHAPES, LEAST_SHARE = 24, 0.01
"""Shapes kept for each style, and how common they must be if any is."""
STANZA_LINES = range(2, 13)
_BACK, _MAX_STANZAS, _MAX_SYLLABLES = 2000, 12, 30
Scheme = str
Metre = tuple[int, ...]


class _Song(NamedTuple):
    """The stanzas of one song: rhyme letters and syllables of each line of its verses and of its chorus."""

    style: str
    verse: Scheme
    metre: Metre
    chorus: Scheme
    chorus_metre: Metre


def language_of(songs: Songs) -> Literal["en", "spelling"]:
    """Return "en" for songs whose words an English dictionary knows, else "spelling"."""
    known = total = 0
    for song in _spread(songs, _BACK):
        found = [word.lower().replace("’", "'") for word in words(song.text) if not word.isdecimal()]
        total += len(found)
        known += sum(map(_is_known, found))
    return "en" if known >= LEAST_ENGLISH * max(total, 1) else "spelling"


@cache
def _is_known(word: str) -> bool:
    return bool(dictionary().find(word) or dictionary().find(word.strip("'")))


def shapes_of(songs: Songs, language: str) -> tuple[str, ...]:
    """Return the commonest shapes of all songs, and of those of each style, the commonest first.

    Only songs of two stanzas or more have one, in which something rhymes.
    """
    sounds, looked_at = _Cached(BY_LANGUAGE[language]), Counter[str]()
    found: dict[str, list[_Song]] = defaultdict(list)
    for song in _spread(songs, MAX_SONGS):
        styles = {"", song.style}
        looked_at.update(styles)
        if one := _read(song, sounds):
            for style in styles:
                found[style].append(one)
    return tuple(
        str(shape) for style in sorted(found) for shape in _commonest(style, found[style], looked_at[style])
    )


def _spread(songs: Songs, most: int) -> Iterable[CorpusSong]:
    return islice(songs.without_titles(max(1, math.ceil(len(songs) / most))), most)


class _Cached:
    """Rhymes and syllables of a language, each looked up once."""

    def __init__(self, sounds: Sounds) -> None:
        self.rhyme = cache(lambda word, other: rhyme(sounds, word, other))
        self._sounds = sounds

    @cache  # noqa: B019 (as long as a corpus is read)
    def _of_word(self, word: str) -> int:
        return min(self._sounds.syllables(word))

    def syllables(self, line: str) -> int:
        """Return how many syllables a line has at least."""
        return sum(self._of_word(word) for word in words(line.lower()))


def _read(song: CorpusSong, sounds: _Cached) -> _Song | None:
    """Return what is asked of a song by its verses and its chorus; None if its verses are of no shape."""
    texts = song.text.split("\n\n")
    names = song.sections.split() or [""] * len(texts)
    stanzas = [
        (name, found)
        for name, text in list(zip(names, texts, strict=True))[:_MAX_STANZAS]
        if (found := [line for line in text.split("\n") if words(line)])
    ]
    if len(stanzas) < 2:
        return None
    chorus, verses = _told(stanzas) if song.sections else _parted([stanza for _, stanza in stanzas])
    schemes = [_scheme(verse, sounds) for verse in verses if len(verse) in STANZA_LINES]
    counts = Counter(scheme for scheme in schemes if scheme.strip("x"))
    if not counts:
        return None
    scheme = max(counts, key=lambda one: (counts[one], -one.count("x")))
    alike = [verse for verse in verses if len(verse) == len(scheme)]
    if len(chorus) not in STANZA_LINES:
        chorus = []
    return _Song(
        song.style,
        scheme,
        _metre([[sounds.syllables(line) for line in verse] for verse in alike]),
        _scheme(chorus, sounds),
        tuple(min(sounds.syllables(line), _MAX_SYLLABLES) for line in chorus),
    )


def _told(stanzas: list[tuple[str, list[str]]]) -> tuple[list[str], list[list[str]]]:
    """Return the chorus, [] if there is none, and the verses, by the names of the stanzas."""
    chorus = next((stanza for name, stanza in stanzas if name in COMING_BACK), [])
    others = [(name, stanza) for name, stanza in stanzas if name not in COMING_BACK]
    verses = [stanza for name, stanza in others if name == "verse"]
    return chorus, verses or [stanza for _, stanza in others]


def _parted(stanzas: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Return the chorus, [] if no stanza comes back, and the other stanzas."""
    spoken = [[tuple(words(line.lower())) for line in stanza] for stanza in stanzas]
    most, best = 1, -1
    for n, one in enumerate(spoken):
        times = sum(_is_same(one, other) for other in spoken)
        if times > most:
            most, best = times, n
    if best < 0:
        return [], stanzas
    verses = [stanza for stanza, one in zip(stanzas, spoken, strict=True) if not _is_same(spoken[best], one)]
    return stanzas[best], verses


def _is_same(one: Sequence[tuple[str, ...]], other: Sequence[tuple[str, ...]]) -> bool:
    """Tell whether two stanzas have the same lines, or all but one of four or more."""
    if len(one) != len(other) or len(one) not in STANZA_LINES:
        return False
    return sum(a != b for a, b in zip(one, other, strict=True)) <= (len(one) >= 4)


def _scheme(stanza: Sequence[str], sounds: _Cached) -> Scheme:
    return rhyme_scheme([words(line)[-1].lower() for line in stanza], sounds.rhyme)


def _metre(lines: list[list[int]]) -> Metre:
    """Return the median number of syllables of each line over stanzas of as many lines."""
    return tuple(min(statistics.median_low(column), _MAX_SYLLABLES) for column in zip(*lines, strict=True))


def _commonest(style: str, songs: list[_Song], total: int) -> list[Shape]:
    """Return the commonest shapes of songs, `total` of which were looked at."""
    by_scheme: dict[tuple[Scheme, Scheme], list[_Song]] = defaultdict(list)
    for song in songs:
        by_scheme[song.verse, song.chorus].append(song)
    groups = []
    for alike in by_scheme.values():
        groups += _by_metre(alike, LEAST_SHARE * total)
    shapes: Counter[str] = Counter()
    for group in groups:
        shapes[_form(group)] += len(group)
    ranked = sorted(shapes.items(), key=lambda shape: (-shape[1], shape[0]))[:MAX_SHAPES]
    common = [shape for shape in ranked if shape[1] >= LEAST_SHARE * total] or ranked
    return [Shape(style, max(round(count / total, 4), 0.0001), form) for form, count in common]


def _by_metre(songs: list[_Song], least: float) -> list[list[_Song]]:
    """Part songs of one scheme into groups of `least` or more of about one metre, or into a single group."""
    groups = []
    while songs:
        metres = Counter(song.metre for song in songs)
        centre = min(metres, key=lambda metre: (-metres[metre], metre))
        near = [song for song in songs if _is_near(song.metre, centre)]
        if len(near) < max(least, 2):
            break
        groups.append(near)
        songs = [song for song in songs if not _is_near(song.metre, centre)]
    return groups or [songs]


def _is_near(metre: Metre, centre: Metre) -> bool:
    return all(abs(one - other) <= 1 for one, other in zip(metre, centre, strict=True))


def _form(songs: list[_Song]) -> str:
    """Return the form that fits songs of the same scheme best."""
    form = f"verse {songs[0].verse} {_syllables([song.metre for song in songs])}"
    if songs[0].chorus:
        form += f"; chorus {songs[0].chorus} {_syllables([song.chorus_metre for song in songs])}"
    return form


def _syllables(metres: list[Metre]) -> str:
    """Return a number or a range for each line, or one for all if all lines are alike."""
    ranges = [_range(column) for column in zip(*metres, strict=True)]
    low, high = min(one for one, _ in ranges), max(other for _, other in ranges)
    if high - low <= 2 and len(set(map(_middle, ranges))) == 1:
        ranges = [(low, high)]
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in ranges)


def _range(numbers: Sequence[int]) -> tuple[int, int]:
    """Return the median where most numbers are, else at most three numbers about it."""
    ordered = sorted(numbers)
    middle = ordered[len(ordered) // 2]
    low, high = (ordered[int(share * (len(ordered) - 1) + 0.5)] for share in (0.2, 0.8))
    return max(low, middle - 1, 1), max(min(high, middle + 1), 1)


def _middle(ends: tuple[int, int]) -> int:
    return sum(ends) // 2
