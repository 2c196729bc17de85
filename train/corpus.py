"""Files of songs → clean, distinct, split songs. No torch here.

Everything that cleaning changes or drops is counted, so that nothing happens in silence. The texts lie
in a scratch file and only numbers about them in memory, so that a corpus may be larger than the memory.
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
import weakref
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray

from lyricgen.files import writing_errors_named
from lyricgen.vocabulary import PLAIN_EQUIVALENTS, Vocabulary
from train.config import CorpusConfig
from train.reading import CorpusError, RawSongs, hash_files, open_songs

__all__ = [
    "Corpus",
    "CorpusError",
    "CorpusFacts",
    "CorpusSong",
    "Given",
    "Songs",
    "clean_text",
    "describe",
    "load_corpus",
    "near_duplicate_labels",
    "split_songs",
]

NEAR_DUPLICATE_SIMILARITY = 0.4
"""Songs whose sets of four-word spans overlap by this share (Jaccard) count as versions of one song."""
MAX_TITLE_CHARACTERS = 200
MAX_STYLES = 50
MIN_STYLE_SONGS = 5
MIN_STYLE_SHARE = 0.002
"""A style with fewer songs, by number or by share, gets no token: nothing could be learned of it."""

_SCRATCH_IN_MEMORY_BYTES = 64 * 2**20
_MAX_RARE_KINDS = 40
_SHOWN_STYLES = 12
_CHUNK_CHARACTERS = 2**20
_CODE_POINTS = 0x110000

_SPAN_WORDS = 4
_SKETCH_SIZE = 128
_BANDS = 64
"""64 bands of 2 numbers: a pair just at the threshold is compared with probability 0.99999, an
unrelated pair hardly ever."""
_NEIGHBOURS = 16
_COMPARED_AT_ONCE = 2**16
_CACHED_WORDS = 2**20

_LINE_END = re.compile(r"\r\n?")
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2060\ufeff\ud800-\udfff]")
"""Control characters, direction marks, zero-width spaces; not the joiners that some scripts need."""
_OTHER_SPACE = re.compile(r"[^\S\n ]")
_BLANK_LINES = re.compile(r"\n{3,}")
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, kana and Han."""
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


class CorpusSong(NamedTuple):
    """A song as the model learns it."""

    text: str
    """With its title line if the corpus has titles."""
    style: str = ""
    """Name of its style token; "" if it has none."""


class _Scratch:
    """Texts in a temporary file without a name, which is gone however the program ends."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder or Path(tempfile.gettempdir())
        with writing_errors_named(self.folder):
            place = str(self.folder)
            self._file = tempfile.SpooledTemporaryFile(_SCRATCH_IN_MEMORY_BYTES, dir=place)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._end = 0
        self._starts, self._sizes = array("q"), array("q")
        self.characters = array("q")
        """Characters of each text, its title line included."""
        self.title_characters = array("H")
        self.style_ids = array("q")
        self.styles: list[str] = []

    def __len__(self) -> int:
        return len(self._starts)

    def append(self, title: str, body: str, style_id: int) -> None:
        for numbers in (self._starts, self._sizes, self.characters, self.title_characters):
            numbers.append(0)
        self.style_ids.append(style_id)
        self.replace(len(self) - 1, title, body)

    def replace(self, n: int, title: str, body: str) -> None:
        text = f"{title}\n\n{body}" if title else body
        content = text.encode()
        with writing_errors_named(self.folder):
            self._file.seek(self._end)
            self._file.write(content)
        self._starts[n], self._sizes[n] = self._end, len(content)
        self.characters[n], self.title_characters[n] = len(text), len(title)
        self._end += len(content)

    def text(self, n: int) -> str:
        with writing_errors_named(self.folder):  # what waited to be written may not fit
            self._file.seek(self._starts[n])
        return self._file.read(self._sizes[n]).decode()

    def parts(self, n: int) -> tuple[str, str]:
        """Return title and body."""
        text, size = self.text(n), self.title_characters[n]
        return (text[:size], text[size + 2 :]) if size else ("", text)


class Songs(Sequence[CorpusSong]):
    """Songs that are read from a scratch file when they are looked at."""

    def __init__(self, scratch: _Scratch, numbers: NDArray[np.int64]) -> None:
        self._scratch, self._numbers = scratch, numbers

    @classmethod
    def of(cls, songs: Iterable[CorpusSong]) -> Songs:
        """Make songs from songs in memory."""
        scratch = _Scratch(None)
        ids: dict[str, int] = {"": 0}
        for song in songs:
            scratch.append("", song.text, ids.setdefault(song.style, len(ids)))
        scratch.styles = list(ids)
        return cls(scratch, np.arange(len(scratch)))

    @property
    def characters(self) -> int:
        """Characters of all texts, ends of songs not counted."""
        return sum(self._scratch.characters[n] for n in self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> CorpusSong: ...
    @overload
    def __getitem__(self, index: slice) -> Songs: ...
    def __getitem__(self, index: int | slice) -> CorpusSong | Songs:
        if isinstance(index, slice):
            return Songs(self._scratch, self._numbers[index])
        n = int(self._numbers[index])
        return CorpusSong(self._scratch.text(n), self._scratch.styles[self._scratch.style_ids[n]])

    def __iter__(self) -> Iterator[CorpusSong]:
        return (self[n] for n in range(len(self)))


@dataclass(frozen=True)
class CorpusFacts:
    """What a model was trained on, as its provenance tells."""

    name: str
    """Name of the file; a folder's ends in a slash."""
    sha256: str
    licence: str
    """What the owner of the texts allows, in the trainer's words."""
    training_songs: int
    training_characters: int
    held_out_songs: int
    held_out_characters: int
    rows: int = 0
    """Songs read from the files, bad rows not counted."""
    bad_rows: int = 0
    """Rows that could not be read, and were skipped at the user's wish."""
    empty_texts: int = 0
    repeated_texts: int = 0
    """Exact copies, titles and letter case ignored: dropped."""
    near_duplicates: int = 0
    """Songs that are a version of an earlier one: kept, on its side of the split."""
    invisible_characters: int = 0
    """Control characters and the like, removed."""
    folded_characters: int = 0
    """Typographic characters turned into plain ones that a given vocabulary has."""
    rare_characters: int = 0
    """Removed because they are too rare, or not in a given vocabulary."""
    rare_kinds: str = ""
    """The distinct characters so removed, most frequent first, at most 40."""
    coverage: float = 1.0
    """Share of the cleaned text's characters that are in the vocabulary."""
    titled_songs: int = 0
    """Songs that begin with their title line."""
    styles: dict[str, int] = field(default_factory=dict)
    """Songs of each style that has a token."""
    unstyled_songs: int = 0
    """Songs without a style token."""

    def __post_init__(self) -> None:
        kinds: dict[str, type] = dict.fromkeys(("name", "sha256", "licence", "rare_kinds"), str)
        kinds.update(styles=dict, coverage=float)
        for name, value in vars(self).items():
            if type(value) is not kinds.get(name, int):
                raise TypeError(f"corpus.{name} is {value!r}")
        if any(type(style) is not str or type(count) is not int for style, count in self.styles.items()):
            raise TypeError(f"corpus.styles is {self.styles!r}")


@dataclass(frozen=True)
class Corpus:
    """Clean songs, split into those to train on and those held out."""

    facts: CorpusFacts
    vocabulary: Vocabulary
    """Characters and styles."""
    title_line: bool
    """Whether songs begin with their title, where they have one."""
    training: Songs
    """Songs to learn from."""
    held_out: Songs
    """Songs to measure on; no version of them was found in `training`."""


@dataclass(frozen=True)
class Given:
    """What a model that is trained further must keep."""

    vocabulary: Vocabulary
    title_line: bool


def load_corpus(
    path: Path,
    config: CorpusConfig,
    *,
    seed: int = 0,
    licence: str = "unknown",
    given: Given | None = None,
    scratch_folder: Path | None = None,
) -> Corpus:
    """Read, clean and split a file or a folder of songs.

    Args:
        path: a CSV, perhaps compressed, or a folder of .txt files.
        config: how to read it.
        seed: decides the split; the same file and seed give the same split.
        licence: what the owner of the texts allows; goes into the facts.
        given: the vocabulary and title line of the model that is trained further, if any.
        scratch_folder: where the texts lie while they are in use; the system's if not given.

    Raises:
        CorpusError: it cannot be read, or holds fewer than two songs that are not versions of each other.
        LyricgenError: the scratch folder cannot be written.
    """
    songs = open_songs(path, config)
    sha256 = hash_files(path)
    gathering = _Gathering(_Scratch(scratch_folder), given)
    gathering.read(songs, with_titles=config.titles and (given is None or given.title_line))
    if given is None:
        gathering.drop_rare(config.rare_character_share)
    kept, scratch = np.array(gathering.kept, np.int64), gathering.scratch
    if len(kept) < 2:
        raise CorpusError(path, _too_few(gathering.counts(), len(kept), songs.bad_rows))
    labels = near_duplicate_labels((scratch.parts(n)[1] for n in kept), len(kept))
    training, held_out = split_songs(labels, config.held_out_share, seed)
    if not len(held_out):
        raise CorpusError(path, "all songs are versions of each other: none would be left to validate on")
    styles = _choose_styles(scratch, kept, given)
    parts = Songs(scratch, kept[training]), Songs(scratch, kept[held_out])
    facts = CorpusFacts(
        name=songs.name,
        sha256=sha256,
        licence=licence,
        training_songs=len(parts[0]),
        training_characters=parts[0].characters,
        held_out_songs=len(parts[1]),
        held_out_characters=parts[1].characters,
        **gathering.counts()._asdict(),
        bad_rows=songs.bad_rows,
        near_duplicates=len(kept) - len(np.unique(labels)),
        titled_songs=sum(scratch.title_characters[n] > 0 for n in kept),
        styles=styles,
        unstyled_songs=len(kept) - sum(styles.values()),
    )
    vocabulary = given.vocabulary if given else Vocabulary.of(gathering.characters(), sorted(styles))
    return Corpus(facts, vocabulary, given.title_line if given else facts.titled_songs > 0, *parts)


def _too_few(counts: _Counts, kept: int, bad_rows: int) -> str:
    reasons = [
        _count(counts.empty_texts, "empty text"),
        _count(counts.repeated_texts, "repeated text"),
        f"{_count(bad_rows, 'text')} that cannot be read" if bad_rows else "",
    ]
    left_out = f", besides {', '.join(filter(None, reasons))}" if any(reasons) else ""
    return f"training needs at least 2 different songs, found {kept}{left_out}"


class _Counts(NamedTuple):
    """What cleaning changed and dropped; `CorpusFacts` has fields of the same names."""

    rows: int
    empty_texts: int
    repeated_texts: int
    invisible_characters: int
    folded_characters: int
    rare_characters: int
    rare_kinds: str
    coverage: float


class _Gathering:
    """Cleans songs into the scratch file, and counts what that drops and changes."""

    def __init__(self, scratch: _Scratch, given: Given | None) -> None:
        self.scratch = scratch
        self.kept: list[int] = []
        """Numbers of the songs in use."""
        self._alphabet = _Alphabet(given.vocabulary) if given else None
        self._rows = self._empty = self._invisible = 0
        self._digests: list[bytes] = []
        self._counts = _CharacterCounts()
        self._total = 0
        self._rare = Counter[str]()

    def counts(self) -> _Counts:
        """Return what was counted up to now."""
        rare = self._alphabet.unknown if self._alphabet else self._rare
        total = self._alphabet.characters + rare.total() if self._alphabet else self._total
        return _Counts(
            rows=self._rows,
            empty_texts=self._empty,
            repeated_texts=self._rows - self._empty - len(self.kept),
            invisible_characters=self._invisible,
            folded_characters=self._alphabet.folded if self._alphabet else 0,
            rare_characters=rare.total(),
            rare_kinds="".join(character for character, _ in rare.most_common(_MAX_RARE_KINDS)),
            coverage=1 - rare.total() / total if total else 1.0,
        )

    def characters(self) -> list[str]:
        """Return the distinct characters of the songs in use."""
        return [chr(code) for code in np.flatnonzero(self._counts.finish())]

    def read(self, songs: RawSongs, *, with_titles: bool) -> None:
        """Read all songs into the scratch file, without empty texts and copies."""
        seen: set[bytes] = set()
        style_ids = {"": 0}
        for song in songs:
            self._rows += 1
            body, removed = _clean(song.text)
            self._invisible += removed
            title = _clean_line(song.title) if with_titles else ""
            if self._alphabet:
                body, title = self._alphabet.fit(body), self._alphabet.fit(title, is_line=True)
            digest = _digest(body)
            if not body:
                self._empty += 1
            elif digest not in seen:
                seen.add(digest)
                self._digests.append(digest)
                style_id = style_ids.setdefault(_clean_line(song.style).casefold(), len(style_ids))
                self.scratch.append(title, body, style_id)
                self._counts.add(f"{title}\n\n{body}" if title else body)
        self.scratch.styles = list(style_ids)
        self.kept = list(range(len(self.scratch)))
        self._total = int(self._counts.finish().sum())

    def drop_rare(self, share: float) -> None:
        """Remove the characters that make up less than `share` of all, and what is empty or a copy then."""
        counts = self._counts.finish()
        codes = np.flatnonzero((counts > 0) & (counts < share * self._total))
        if not len(codes):
            return
        self._rare = Counter({chr(code): int(counts[code]) for code in codes})
        pattern = re.compile(f"[{''.join(map(re.escape, sorted(self._rare)))}]")
        self._counts = _CharacterCounts()
        seen: set[bytes] = set()
        kept, self.kept = self.kept, []
        for n in kept:
            text, digest = self.scratch.text(n), self._digests[n]
            if pattern.search(text):
                text, digest = self._remove(pattern, n)
            if text and digest not in seen:
                seen.add(digest)
                self.kept.append(n)
                self._counts.add(text)

    def _remove(self, pattern: re.Pattern[str], n: int) -> tuple[str, bytes]:
        """Remove characters from song `n`; return its text, '' if nothing but a title is left, and digest."""
        title, body = (pattern.sub("", part) for part in self.scratch.parts(n))
        body = clean_text(body)
        self.scratch.replace(n, _clean_line(title), body)
        self._empty += not body
        return self.scratch.text(n) if body else "", _digest(body)


class _Alphabet:
    """Makes texts fit a given vocabulary, and counts what that changes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.characters = self.folded = 0
        self.unknown = Counter[str]()
        self._known = frozenset(vocabulary.characters)
        self._plain: dict[str, str] = {}

    def fit(self, text: str, *, is_line: bool = False) -> str:
        """Return the text, clean, in characters of the vocabulary."""
        while unknown := set(text) - self._known:  # again: NFC may have made a new one of two that met
            table = {}
            for character in sorted(unknown):
                plain = character.translate(PLAIN_EQUIVALENTS)
                count = text.count(character)
                if self._known.issuperset(plain):
                    self.folded += count
                    table[ord(character)] = plain
                else:
                    self.unknown[character] += count
                    table[ord(character)] = ""
            text = text.translate(table)
            text = _clean_line(text) if is_line else clean_text(text)
        self.characters += len(text)
        return text


class _CharacterCounts:
    """How often each code point occurs; texts are counted together, for one by one is slow."""

    def __init__(self) -> None:
        self._counts = np.zeros(_CODE_POINTS, np.int64)
        self._texts: list[str] = []
        self._waiting = 0

    def add(self, text: str) -> None:
        self._texts.append(text)
        self._waiting += len(text)
        if self._waiting > _CHUNK_CHARACTERS:
            self.finish()

    def finish(self) -> NDArray[np.int64]:
        """Return the counts, one for each code point."""
        codes = np.frombuffer("".join(self._texts).encode("utf-32-le"), np.uint32)
        counts = np.bincount(codes)
        self._counts[: len(counts)] += counts
        self._texts, self._waiting = [], 0
        return self._counts


def clean_text(text: str) -> str:
    """Bring line ends, spaces and Unicode forms to one form; a song of nothing but space becomes ''.

    Kaggle's lines end in two spaces, and its stanzas are separated by a line of two spaces.
    """
    return _clean(text)[0]


def _clean(text: str) -> tuple[str, int]:
    """Return the clean text and how many invisible characters it lost."""
    text = _LINE_END.sub("\n", text)
    text, removed = _INVISIBLE.subn("", _OTHER_SPACE.sub(" ", text))
    lines = (line.rstrip(" ") for line in unicodedata.normalize("NFC", text).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip(), removed


def _clean_line(text: str) -> str:
    """Return a title or a style as one clean line; '' if it is too long to be one."""
    line = " ".join(clean_text(text).split())
    return line if len(line) <= MAX_TITLE_CHARACTERS else ""


def _digest(text: str) -> bytes:
    return blake2b(text.casefold().encode(), digest_size=16).digest()


def _choose_styles(scratch: _Scratch, kept: NDArray[np.int64], given: Given | None) -> dict[str, int]:
    """Return the styles that get a token with their songs, sorted; take the others from the songs."""
    counts = Counter(scratch.styles[scratch.style_ids[n]] for n in kept)
    del counts[""]
    if given:
        chosen = [style for style in given.vocabulary.styles if counts[style]]
    else:
        needed = max(MIN_STYLE_SONGS, MIN_STYLE_SHARE * len(kept))
        frequent = [style for style, count in counts.items() if count >= needed]
        chosen = sorted(frequent, key=lambda style: (-counts[style], style))[:MAX_STYLES]
    scratch.styles = [style if style in chosen else "" for style in scratch.styles]
    return {style: counts[style] for style in sorted(chosen)}


def split_songs(
    labels: NDArray[np.int64], held_out_share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split songs into training and held-out ones, with all versions of a song on one side.

    Args:
        labels: one for each song, equal for versions of one song.
        held_out_share: share of the songs to hold out, met as nearly as the versions allow.
        seed: decides which.

    Returns:
        The numbers of the training and of the held-out songs; none of these if all are versions of one.
    """
    _, groups, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    wanted = max(1, round(held_out_share * len(labels)))
    is_held_out = np.zeros(len(sizes), np.bool_)
    order = np.random.default_rng(seed).permutation(len(sizes))
    for group in order:
        if sizes[group] <= wanted:
            is_held_out[group] = True
            wanted -= sizes[group]
    if not is_held_out.any() and len(sizes) > 1:
        is_held_out[order[np.argmin(sizes[order])]] = True
    return np.flatnonzero(~is_held_out[groups]), np.flatnonzero(is_held_out[groups])


def near_duplicate_labels(texts: Iterable[str], count: int) -> NDArray[np.int64]:
    """Label `count` texts so that versions of one song (covers, reprints) share the number of the first.

    Source: Broder 1997, "On the resemblance and containment of documents" (MinHash), by datasketch.
    """
    sketches = _sketch(texts, count)  # (N, 128)
    labels = np.arange(len(sketches))
    for band in range(_BANDS):
        low, high = sketches[:, 2 * band].astype(np.uint64), sketches[:, 2 * band + 1].astype(np.uint64)
        pairs = _pairs_with_equal_keys(low | high << np.uint64(32))
        for begin in range(0, len(pairs), _COMPARED_AT_ONCE):
            some = pairs[begin : begin + _COMPARED_AT_ONCE]
            some = some[labels[some[:, 0]] != labels[some[:, 1]]]
            similarity = (sketches[some[:, 0]] == sketches[some[:, 1]]).mean(axis=1)
            _unite(labels, some[similarity >= NEAR_DUPLICATE_SIMILARITY])
    return labels


def _pairs_with_equal_keys(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pair each number with its next neighbours of equal key, and with the first of them: (P, 2)."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[begins, len(keys)])
    order, ordered = order[np.repeat(sizes > 1, sizes)], ordered[np.repeat(sizes > 1, sizes)]
    firsts = np.repeat(np.cumsum(sizes[sizes > 1]) - sizes[sizes > 1], sizes[sizes > 1])
    far = np.flatnonzero(np.arange(len(order)) - firsts > _NEIGHBOURS)
    pairs = [np.column_stack((order[firsts[far]], order[far]))]
    for distance in range(1, min(_NEIGHBOURS, int(sizes.max(initial=1)) - 1) + 1):
        equal = ordered[distance:] == ordered[:-distance]
        pairs.append(np.column_stack((order[:-distance][equal], order[distance:][equal])))
    return np.concatenate(pairs)


def _unite(labels: NDArray[np.int64], pairs: NDArray[np.int64]) -> None:
    """Give the groups of each pair one label, the smaller."""
    parent: dict[int, int] = {}

    def root(label: int) -> int:
        passed = []
        while label in parent:
            passed.append(label)
            label = parent[label]
        parent.update(dict.fromkeys(passed, label))
        return label

    for one, other in labels[pairs].tolist():
        low, high = sorted((root(one), root(other)))
        if low != high:
            parent[high] = low
    if parent:
        renamed = np.arange(len(labels))
        for label in tuple(parent):
            renamed[label] = root(label)
        labels[:] = renamed[labels]


def _sketch(texts: Iterable[str], count: int) -> NDArray[np.uint32]:
    """Return the MinHash sketches of `count` texts: (N, 128)."""
    hashes = _WordHashes()
    spans = (_span_hashes(text, hashes) for text in texts)
    sketches = np.empty((count, _SKETCH_SIZE), np.uint32)
    for n, sketch in enumerate(MinHash.generator(spans, num_perm=_SKETCH_SIZE, seed=1, hashfunc=_itself)):
        sketches[n] = sketch.hashvalues
    return sketches


def _itself(number: int) -> int:
    return number


class _WordHashes(dict[str, int]):
    """CRC-32 of words, computed once for each; a fixed function, so that a split never changes."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _CACHED_WORDS:
            self.clear()
        self[word] = zlib.crc32(word.encode())
        return self[word]


def _span_hashes(text: str, hashes: Mapping[str, int]) -> list[int]:
    """Return the hashes of the text's distinct spans of four words; texts without words count characters."""
    text = text.casefold()
    words = _WORD.findall(text) or [character for character in text if not character.isspace()]
    words += [""] * (_SPAN_WORDS - len(words))
    numbers = np.fromiter(map(hashes.__getitem__, words), np.uint64, len(words))
    spans = numbers[: len(words) - _SPAN_WORDS + 1].copy()
    for n in range(1, _SPAN_WORDS):
        spans *= np.uint64(0x9E3779B97F4A7C15)  # wraps around, as a hash may
        spans += numbers[n : len(words) - _SPAN_WORDS + 1 + n]
    spans ^= spans >> np.uint64(29)
    spans *= np.uint64(0xBF58476D1CE4E5B9)
    return (np.unique(spans) >> np.uint64(32)).tolist()  # type: ignore[no-any-return]


def describe(facts: CorpusFacts, vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """Return the rows of the table about a corpus: what it is about, and what there is to say.

    Odd characters of the corpus are escaped, so that a terminal cannot obey them.
    """
    songs = facts.training_songs + facts.held_out_songs
    size = _in_millions(facts.training_characters + facts.held_out_characters)
    unit = "file" if facts.name.endswith("/") else "row"
    dropped = (
        _count(facts.empty_texts, "empty text"),
        _count(facts.repeated_texts, "repeated text"),
        _count(facts.bad_rows, unit, "that cannot be read"),
    )
    kept = (
        _count(songs, "song"),
        f"{facts.near_duplicates:,} of them versions of another" if facts.near_duplicates else "",
        f"{facts.titled_songs:,} with a title" if facts.titled_songs else "",
        f"{size} characters",
    )
    kinds = f"{len(vocabulary.characters):,} characters"
    table = {
        "read": f"{_count(facts.rows, unit)} of {_shown(facts.name)}" if facts.rows else "",
        "dropped": ", ".join(filter(None, dropped)),
        "kept": ", ".join(filter(None, kept)),
        "cleaned": _describe_cleaning(facts),
        "vocabulary": f"{kinds}, {_percent(facts.coverage)} of the text",
        "styles": _describe_styles(facts) if vocabulary.styles else "",
        "split": f"{_count(facts.training_songs, 'song')} to train on, {facts.held_out_songs:,} held out",
    }
    return [(label, text) for label, text in table.items() if text]


def _describe_cleaning(facts: CorpusFacts) -> str:
    kinds = " ".join(map(_shown, facts.rare_kinds))
    more = " …" if len(facts.rare_kinds) == _MAX_RARE_KINDS else ""
    parts = (
        _count(facts.invisible_characters, "invisible character", "removed"),
        _count(facts.folded_characters, "typographic character", "made plain"),
        _count(facts.rare_characters, "rare or unknown character", f"removed ({kinds}{more})"),
    )
    return ", ".join(filter(None, parts))


def _describe_styles(facts: CorpusFacts) -> str:
    ranked = sorted(facts.styles.items(), key=lambda style: (-style[1], style[0]))
    parts = [f"{_shown(style)} {count:,}" for style, count in ranked[:_SHOWN_STYLES]]
    if len(ranked) > _SHOWN_STYLES:
        parts.append(f"{len(ranked) - _SHOWN_STYLES} more")
    if facts.unstyled_songs:
        parts.append(f"without one {facts.unstyled_songs:,}")
    return ", ".join(parts)


def _count(number: int, noun: str, rest: str = "") -> str:
    """Say how many there are; '' if none."""
    words = f"{number:,} {noun}{'' if number == 1 else 's'} {rest}".rstrip()
    return words if number else ""


def _in_millions(number: int) -> str:
    return f"{number / 1e6:,.1f} M" if number >= 1_000_000 else f"{number:,}"


def _percent(share: float) -> str:
    """Write a share in percent; only a whole one becomes 100 %."""
    percent = 100 if share == 1 else min(100 * share, 99.9999)
    return f"{percent:.4f}".rstrip("0").rstrip(".") + " %"


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
