"""What is known about a corpus: counted while it is read, kept in the session, shown as a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lyricgen.model_file.shape import Shape
from lyricgen.printable import printable
from lyricgen.vocabulary import Vocabulary
from train.corpus.cleaning import MAX_SONG_CHARACTERS

MAX_RARE_KINDS = 40
MIN_SONGS_TO_JUDGE_BY = 10
"""Bits per character of fewer songs say more about those songs than about the model."""
_SHOWN_STYLES = 12


@dataclass(frozen=True)
class CorpusFacts:
    """What a model was trained on; part of a session's config.json, and of a model file's provenance."""

    name: str
    """Name of the file; a folder's ends in a slash."""
    sha256: str
    """Hash of the file, or of all in the folder."""
    licence: str
    """What the owner of the texts allows, in the trainer's words."""
    training_songs: int
    training_characters: int
    held_out_songs: int
    held_out_characters: int
    rows: int = 0
    """Songs read from the files, bad rows not counted."""
    bad_rows: int = 0
    """Rows, or files, that could not be read and were skipped with --skip-bad-rows."""
    not_read: str = ""
    """Names of a CSV's columns, or of a folder's files, that were not read, the first five."""
    empty_texts: int = 0
    repeated_texts: int = 0
    """Exact copies, dropped; titles and letter case do not count."""
    cut_texts: int = 0
    """Texts too long for a song, cut into several."""
    near_duplicates: int = 0
    """Songs that are a version of an earlier one; they stay, on the same side of the split."""
    long_names: int = 0
    """Titles and names of styles that were dropped because they are too long to be one."""
    invisible_characters: int = 0
    """Control characters and the like, removed."""
    folded_characters: int = 0
    """Typographic characters turned into plain ones that the base model's vocabulary has."""
    rare_characters: int = 0
    """Characters removed because they are too rare, or not in the base model's vocabulary."""
    rare_kinds: str = ""
    """The distinct characters among them, most frequent first, 40 at most."""
    coverage: float = 1.0
    """Share of the cleaned text's characters that are in the vocabulary."""
    titled_songs: int = 0
    """Songs that begin with their title line."""
    base_was_compared: bool = False
    """Whether there was a base model, and all songs that it was trained on were there to compare with."""
    known_to_base: int = 0
    """Songs that are versions of what the base model was trained on; they are not held out."""
    held_out_by_base: int = 0
    """Songs that the base model's training held out, or versions of them; they are held out again."""
    styles: dict[str, int] = field(default_factory=dict)
    """Style that has a token → number of its songs."""
    rare_styles: int = 0
    """Styles without a token: too few songs have them."""
    unstyled_songs: int = 0
    """Songs without a style token."""

    language: Literal["en", "spelling"] = "spelling"
    """How the words of the songs to train on sound: as English ones, or as they are spelled."""
    shapes: tuple[str, ...] = ()
    """The commonest shapes of the songs to train on, of all and of each style; texts for `Shape.of`."""
    rhymes: tuple[str, ...] = ()
    """The commonest words at the ends of these songs' lines, in groups that rhyme, between spaces."""

    def __post_init__(self) -> None:
        for shape in self.shapes:
            Shape.of(shape)

    @property
    def left_out(self) -> str:
        """The texts that were left out, and why, for a reader; '' if none."""
        unit = "file" if self.name.endswith("/") else "row"
        reasons = (
            counted(self.empty_texts, "empty text"),
            counted(self.repeated_texts, "repeated text"),
            counted(self.bad_rows, unit, "that cannot be read"),
        )
        return ", ".join(filter(None, reasons))


def describe(facts: CorpusFacts, vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """Return the rows of the table about a corpus, (label, text) each; rows without a text are left out.

    Characters of the corpus that a terminal would obey are escaped.
    """
    size = facts.training_characters + facts.held_out_characters
    unit, others = ("file", "files") if facts.name.endswith("/") else ("row", "columns")
    are_versions = "is a version" if facts.near_duplicates == 1 else "are versions"
    kinds = " ".join(map(printable, facts.rare_kinds))
    more = " …" if len(facts.rare_kinds) == MAX_RARE_KINDS else ""
    coverage = 100 if facts.coverage == 1 else min(100 * facts.coverage, 99.9999)  # only a whole one is 100 %
    caution = ": too few to judge a model by" if facts.held_out_songs < MIN_SONGS_TO_JUDGE_BY else ""
    table = {
        "read": [f"{counted(facts.rows, unit)} of {printable(facts.name)}" if facts.rows else ""],
        "not read": [f"{others} {printable(facts.not_read)}" if facts.not_read else ""],
        "dropped": [facts.left_out],
        "kept": [
            counted(facts.training_songs + facts.held_out_songs, "song"),
            f"{facts.titled_songs:,} with a title" if facts.titled_songs else "",
            f"{size / 1e6:,.1f} M characters" if size >= 1_000_000 else f"{size:,} characters",
        ],
        "versions": [counted(facts.near_duplicates, "song", f"{are_versions} of another one")],
        "base model": [
            f"trained on {facts.known_to_base:,} of these songs" if facts.known_to_base else "",
            f"{facts.held_out_by_base:,} held out then and now" if facts.held_out_by_base else "",
        ],
        "cleaned": [
            counted(
                facts.cut_texts, "text", f"of more than {MAX_SONG_CHARACTERS:,} characters cut into songs"
            ),
            counted(facts.long_names, "title or style name", "dropped as too long"),
            counted(facts.invisible_characters, "invisible character", "removed"),
            counted(facts.folded_characters, "typographic character", "made plain"),
            counted(facts.rare_characters, "rare or unknown character", f"removed ({kinds}{more})"),
        ],
        "vocabulary": [
            f"{len(vocabulary.characters):,} characters",
            f"{coverage:.4f}".rstrip("0").rstrip(".") + " % of the text",
        ],
        "styles": _describe_styles(facts),
        "split": [
            f"{counted(facts.training_songs, 'song')} to train on",
            f"{facts.held_out_songs:,} held out{caution}",
        ],
    }
    return [(label, text) for label, parts in table.items() if (text := ", ".join(filter(None, parts)))]


def _describe_styles(facts: CorpusFacts) -> list[str]:
    """List the styles, the most frequent first; nothing if the corpus has none."""
    if not facts.styles:
        names = counted(facts.rare_styles, "name")
        return [f"none: {names}, each with too few songs to learn a style from"] if names else []
    ranked = sorted(facts.styles.items(), key=lambda style: (-style[1], style[0]))
    return [
        *(f"{printable(style)} {count:,}" for style, count in ranked[:_SHOWN_STYLES]),
        f"{len(ranked) - _SHOWN_STYLES} more" if len(ranked) > _SHOWN_STYLES else "",
        f"without one {facts.unstyled_songs:,}" if facts.unstyled_songs else "",
    ]


def counted(number: int, noun: str, rest: str = "") -> str:
    """Return a number with its noun, such as "2 songs held out"; '' if there are none."""
    words = f"{number:,} {noun}{'' if number == 1 else 's'} {rest}".rstrip()
    return words if number else ""
