"""Files of songs → clean, distinct, split songs. No torch here.

Songs and characters that cleaning drops are counted, so that nothing happens in silence. The texts lie
in a scratch file and only numbers about them in memory, so that a corpus may be larger than the memory.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lyricgen.vocabulary import MAX_STYLE_NAME, Vocabulary
from train.config import CorpusConfig
from train.corpus.cleaning import Alphabet, CharacterCounts, clean, clean_line, clean_text, cut_text
from train.corpus.duplicates import near_duplicate_labels, versions_of
from train.corpus.encoded import EncodedSongs
from train.corpus.facts import MAX_RARE_KINDS, CorpusFacts, counted
from train.corpus.files import CorpusError
from train.corpus.reading import RawSongs, hash_files, open_songs
from train.corpus.scratch import Scratch, Songs, with_title

MAX_STYLES = 50
MIN_STYLE_SONGS = 5
MIN_STYLE_SHARE = 0.002
"""A style with fewer songs, by number or by share, gets no token: nothing could be learned of it."""


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
    songs: EncodedSongs | None = None
    """What it was trained on, none of which may be held out; None where that is not at hand."""
    held_out: EncodedSongs | None = None
    """What was held out while it was trained, to be held out again; None where that is not at hand."""
    has_other_songs: bool = False
    """Whether other songs went into it before, which are not at hand."""


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
        given: what is known of the model that is trained further, if one is.
        scratch_folder: where the texts lie while they are in use; the system's if not given.

    Raises:
        CorpusError: it cannot be read, or holds fewer than two songs that are not versions of each other.
        LyricgenError: the scratch folder cannot be written.
    """
    songs = open_songs(path, config)
    sha256 = hash_files(path)
    gathering = _Gathering(Scratch(scratch_folder), given)
    gathering.read(songs, with_titles=config.titles and (given is None or given.title_line))
    if given is None:
        gathering.drop_rare(config.rare_character_share)
    kept, scratch = np.array(gathering.kept, np.int64), gathering.scratch
    if len(kept) < 2:
        raise CorpusError(path, _too_few(gathering.counts(), len(kept), songs.bad_rows))
    labels = near_duplicate_labels((scratch.parts(n)[1] for n in kept), len(kept))
    known, held_out_before = _seen_before(Songs(scratch, kept), given)
    training, held_out = split_songs(labels, config.held_out_share, seed, known, held_out_before)
    if not len(held_out):
        others = " or of those that the model was trained on" if known.any() else ""
        raise CorpusError(
            path, f"all songs are versions of each other{others}: none would be left to validate on"
        )
    styles, rare_styles = _choose_styles(scratch, kept, given)
    parts = Songs(scratch, kept[training]), Songs(scratch, kept[held_out])
    facts = CorpusFacts(
        name=storable(songs.name),
        sha256=sha256,
        licence=storable(licence),
        training_songs=len(parts[0]),
        training_characters=parts[0].characters,
        held_out_songs=len(parts[1]),
        held_out_characters=parts[1].characters,
        **gathering.counts()._asdict(),
        bad_rows=songs.bad_rows,
        not_read=storable(songs.not_read),
        near_duplicates=len(kept) - len(np.unique(labels)),
        titled_songs=sum(scratch.title_characters[n] > 0 for n in kept),
        styles=styles,
        rare_styles=rare_styles,
        unstyled_songs=len(kept) - sum(styles.values()),
        base_was_compared=given is not None and given.songs is not None and not given.has_other_songs,
        known_to_base=int(known.sum()),
        held_out_by_base=int(held_out_before.sum()),
    )
    vocabulary = given.vocabulary if given else Vocabulary.of(gathering.characters(), sorted(styles))
    return Corpus(facts, vocabulary, given.title_line if given else facts.titled_songs > 0, *parts)


@dataclass(frozen=True)
class AllSongs:
    """All songs of a file, to measure a model on."""

    songs: Songs
    coverage: float
    """Share of their characters that the model knows; the others were left out."""
    left_out: str
    """Texts that were left out, and why, for a reader; '' if none."""


def load_all(path: Path, config: CorpusConfig, given: Given) -> AllSongs:
    """Read and clean all songs of a file or a folder, to measure a model on them.

    Args:
        path: a CSV, perhaps compressed, or a folder of .txt files.
        config: how to read it.
        given: what the model knows; other characters are left out.

    Raises:
        CorpusError: it cannot be read, or holds no song.
        LyricgenError: the scratch folder cannot be written.
    """
    songs = open_songs(path, config)
    gathering = _Gathering(Scratch(None), given)
    gathering.read(songs, with_titles=config.titles and given.title_line)
    counts = gathering.counts()
    left_out = _left_out(counts, songs.bad_rows)
    if not gathering.kept:
        if counts.rare_characters:
            raise CorpusError(path, "holds no song with characters that the model knows")
        raise CorpusError(path, f"holds no song to measure on{left_out and f', besides {left_out}'}")
    return AllSongs(Songs(gathering.scratch, np.array(gathering.kept, np.int64)), counts.coverage, left_out)


def _too_few(counts: _Counts, kept: int, bad_rows: int) -> str:
    left_out = _left_out(counts, bad_rows)
    return f"training needs at least 2 different songs, found {kept}{left_out and f', besides {left_out}'}"


def _left_out(counts: _Counts, bad_rows: int) -> str:
    """Say which texts were left out and why; '' if none."""
    reasons = [
        counted(counts.empty_texts, "empty text"),
        counted(counts.repeated_texts, "repeated text"),
        f"{counted(bad_rows, 'text')} that cannot be read" if bad_rows else "",
    ]
    return ", ".join(filter(None, reasons))


class _Counts(NamedTuple):
    """What cleaning changed and dropped; `CorpusFacts` has fields of the same names."""

    rows: int
    empty_texts: int
    repeated_texts: int
    cut_texts: int
    invisible_characters: int
    folded_characters: int
    rare_characters: int
    rare_kinds: str
    coverage: float


class _Gathering:
    """Cleans songs into the scratch file, and counts what that drops and changes."""

    def __init__(self, scratch: Scratch, given: Given | None) -> None:
        self.scratch = scratch
        self.kept: list[int] = []
        """Numbers of the songs in use."""
        self._alphabet = Alphabet(given.vocabulary) if given else None
        self._rows = self._empty = self._invisible = self._cut = self._pieces = 0
        self._digests: list[bytes] = []
        self._counts = CharacterCounts()
        self._total = 0
        self._rare = Counter[str]()

    def counts(self) -> _Counts:
        """Return what was counted up to now."""
        rare = self._alphabet.unknown if self._alphabet else self._rare
        total = self._alphabet.characters + rare.total() if self._alphabet else self._total
        return _Counts(
            rows=self._rows,
            empty_texts=self._empty,
            repeated_texts=self._pieces - self._empty - len(self.kept),
            cut_texts=self._cut,
            invisible_characters=self._invisible,
            folded_characters=self._alphabet.folded if self._alphabet else 0,
            rare_characters=rare.total(),
            rare_kinds="".join(character for character, _ in rare.most_common(MAX_RARE_KINDS)),
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
            body, removed = clean(song.text)
            self._invisible += removed
            title = clean_line(song.title) if with_titles else ""
            if self._alphabet:
                body, title = self._alphabet.fit(body), self._alphabet.fit(title, is_line=True)
            style_id = style_ids.setdefault(_style_name(song.style), len(style_ids))
            self._empty += not body
            pieces = cut_text(body)
            self._cut += len(pieces) > 1
            self._pieces += len(pieces)
            for piece in filter(None, pieces):
                digest = _digest(piece)
                if digest not in seen:
                    seen.add(digest)
                    self._digests.append(digest)
                    self.scratch.append(title, piece, style_id)
                    self._counts.add(with_title(title, piece))
                title = ""  # a text has one
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
        self._counts = CharacterCounts()
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
        self.scratch.replace(n, clean_line(title), body)
        self._empty += not body
        return self.scratch.text(n) if body else "", _digest(body)


def storable(name: str) -> str:
    """Escape what is no text, as file names and arguments may hold it."""
    return name.encode("utf-8", "backslashreplace").decode()


def _style_name(style: str) -> str:
    """Return a style as the vocabulary may call it; '' if that is too long."""
    name = clean_line(style).casefold()
    return name if len(name) <= MAX_STYLE_NAME else ""


def _digest(text: str) -> bytes:
    return blake2b(text.casefold().encode(), digest_size=16).digest()


def _choose_styles(
    scratch: Scratch, kept: NDArray[np.int64], given: Given | None
) -> tuple[dict[str, int], int]:
    """Return the styles that get a token with their songs, sorted, and how many others there are.

    The others are taken from the songs.
    """
    counts = Counter(scratch.styles[scratch.style_ids[n]] for n in kept)
    del counts[""]
    if given:
        chosen = [style for style in given.vocabulary.styles if counts[style]]
    else:
        needed = max(MIN_STYLE_SONGS, MIN_STYLE_SHARE * len(kept))
        frequent = [style for style, count in counts.items() if count >= needed]
        chosen = sorted(frequent, key=lambda style: (-counts[style], style))[:MAX_STYLES]
    scratch.styles = [style if style in chosen else "" for style in scratch.styles]
    return {style: counts[style] for style in sorted(chosen)}, len(counts) - len(chosen)


def _seen_before(songs: Songs, given: Given | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell of each song whether the given model was trained on a version of it, or held one out.

    Of a song that is a version of both, what it is to the letter decides.

    Returns:
        Two arrays (songs,), of which a song is true in one at the most.
    """
    known = held_out = np.zeros(len(songs), np.bool_)
    if given is None:
        return known, held_out
    if given.songs is not None:
        trained_on = given.songs.bodies(given.vocabulary, titles=given.title_line)
        known = versions_of(trained_on, len(given.songs), songs.bodies(), len(songs))
    if given.held_out is not None:
        bodies = list(given.held_out.bodies(given.vocabulary, titles=given.title_line))
        held_out = versions_of(bodies, len(bodies), songs.bodies(), len(songs))
        the_same = np.isin([_digest(body) for body in songs.bodies()], [_digest(body) for body in bodies])
        held_out &= the_same | ~known
    return known & ~held_out, held_out


def split_songs(
    labels: NDArray[np.int64],
    held_out_share: float,
    seed: int,
    known: NDArray[np.bool_] | None = None,
    held_out_before: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split songs into training and held-out ones, with all versions of a song on one side.

    Args:
        labels: (songs,), equal for versions of one song.
        held_out_share: share of the new songs to hold out, from 0 to 1, met as nearly as versions allow;
            never more than half of them where there are others.
        seed: decides which.
        known: (songs,), true for those that are not to be held out, nor any version of them; None: none.
        held_out_before: (songs,), true for those that are held out in any case; the others are held out
            with them where none of their versions is known. None: none.

    Returns:
        The numbers (n,) of the training and of the held-out songs; none of these if all are versions of one,
        or known.
    """
    _, groups, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    none = np.zeros(len(labels), np.bool_)
    known, before = (none if given is None else given for given in (known, held_out_before))
    group_is_known, is_held_out = np.zeros((2, len(sizes)), np.bool_)
    group_is_known[groups[known]] = True
    is_held_out[groups[before]] = True
    is_held_out &= ~group_is_known
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[~(group_is_known | is_held_out)[order]]
    new_songs = int(sizes[order].sum())
    wanted = max(1, round(held_out_share * new_songs))
    if new_songs < len(labels):
        wanted = min(wanted, max(1, new_songs // 2))  # some of the new ones are to be learned
    for group in order:
        if sizes[group] <= wanted:
            is_held_out[group] = True
            wanted -= sizes[group]
    if not (is_held_out.any() or before.any()) and len(sizes) > 1 and len(order):
        is_held_out[order[np.argmin(sizes[order])]] = True
    held_out = is_held_out[groups] | before
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
