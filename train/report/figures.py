"""What a report on a model's songs says: figures, and their form in report.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from lyricgen.files import check_writable, write_atomically, writing_errors_named
from lyricgen.model_file.contract import MAX_TEMPERATURE
from train.session_folders import damage_named, read_object, write_object

REPORT_FORMAT = 1
REPORT_NAME = "report/report.json"
"""Path of the figures in the folder of a session."""

Share = float
"""From 0 to 1."""


@dataclass(frozen=True)
class Figures:
    """What a set of songs is like; "read" are the songs of the model's own training.

    Titles belong to a song's length and to what it copied in one span; to all other figures they do not.
    """

    songs: int
    ended: Share
    """Share of songs that ended by themselves."""
    median_characters: float
    """Of a song, title included."""
    median_lines: float
    """Of a song."""
    median_line_characters: float
    median_stanza_lines: float
    median_title_characters: float
    """Of the songs that have a title; 0 if none has."""
    known_words: Share
    """Share of words that the songs read or the dictionary have. Lower is more garbled."""
    known_pairs: Share
    """Share of pairs of words side by side that occur in the songs read: a cheap stand-in for grammar.
    Lower is more garbled, higher more worn."""
    rhymes: Share
    """Share of lines that rhyme with one of three lines before or after them, of those whose last word the
    pronouncing dictionary has."""
    rhymes_by_chance: Share
    """The same after the ends of all lines were shuffled."""
    repeated_lines: Share
    """Share of lines that the same song had before. Refrains are such, and so is going in circles."""
    copied_lines: Share
    """Share of lines of four words or more that stand in a song that was read."""
    copied_runs: Share
    """Share of runs of eight words that stand in a song that was read."""
    median_copied_span: float
    """Characters of a song's longest span that stands in a song that was read: the median."""
    longest_copied_span: int
    """The longest of all these, in characters."""
    longest_copied_text: str
    """What it says."""
    whole_copies: int
    """Songs of a hundred characters or more that stand from end to end in a song that was read."""


@dataclass(frozen=True)
class StyleFigures:
    """Songs that were asked for in one style."""

    recognised: Share
    """Share of them whose style a naive Bayes classifier on words finds."""
    held_out_recognised: Share
    """The same of held-out songs of that style; 0 if there are none."""
    held_out_songs: int
    figures: Figures


@dataclass(frozen=True)
class Report:
    """What a model's songs are like."""

    tensors_sha256: str
    """Of the model file that wrote them."""
    seed: int
    """Of the songs of the sweep and of the styles; the check's is the next one."""
    suggested_temperature: float
    held_out: Figures
    """Real songs that the model has never seen."""
    sweep: Mapping[float, Figures]
    """Songs at each temperature."""
    check: Figures
    """More songs, at the suggested temperature."""
    base_model: str
    """What the model was fine-tuned from, if that was trained on other songs, which were not compared with;
    else ""."""
    styles: Mapping[str, StyleFigures]
    """Songs at the suggested temperature in each style; none if the model has none."""

    def to_json(self) -> dict[str, Any]:
        """Return the report as a dictionary that JSON can hold."""
        return {"format": REPORT_FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> Report:
        """Read a report.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError: something is
                missing or wrong.
        """
        if facts["format"] != REPORT_FORMAT:
            raise ValueError(f"report format {facts['format']} is not supported; expected {REPORT_FORMAT}")
        styles = {
            name: _checked(StyleFigures, {**style, "figures": _checked(Figures, style["figures"])})
            for name, style in facts["styles"].items()
        }
        facts = {name: value for name, value in facts.items() if name != "format"}
        facts["held_out"], facts["check"] = (_checked(Figures, facts[part]) for part in ("held_out", "check"))
        facts["sweep"] = {float(heat): _checked(Figures, row) for heat, row in facts["sweep"].items()}
        report = _checked(cls, {**facts, "styles": styles})
        if not (report.sweep and report.seed < 2**64 - 1 and report.suggested_temperature <= MAX_TEMPERATURE):
            raise ValueError("out of range")
        return report


_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "Share": (int, float),
    "str": (str,),
}

Kind = TypeVar("Kind", Figures, StyleFigures, Report)


def _checked(kind: type[Kind], facts: dict[str, Any]) -> Kind:
    """Return a dataclass of what a file says; numbers are not negative, shares at most 1.

    Raises:
        TypeError, ValueError: something is missing, unknown, of another type or out of range.
    """
    for field in fields(kind):
        value, expected = facts[field.name], _KINDS.get(str(field.type))
        if expected and type(value) not in expected:
            raise TypeError(f"{field.name} is no {field.type}")
        if (
            expected
            and type(value) is not str
            and not 0 <= value <= (1 if str(field.type) == "Share" else 2**64)
        ):
            raise ValueError(f"{field.name} is out of range")
    return kind(**facts)


def save_report(session_folder: Path, report: Report, page: str, picture: bytes) -> Path:
    """Write a report into the folder of its session; return the report's own folder.

    Raises:
        LyricgenError: it cannot be written.
    """
    folder = session_folder / "report"
    with writing_errors_named(folder):
        folder.mkdir(exist_ok=True)
        write_atomically(folder / "report.png", picture)
        write_atomically(folder / "report.md", page.encode())
        write_object(session_folder / REPORT_NAME, report.to_json())
    return folder


def check_report_writable(session_folder: Path) -> None:
    """Find out before the work that `save_report` could not write.

    Raises:
        LyricgenError: it could not.
    """
    path = session_folder / REPORT_NAME
    check_writable(path if path.parent.exists() else path.parent)


def load_report(session_folder: Path) -> Report | None:
    """Return the report in the folder of a session; None if there is none.

    Raises:
        SessionError: it is damaged.
    """
    path = session_folder / REPORT_NAME
    if not path.is_file():
        return None
    with damage_named(session_folder, REPORT_NAME, "make the report again"):
        return Report.from_json(read_object(path))
