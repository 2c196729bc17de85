"""Files of songs → clean, distinct songs, split into those to train on and those held out. No torch here.

Songs and characters that cleaning drops are counted and reported. The texts lie in a scratch file, and only
numbers about them in memory, so that a corpus may be larger than the memory.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lyricgen.model_file.contract import join_title
from lyricgen.song.sound import BY_LANGUAGE
from lyricgen.vocabulary import MAX_STYLE_NAME, Vocabulary
from train.config import CorpusConfig
from train.corpus.cleaning import MAX_TITLE_CHARACTERS, Alphabet, clean, clean_line, cut_text
from train.corpus.duplicates import near_duplicate_labels, versions_of
from train.corpus.encoded import EncodedSongs
from train.corpus.facts import MAX_RARE_KINDS, CorpusFacts
from train.corpus.files import CorpusError
from train.corpus.reading import Table, TextFolder, hash_files, open_songs
from train.corpus.rhymes import rhyme_groups
from train.corpus.scratch import Scratch, Songs
from train.corpus.shapes import language_of, shapes_of

MAX_STYLES = 50
MIN_STYLE_SONGS = 5
MIN_STYLE_SHARE, ENOUGH_STYLE_SONGS = 0.002, 25
"""A style gets a token if at least 5 songs have it that are this share of all, or 25 in any case: of fewer,
the model could learn nothing."""


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
class ParentModel:
    """The model that fine-tuning begins with: what it can read, and the songs that it has seen."""

    vocabulary: Vocabulary
    title_line: bool
    training: EncodedSongs | None = None
    """Songs that it was trained on, which are not held out; None if they are not available."""
    held_out: EncodedSongs | None = None
    """Songs that its training held out, which are held out again; None if they are not available."""
    has_other_songs: bool = False
    """Whether it was itself fine-tuned from a model with other songs, which are not available."""


def load_corpus(
    path: Path,
    config: CorpusConfig,
    *,
    seed: int = 0,
    licence: str = "unknown",
    parent: ParentModel | None = None,
    scratch_folder: Path | None = None,
) -> Corpus:
    """Read, clean and split a CSV, perhaps compressed, or a folder of .txt files.

    The same files and seed give the same split. The texts lie in `scratch_folder` while they are in use, the
    system's if it is not given. `licence` is what their owner allows; it goes into the facts.

    Raises:
        CorpusError: it cannot be read, or holds fewer than two songs that are not versions of each other.
        LyricgenError: the scratch folder cannot be written.
    """
    source = open_songs(path, config)
    sha256 = hash_files(path)
    reader = _Reader(Scratch(scratch_folder), parent.vocabulary if parent else None)
    reader.read(source, with_titles=config.titles and (parent is None or parent.title_line))
    if parent is None:
        reader.drop_rare(config.rare_character_share)
    songs, facts = reader.songs(), reader.facts(source)
    if len(songs) < 2:
        besides = f", besides {facts.left_out}" if facts.left_out else ""
        raise CorpusError(path, f"training needs at least 2 different songs, found {len(songs)}{besides}")
    labels = near_duplicate_labels(songs.bodies(), len(songs))
    known, held_out_before = _seen_before(songs, parent)
    numbers = split_songs(labels, config.held_out_share, seed, known, held_out_before)
    training, held_out = map(songs.select, numbers)
    if not len(held_out):
        others = " or of those that the model was trained on" if known.any() else ""
        problem = f"all songs are versions of each other{others}: none would be left to validate on"
        raise CorpusError(path, problem)
    styles, rare_styles = _choose_styles(songs, parent)
    language = language_of(training)
    facts = replace(
        facts,
        sha256=sha256,
        licence=storable(licence),
        training_songs=len(training),
        training_characters=training.characters,
        held_out_songs=len(held_out),
        held_out_characters=held_out.characters,
        near_duplicates=len(songs) - len(np.unique(labels)),
        titled_songs=songs.titled,
        styles=styles,
        rare_styles=rare_styles,
        unstyled_songs=len(songs) - sum(styles.values()),
        base_was_compared=parent is not None and parent.training is not None and not parent.has_other_songs,
        known_to_base=int(known.sum()),
        held_out_by_base=int(held_out_before.sum()),
        language=language,
        shapes=shapes_of(training, language),
    )
    vocabulary = _vocabulary(reader.characters, styles, parent)
    texts = (song.text for song in training.without_titles())
    facts = replace(facts, rhymes=rhyme_groups(texts, BY_LANGUAGE[language], vocabulary))
    title_line = parent.title_line if parent else facts.titled_songs > 0
    return Corpus(facts, vocabulary, title_line, training, held_out)


def load_all(
    path: Path, config: CorpusConfig, vocabulary: Vocabulary, *, title_line: bool
) -> tuple[Songs, CorpusFacts]:
    """Read and clean all songs of a file or a folder, to measure a model on them; return the counts, too.

    Characters that the `vocabulary` lacks are left out, and titles unless the model's songs begin with them.

    Raises:
        CorpusError: it cannot be read, or holds no song.
        LyricgenError: the scratch folder cannot be written.
    """
    source = open_songs(path, config)
    reader = _Reader(Scratch(None), vocabulary)
    reader.read(source, with_titles=config.titles and title_line)
    facts = reader.facts(source)
    if not len(reader.songs()):
        if facts.rare_characters:
            raise CorpusError(path, "holds no song with characters that the model knows")
        besides = f", besides {facts.left_out}" if facts.left_out else ""
        raise CorpusError(path, f"holds no song to measure on{besides}")
    return reader.songs(), facts


class _Reader:
    """Cleans songs into an empty scratch file, and counts what that drops and changes.

    Texts are made to fit `vocabulary`, if it is given.
    """

    def __init__(self, scratch: Scratch, vocabulary: Vocabulary | None) -> None:
        self._scratch = scratch
        self._kept: list[int] = []  # numbers of the songs in use
        self._alphabet = Alphabet(vocabulary) if vocabulary else None
        self._counts = Counter[str]()  # by the names of the fields of CorpusFacts
        self._digests: set[bytes] = set()
        self.characters = Counter[str]()
        """How often each character is in the songs in use."""
        self._total = self._pieces = 0
        self._rare = Counter[str]()

    def songs(self) -> Songs:
        """Return the songs read up to now that are in use."""
        return Songs(self._scratch, np.array(self._kept, np.int64))

    def facts(self, source: Table | TextFolder) -> CorpusFacts:
        """Return what was counted up to now; the hash, the licence and what the split decides come later."""
        rare = self._alphabet.unknown if self._alphabet else self._rare
        total = self._alphabet.characters + rare.total() if self._alphabet else self._total
        counts: dict[str, Any] = self._counts
        return CorpusFacts(
            storable(source.name),
            sha256="",
            licence="unknown",
            training_songs=0,
            training_characters=0,
            held_out_songs=0,
            held_out_characters=0,
            bad_rows=source.bad_rows,
            not_read=storable(source.not_read),
            repeated_texts=self._pieces - self._counts["empty_texts"] - len(self._kept),
            folded_characters=self._alphabet.folded if self._alphabet else 0,
            rare_characters=rare.total(),
            rare_kinds="".join(character for character, _ in rare.most_common(MAX_RARE_KINDS)),
            coverage=1 - rare.total() / total if total else 1.0,
            **counts,
        )

    def read(self, source: Table | TextFolder, *, with_titles: bool) -> None:
        """Read all songs into the scratch file, without empty texts and copies."""
        for song in source:
            body, removed = clean(song.text)
            title = self._name(clean_line(song.title), MAX_TITLE_CHARACTERS) if with_titles else ""
            if self._alphabet:
                body, title = self._alphabet.fit(body), self._alphabet.fit(title, is_line=True)
                title = self._name(title, MAX_TITLE_CHARACTERS)  # plain characters may be more than they were
            style = self._name(clean_line(song.style).casefold(), MAX_STYLE_NAME)
            pieces = cut_text(body)
            self._pieces += len(pieces)
            self._counts["rows"] += 1
            self._counts["empty_texts"] += not body
            self._counts["cut_texts"] += len(pieces) > 1
            self._counts["invisible_characters"] += removed
            sections = " ".join(song.sections.lower().split())
            is_told = len(pieces) == 1 and len(sections.split()) == len(body.split("\n\n"))
            for piece in filter(None, pieces):
                self._keep(title, piece, style, sections if is_told else "")
                title = ""  # only the first piece has one
        self._total = self.characters.total()

    def drop_rare(self, share: float) -> None:
        """Remove characters that make up less than `share` of all, then songs that are empty or copies."""
        counts = sorted(self.characters.items())
        self._rare = Counter({character: count for character, count in counts if count < share * self._total})
        if not self._rare:
            return
        pattern = re.compile(f"[{''.join(map(re.escape, self._rare))}]")
        kept, self._kept, self._digests, self.characters = self._kept, [], set(), Counter()
        for n in kept:
            title, body = self._scratch.parts(n)
            is_changed = bool(pattern.search(title) or pattern.search(body))
            if is_changed:
                title, body = clean_line(pattern.sub("", title)), clean(pattern.sub("", body))[0]
                self._counts["empty_texts"] += not body
            if body:
                style, sections = self._scratch.styles[n], self._scratch.sections[n]
                self._keep(title, body, style, "" if is_changed else sections, None if is_changed else n)

    def _keep(self, title: str, body: str, style: str, sections: str, n: int | None = None) -> None:
        """Use a song, number `n` if it is in the scratch file, unless another one has its text.

        Titles and letter case do not count.
        """
        digest = _digest(body)
        if digest not in self._digests:
            self._digests.add(digest)
            self._kept.append(self._scratch.append(title, body, style, sections) if n is None else n)
            self.characters.update(join_title(title, body))

    def _name(self, line: str, most: int) -> str:
        """Return a title or a style's name; '' if it has more characters than `most`, which is counted."""
        self._counts["long_names"] += len(line) > most
        return line if len(line) <= most else ""


def storable(name: str) -> str:
    """Escape what is not valid text: file names and arguments may hold any bytes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _digest(text: str) -> bytes:
    return blake2b(text.casefold().encode(), digest_size=16).digest()


def _choose_styles(songs: Songs, parent: ParentModel | None) -> tuple[dict[str, int], int]:
    """Choose the styles that get a token, and remove all others from the songs.

    Returns:
        How many songs each chosen style has, by name; and how many styles were removed.
    """
    counts = songs.styles()
    del counts[""]
    known = parent.vocabulary.styles if parent else ()
    needed = max(MIN_STYLE_SONGS, min(MIN_STYLE_SHARE * len(songs), ENOUGH_STYLE_SONGS))
    frequent = [style for style, count in counts.items() if count >= needed and style not in known]
    new = sorted(frequent, key=lambda style: (-counts[style], style))[: max(0, MAX_STYLES - len(known))]
    chosen = [style for style in known if counts[style]] + new
    songs.keep_styles(chosen)
    return {style: counts[style] for style in sorted(chosen)}, len(counts) - len(chosen)


def _vocabulary(characters: Iterable[str], styles: Iterable[str], parent: ParentModel | None) -> Vocabulary:
    """Return the vocabulary of a new model; a parent's, if any, and new styles after its own."""
    if parent is None:
        return Vocabulary.of(characters, sorted(styles))
    known = parent.vocabulary
    return Vocabulary(known.characters, (*known.styles, *sorted(set(styles) - set(known.styles))))


def _seen_before(songs: Songs, parent: ParentModel | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the songs that are versions of those that the parent model was trained on, or held out.

    Where a song is a version of both, exact copies of a held-out song count as held out, others as known.

    Returns:
        Two arrays (songs,), known and held out; a song is true in one of them at most.
    """
    known = held_out = np.zeros(len(songs), np.bool_)
    if parent and parent.training is not None:
        trained_on = parent.training.bodies(parent.vocabulary, titles=parent.title_line)
        known = versions_of(trained_on, len(parent.training), songs.bodies(), len(songs))
    if parent and parent.held_out is not None:
        bodies = list(parent.held_out.bodies(parent.vocabulary, titles=parent.title_line))
        held_out = versions_of(bodies, len(bodies), songs.bodies(), len(songs))
        copies = np.isin([_digest(body) for body in songs.bodies()], [_digest(body) for body in bodies])
        held_out &= copies | ~known
    return known & ~held_out, held_out


def split_songs(
    labels: NDArray[np.int64],
    held_out_share: float,
    seed: int,
    known: NDArray[np.bool_],
    held_out_before: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split songs into training and held-out ones, with all versions of a song on one side.

    Args:
        labels: (songs,), equal for versions of one song.
        held_out_share: share of the new songs to hold out, from 0 to 1, met as nearly as versions allow;
            at most half of the new songs where there are others.
        seed: decides which.
        known: (songs,), true for songs that must not be held out, nor any version of them.
        held_out_before: (songs,), true for songs that must be; so are their versions, unless one is known.

    Returns:
        The numbers (n,) of the training and of the held-out songs. No song is held out if all are versions
        of one song, or known.
    """
    _, groups, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    is_known, is_held_out = (np.isin(np.arange(len(sizes)), groups[of]) for of in (known, held_out_before))
    is_held_out &= ~is_known
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[~(is_known | is_held_out)[order]]
    new_songs = int(sizes[order].sum())
    wanted = max(1, round(held_out_share * new_songs))
    if new_songs < len(labels):
        wanted = min(wanted, max(1, new_songs // 2))  # the model is to learn some of the new ones
    for group in order:
        if sizes[group] <= wanted:
            is_held_out[group] = True
            wanted -= sizes[group]
    if not (is_held_out.any() or held_out_before.any()) and len(sizes) > 1 and len(order):
        is_held_out[order[np.argmin(sizes[order])]] = True
    held_out = is_held_out[groups] | held_out_before
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
