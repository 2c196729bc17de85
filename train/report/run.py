"""Makes a report: the exported model writes songs, which are measured beside the songs of its session."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import matplotlib  # noqa: F401 (if it is missing, that shows now and not after minutes of writing songs)

import lyricgen
from lyricgen.errors import LyricgenError
from lyricgen.generator import Model
from lyricgen.model_file.contract import AUTO_FORM, FREE_FORM
from lyricgen.options import SongOptions
from lyricgen.song.form import NAMED
from train.evaluation import PartBits, bits_by_part
from train.report.figures import FormFigures, SongFigures, SongReport, StyleFigures
from train.report.forms import COMMON, DEPTHS, compose, measure_forms
from train.report.measures import Measures
from train.report.recognition import StyleReader
from train.report.suggestion import suggest
from train.session import Session
from train.session_config import PARTS

TEMPERATURES = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0, 1.1, 1.2, 1.3)
STYLE_SHARE = 2
"""Each style gets this many times fewer songs than each temperature."""
FEW_SHARE = 10
"""Each style with a form, and each number of candidates, gets this many times fewer songs than each form."""


class ReportRequest(NamedTuple):
    """How many songs to write and measure."""

    songs: int
    """Songs at each temperature."""
    check_songs: int
    """Songs at the suggested temperature, written with another seed."""
    form_songs: int
    """Songs with each form, and a tenth as many in each style and with each number of candidates; 0: none."""
    seed: int


def make_report(
    session: Session, model: Model, request: ReportRequest, on_progress: Callable[[str], None]
) -> SongReport:
    """Write songs with `model` and measure them against those of the session that it was exported from.

    `on_progress` is called with a sentence about each step before it begins.

    Raises:
        LyricgenError: the session came without its songs, or its held-out songs are too few to compare with.
    """
    training, held_out = (_Songs(session, part) for part in PARTS)
    measures = Measures(training.texts, title_line=session.facts.title_line, language=session.corpus.language)
    real = measures.measure(held_out.texts, len(held_out.texts))
    if not real.known_pairs:
        problem = "its held-out songs have no two words in common with the others"
        raise LyricgenError(f"{session.folder}: {problem}")
    writer = Writer(model, measures, request, on_progress)
    sweep = {
        temperature: writer.free(request.songs, request.seed, temperature)[0] for temperature in TEMPERATURES
    }
    suggested = suggest(sweep, real).temperature
    check, _ = writer.free(request.check_songs, request.seed + 1, suggested)
    known, unseen = training.by_style(), held_out.by_style()
    reader, styles = StyleReader(known), {}
    for style in known:  # a fine-tuned model also has the styles of its parent
        figures, texts = writer.free(max(request.songs // STYLE_SHARE, 1), request.seed, suggested, style)
        bits = held_out.bits(model, style)
        styles[style] = StyleFigures(
            recognised=round(reader.recognised(texts, style), 4),
            held_out_recognised=round(reader.recognised(unseen.get(style, []), style), 4),
            held_out_songs=len(unseen.get(style, [])),
            figures=figures,
            held_out_bits=round(bits.lyrics, 4),
            held_out_title_bits=round(bits.titles, 4),
            with_form=writer.with_shape(style),
        )
    return SongReport(
        tensors_sha256=model.card.tensors_sha256,
        seed=request.seed,
        suggested_temperature=suggested,
        held_out=real,
        sweep=sweep,
        check=check,
        base_model=session.facts.base_with_other_songs,
        styles=styles,
        forms=writer.forms(),
        depths=writer.depths(),
    )


class _Songs:
    """The songs of a part of a session, "training" or "held_out"."""

    def __init__(self, session: Session, part: str) -> None:
        self._session, self._encoded = session, session.songs(part)
        self.texts = list(self._encoded.bodies(session.vocabulary, titles=False))

    def by_style(self) -> dict[str, list[str]]:
        """Return the texts of each style that has any, in the order of the vocabulary."""
        found: dict[str, list[str]] = {}
        for token, text in sorted(
            zip(self._encoded.styles.tolist(), self.texts, strict=True), key=itemgetter(0)
        ):
            if token:
                found.setdefault(self._session.vocabulary.style_name(token), []).append(text)
        return found

    def bits(self, model: Model, style: str) -> PartBits:
        """Return what a model file needs for a style's songs, in bits per character; 0 if there are none."""
        vocabulary = self._session.vocabulary
        songs = self._encoded.of_style(vocabulary.style_token(style))
        line_end = vocabulary.encode("\n")[0] if self._session.facts.title_line else None
        return bits_by_part(model.file, songs, line_end) if len(songs) else PartBits(0.0, 0.0)


class Writer(NamedTuple):
    """Writes songs and measures them."""

    model: Model
    measures: Measures
    request: ReportRequest
    on_progress: Callable[[str], None]

    def free(
        self, count: int, seed: int, temperature: float, style: str | None = None
    ) -> tuple[SongFigures, list[str]]:
        """Write songs as the model goes, without a form; return their figures and texts."""
        in_style = f" in the style {style}" if style else ""
        self.on_progress(f"writing {count} songs at temperature {temperature:g}{in_style}")
        options: SongOptions = {"form": FREE_FORM, "seed": seed, "temperature": temperature}
        options["style"] = style or ""  # not those that the model suggests: held-out songs are of all
        songs = list(self.model.songs(range(count), **options))
        texts = [song.text for song in songs]
        return self.measures.measure(texts, sum(song.finished == "eos" for song in songs)), texts

    def with_shape(self, style: str) -> FormFigures | None:
        """Return figures of songs with shapes that songs of a style have; None if none are asked for."""
        if not self.request.form_songs or not self.model.card.shapes:
            return None
        return self._formed(f"a form in the style {style}", {"form": AUTO_FORM, "style": style}, few=True)

    def forms(self) -> dict[str, FormFigures]:
        """Return figures of songs with each form that the model can write; none if none are asked for."""
        card = self.model.card
        if not self.request.form_songs or "\n" not in card.vocabulary.characters:
            return {}
        names = [*NAMED, *([AUTO_FORM] if card.shapes else [])]
        return {name: self._formed(f"the form {name}", {"form": name}, few=False) for name in names}

    def depths(self) -> dict[int, FormFigures]:
        """Return figures of songs in common metre by the number of candidates for a line; likewise."""
        if not self.request.form_songs or "\n" not in self.model.card.vocabulary.characters:
            return {}
        return {
            depth: self._formed(f"{depth} candidates for a line", {**COMMON, "candidates": depth}, few=True)
            for depth in DEPTHS
        }

    def _formed(self, what: str, options: SongOptions, *, few: bool) -> FormFigures:
        count = max(1, self.request.form_songs // FEW_SHARE) if few else self.request.form_songs
        self.on_progress(f"writing {count} songs with {what}")
        songs = compose(self.model, count, {**options, "seed": self.request.seed})
        return measure_forms(songs, self.measures.copies)


def open_exported(session: Session, path: Path) -> Model:
    """Open the file at `path`, which must have been exported from `session`.

    Raises:
        LyricgenError: there is no such file, it is damaged, or it comes from another session.
    """
    if not path.exists():
        advice = f"make it with: python -m export --session {session.number}"
        raise LyricgenError(f"{path}: no such file; {advice}")
    model = lyricgen.load(path)
    origin = model.card.provenance
    same = origin.corpus_sha256 == session.corpus.sha256 and model.card.vocabulary == session.vocabulary
    if not same or origin.session != session.folder.name:
        raise LyricgenError(f"{path}: was exported from another session than {session.folder}")
    return model
