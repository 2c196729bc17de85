"""A file of songs → clean, distinct, split songs. No torch here.

The file is a CSV like Kaggle's `songdata.csv`: columns `artist,song,link,text`, of which only `text`
is required. Everything that cleaning changes or drops is counted, so that nothing happens in silence.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import unicodedata
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from datasketch import MinHash, MinHashLSH

from lyricgen.errors import LyricgenError
from lyricgen.vocabulary import Vocabulary

NEAR_DUPLICATE_SIMILARITY = 0.4
"""Songs whose sets of four-word spans overlap by this share (Jaccard) count as versions of one song."""

SUFFIXES = (".csv", ".csv.gz", ".csv.xz", ".csv.zip")

_SPAN_WORDS = 4
_SKETCH_SIZE = 128
_BANDS = (64, 2)
"""64 bands of 2 numbers: a pair just at the threshold is compared with probability 0.99999, an
unrelated pair hardly ever."""
_DAMAGED_ARCHIVE = (lzma.LZMAError, zipfile.BadZipFile, zlib.error)
_LINE_END = re.compile(r"\r\n?")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2060\ufeff]|[\ud800-\udfff]"
)
"""Control characters, direction marks, zero-width spaces; not the joiners that some scripts need."""
_OTHER_SPACE = re.compile(r"[^\S\n ]")
_BLANK_LINES = re.compile(r"\n{3,}")


class CorpusError(LyricgenError):
    """The corpus at `path` cannot be used."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"{path}: {problem}")


@dataclass(frozen=True)
class Corpus:
    """Clean songs, split into those to train on and those held out."""

    name: str
    """The file's name without its folder."""
    sha256: str
    """Hash of the file's bytes."""
    vocabulary: Vocabulary
    training: list[str]
    """Texts to learn from."""
    held_out: list[str]
    """Texts to measure on; no version of them was found in `training`."""
    dropped: dict[str, int]
    """What cleaning left out: reason → how many."""

    @property
    def training_characters(self) -> int:
        """Characters in `training`, ends of songs not counted."""
        return sum(map(len, self.training))


def load_corpus(path: Path, held_out_share: float, rare_character_share: float, seed: int) -> Corpus:
    """Read, clean and split a CSV of songs.

    Args:
        path: a .csv, or a .csv.gz, .csv.xz or .csv.zip.
        held_out_share: share of the songs to hold out, at least one song.
        rare_character_share: characters that make up less than this share are left out.
        seed: decides the split; the same file and seed give the same split.

    Raises:
        CorpusError: no such file, not a CSV, no column `text`, or fewer than two songs in it.
    """
    texts = read_texts(path)
    cleaned = [clean_text(text) for text in texts]
    songs = list(dict.fromkeys(filter(None, cleaned)))
    dropped = {"empty texts": cleaned.count("")}
    dropped["repeated texts"] = len(texts) - dropped["empty texts"] - len(songs)
    dropped["invisible characters"] = sum(len(_INVISIBLE.findall(text)) for text in texts)
    songs, dropped["rare characters"] = drop_rare_characters(songs, rare_character_share)
    if len(songs) < 2:
        raise CorpusError(path, f"training needs at least 2 different songs, found {len(songs)}")
    training, held_out = split_songs(songs, held_out_share, seed)
    if not training or not held_out:
        raise CorpusError(path, "all songs are versions of each other: none would be left to validate on")
    vocabulary = Vocabulary.of(character for song in songs for character in set(song))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Corpus(path.name, sha256, vocabulary, training, held_out, dropped)


def read_texts(path: Path) -> list[str]:
    """Return the column `text` of a CSV, row by row, as it stands there."""
    if not path.is_file():
        raise CorpusError(path, "is a folder; a CSV is needed" if path.is_dir() else "no such file")
    if not path.name.lower().endswith(SUFFIXES):
        raise CorpusError(path, f"the name must end in {', '.join(SUFFIXES)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
    except pd.errors.ParserWarning as error:
        raise CorpusError(
            path, "rows have more fields than the header; texts with commas need quotes"
        ) from error
    except pd.errors.EmptyDataError as error:
        raise CorpusError(path, "the file is empty") from error
    except (pd.errors.ParserError, ValueError, RuntimeError, OSError, EOFError, *_DAMAGED_ARCHIVE) as error:
        raise CorpusError(path, _explain(error)) from error
    if "text" not in table.columns:
        raise CorpusError(path, f"needs a column named text, found: {', '.join(map(str, table.columns))}")
    return [str(text) for text in table["text"]]


def _explain(error: Exception) -> str:
    cut_off = re.search(r"EOF inside string starting at row (\d+)", str(error))
    if cut_off:
        return f"the quoted text in row {cut_off.group(1)} never ends: the file is cut off, get it again"
    return f"not a readable CSV in UTF-8: {' '.join(str(error).split())}"


def clean_text(text: str) -> str:
    """Bring line ends, spaces and Unicode forms to one form; a song of nothing but space becomes ''.

    Kaggle's lines end in two spaces, and its stanzas are separated by a line of two spaces.
    """
    text = _LINE_END.sub("\n", text)
    text = _INVISIBLE.sub("", _OTHER_SPACE.sub(" ", text))
    lines = (line.rstrip(" ") for line in unicodedata.normalize("NFC", text).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def drop_rare_characters(songs: Sequence[str], share: float) -> tuple[list[str], int]:
    """Remove the characters that make up less than `share` of all; return the songs and how many went."""
    counts = Counter[str]()
    for song in songs:
        counts.update(song)
    total = counts.total()
    rare = {ord(character): None for character, count in counts.items() if count < share * total}
    removed = sum(counts[chr(code)] for code in rare)
    if rare:
        songs = list(dict.fromkeys(filter(None, (clean_text(song.translate(rare)) for song in songs))))
    return list(songs), removed


def split_songs(songs: Sequence[str], held_out_share: float, seed: int) -> tuple[list[str], list[str]]:
    """Split songs into training and held-out ones, with all versions of a song on one side."""
    groups = near_duplicate_groups(songs)
    wanted = max(1, round(held_out_share * len(songs)))
    held_out: set[int] = set()
    for n in np.random.default_rng(seed).permutation(len(groups)):
        if len(held_out) + len(groups[n]) <= wanted:
            held_out.update(groups[n])
    training = [song for n, song in enumerate(songs) if n not in held_out]
    return training, [songs[n] for n in sorted(held_out)]


def near_duplicate_groups(songs: Sequence[str]) -> list[list[int]]:
    """Group the songs' indices so that versions of one song (covers, reprints) are together.

    Source: Broder 1997, "On the resemblance and containment of documents" (MinHash), by datasketch.
    """
    index = MinHashLSH(params=_BANDS, num_perm=_SKETCH_SIZE)
    group_of = list(range(len(songs)))

    def root(n: int) -> int:
        while group_of[n] != n:
            group_of[n] = group_of[group_of[n]]
            n = group_of[n]
        return n

    sketches = MinHash.generator((_spans(song) for song in songs), num_perm=_SKETCH_SIZE, seed=1)
    kept: list[MinHash] = []
    for n, sketch in enumerate(sketches):
        kept.append(sketch)
        for other in index.query(sketch):
            if sketch.jaccard(kept[other]) >= NEAR_DUPLICATE_SIMILARITY:
                group_of[root(n)] = root(other)
        index.insert(n, sketch)
    groups: dict[int, list[int]] = {}
    for n in range(len(songs)):
        groups.setdefault(root(n), []).append(n)
    return list(groups.values())


def _spans(song: str) -> list[bytes]:
    words = re.findall(r"\w+", song.casefold())
    spans: Iterable[tuple[str, ...]] = zip(*(words[n:] for n in range(_SPAN_WORDS)), strict=False)
    if len(words) < _SPAN_WORDS:
        spans = [tuple(words)]
    return sorted(" ".join(span).encode() for span in set(spans))
