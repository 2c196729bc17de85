"""The figures of a report on a model's songs, and how report.json holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated

from lyricgen.files import write_atomically, writing_errors_named
from lyricgen.model_file.contract import MAX_TEMPERATURE
from lyricgen.schema import Range, SchemaError, from_json
from train.session_folders import SessionError, damage_named, read_object, write_object

REPORT_FORMAT = 1
REPORT_NAME = "report/report.json"
"""Path of the figures in the folder of a session."""

Share = Annotated[float, Range(0, 1)]
Amount = Annotated[float, Range(0, 2**31)]
Count = Annotated[int, Range(0, 2**31)]
Seed = Annotated[int, Range(0, 2**64 - 2)]
"""Of the first songs; others have the next one."""


@dataclass(frozen=True)
class SongFigures:
    """What a set of songs is like. "Known" and "copied" refer to the songs that the model was trained on.

    Titles count in a song's length and in its longest copied span, and in no other figure.
    """

    songs: Count
    ended: Share
    """Share of songs that ended by themselves."""
    median_characters: Amount
    median_lines: Amount
    median_line_characters: Amount
    median_stanza_lines: Amount
    median_title_characters: Amount
    """Over the songs that have a title; 0 if none has."""
    known_words: Share
    """Share of words that occur in the training songs or, in English, in the dictionary. Low means garbled
    words."""
    known_pairs: Share
    """Share of pairs of neighbouring words that occur in the training songs: a cheap stand-in for grammar.
    A low share means garbled lines, a high share worn phrases."""
    rhymes: Share
    """Share of lines that rhyme perfectly with one of the three lines before or after them in their stanza.
    Only lines with words count. English words rhyme by sound, which is guessed for those that the dictionary
    lacks, words of other languages by spelling."""
    rhymes_by_chance: Share
    """The same after all line ends were shuffled."""
    repeated_lines: Share
    """Share of lines that occurred earlier in the same song: refrains, and songs that go in circles."""
    copied_lines: Share
    """Share of the lines of four words or more that occur in a training song."""
    copied_runs: Share
    """Share of the runs of eight words that occur in a training song."""
    median_copied_span: Amount
    """Each song's longest span that occurs in a training song, in characters: the median over the songs."""
    longest_copied_span: Count
    """The longest of these spans, in characters."""
    longest_copied_text: str
    """The text of that span."""
    whole_copies: Count
    """Songs of a hundred characters or more that occur from beginning to end in a training song."""


@dataclass(frozen=True)
class StyleFigures:
    """What songs are like that were written in one style."""

    recognised: Share
    """Share of them whose style a naive Bayes classifier on words finds."""
    held_out_recognised: Share
    """The same for held-out songs of that style; 0 if there are none."""
    held_out_songs: Count
    figures: SongFigures
    held_out_bits: Amount = 0.0
    """Bits per character of the held-out songs of that style, by the model file, read without their style and
    without their titles; 0 if there are none."""
    held_out_title_bits: Amount = 0.0
    """The same for their titles."""
    with_form: FormFigures | None = None
    """Some songs in that style with a shape of its songs; None if none were written."""


@dataclass(frozen=True)
class FormFigures:
    """What songs with a form are like, and what they took."""

    songs: Count
    lines: Amount
    """Of a song, in the mean."""
    rhymes: Share | None
    """Of the lines that the model wrote to rhyme with one before, the share that does, by the code that chose
    them; None if no line had to."""
    syllables: Share | None
    """Of the lines that it wrote to have syllables or a metre, the share that has them, by the same; None if
    the form asks for neither."""
    dead_ends: Amount
    """Times a song that no candidate would do."""
    candidates: Amount
    """Written for a line."""
    bits_per_character: Amount
    """How unlikely the model finds the lines."""
    seconds: Amount
    """Of a CPU, for a song."""
    copied_lines: Share
    """Share of the lines of four words or more that occur in a training song."""
    longest_copied_span: Count
    """In characters, of all songs."""


@dataclass(frozen=True)
class SongReport:
    """What a model's songs are like at each temperature and in each style."""

    tensors_sha256: str
    """Identifies the weights of the model file that wrote the songs."""
    seed: Seed
    """Seed of the songs of `sweep` and `styles`; the songs of `check` have the next one."""
    suggested_temperature: Annotated[float, Range(0, MAX_TEMPERATURE)]
    held_out: SongFigures
    """Real songs that the model has never seen."""
    sweep: dict[float, SongFigures]
    """Songs written at each temperature."""
    check: SongFigures
    """More songs, at the suggested temperature."""
    base_model: str
    """The model that this one was fine-tuned from, if it was trained on other songs: copies of those were
    not looked for. Otherwise ""."""
    styles: dict[str, StyleFigures]
    """Songs written in each style at the suggested temperature; empty if the model has no styles."""
    forms: dict[str, FormFigures] = field(default_factory=dict)
    """Songs with each form that has a name, empty if none was asked for."""
    depths: dict[int, FormFigures] = field(default_factory=dict)
    """Songs in common metre by the number of candidates asked for; likewise."""


def save_report(session_folder: Path, report: SongReport, page: str, pictures: Mapping[str, bytes]) -> None:
    """Write a report into the folder of its session, with its page and pictures by their names.

    Raises:
        LyricgenError: it cannot be written.
    """
    folder = session_folder / "report"
    with writing_errors_named(folder):
        folder.mkdir(exist_ok=True)
        for name, picture in pictures.items():
            write_atomically(folder / name, picture)
        write_atomically(folder / "report.md", page.encode())
        write_object(session_folder / REPORT_NAME, {"format": REPORT_FORMAT, **asdict(report)})


def load_report(session_folder: Path) -> SongReport | None:
    """Return the report in the folder of a session; None if there is none.

    Raises:
        SessionError: it is damaged, or another version of lyricgen made it.
    """
    path, advice = session_folder / REPORT_NAME, "make the report again"
    if not path.is_file():
        return None
    with damage_named(session_folder, REPORT_NAME, advice):
        facts, known = read_object(path), {field.name: field.default for field in fields(SongFigures)}
        needed = {name for name, default in known.items() if default is MISSING}
        if facts.pop("format") != REPORT_FORMAT or not needed <= facts["check"].keys() <= known.keys():
            raise SessionError(session_folder, f"another version of lyricgen made {REPORT_NAME}; {advice}")
        report = from_json(SongReport, facts)
        if not report.sweep:
            raise SchemaError("sweep", "at least one temperature", facts["sweep"])
    return report
