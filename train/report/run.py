"""Makes a report: the exported model writes songs, which are measured beside the songs of its session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import matplotlib  # noqa: F401 (if it is missing, that shows now and not after minutes of writing songs)

import lyricgen
from lyricgen.errors import LyricgenError
from lyricgen.generator import Model
from lyricgen.model_file.contract import AUTO_FORM
from lyricgen.options import SongOptions
from lyricgen.song.form import NAMED
from train.corpus.encoded import EncodedSongs
from train.evaluation import PartBits, bits_by_part
from train.report.figures import SongReport, StyleFigures
from train.report.forms import COMMON, DEPTHS, compose, measure_forms
from train.report.measures import Measures
from train.report.recognition import StyleReader
from train.report.suggestion import suggest
from train.session import Session
from train.session_config import PARTS

TEMPERATURES = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0, 1.1, 1.2, 1.3)
STYLE_SHARE = 2
"""Each style gets this many times fewer songs than each temperature."""
DEPTH_SHARE = 10
"""Each number of candidates gets this many times fewer songs than each form."""


class ReportRequest(NamedTuple):
    """How many songs to write and measure."""

    songs: int
    """Songs at each temperature."""
    check_songs: int
    """Songs at the suggested temperature, written with another seed."""
    form_songs: int
    """Songs with each form, and a tenth as many with each number of candidates; 0: none."""
    seed: int


def make_report(
    session: Session, model: Model, request: ReportRequest, on_progress: Callable[[str], None]
) -> SongReport:
    """Write songs with `model` and measure them against those of the session that it was exported from.

    `on_progress` is called with a sentence about each step before it begins.

    Raises:
        LyricgenError: the session came without its songs, or its held-out songs are too few to compare with.
    """
    songs = [session.songs(part) for part in PARTS]
    training, held_out = (list(part.bodies(session.vocabulary, titles=False)) for part in songs)
    measures = Measures(training, title_line=session.facts.title_line, language=session.corpus.language)
    real = measures.measure(held_out, len(held_out))
    if not real.known_pairs:
        problem = "its held-out songs have no two words in common with the others"
        raise LyricgenError(f"{session.folder}: {problem}")
    sweep = {}
    for temperature in TEMPERATURES:
        on_progress(f"writing {request.songs} songs at temperature {temperature:g}")
        sweep[temperature] = measures.measure(*_write(model, request.songs, request.seed, temperature))
    suggested = suggest(sweep, real).temperature
    on_progress(f"writing {request.check_songs} songs at temperature {suggested:g}")
    check = measures.measure(*_write(model, request.check_songs, request.seed + 1, suggested))
    on_progress("writing songs in each style")
    known, unseen = _by_style(session, songs[0], training), _by_style(session, songs[1], held_out)
    reader, count, styles = StyleReader(known), max(request.songs // STYLE_SHARE, 1), {}
    line_end = session.vocabulary.encode("\n")[0] if session.facts.title_line else None
    for style in known:  # a fine-tuned model also has the styles of its parent
        texts, ended = _write(model, count, request.seed, suggested, style)
        of_style = songs[1].of_style(session.vocabulary.style_token(style))
        found = bits_by_part(model.file, of_style, line_end) if len(of_style) else PartBits(0.0, 0.0)
        styles[style] = StyleFigures(
            recognised=round(reader.recognised(texts, style), 4),
            held_out_recognised=round(reader.recognised(unseen.get(style, []), style), 4),
            held_out_songs=len(unseen.get(style, [])),
            figures=measures.measure(texts, ended),
            held_out_bits=round(found.lyrics, 4),
            held_out_title_bits=round(found.titles, 4),
        )
    forms, depths = {}, {}
    for form in _forms(model) if request.form_songs else ():
        on_progress(f"writing {request.form_songs} songs with the form {form}")
        forms[form] = measure_forms(
            compose(model, request.form_songs, {"form": form, "seed": request.seed}), measures.copies
        )
    for depth in DEPTHS if forms else ():
        on_progress(f"writing songs with {depth} candidates for a line")
        options: SongOptions = {**COMMON, "candidates": depth, "seed": request.seed}
        songs_of_depth = max(1, request.form_songs // DEPTH_SHARE)
        depths[depth] = measure_forms(compose(model, songs_of_depth, options), measures.copies)
    return SongReport(
        tensors_sha256=model.card.tensors_sha256,
        seed=request.seed,
        suggested_temperature=suggested,
        held_out=real,
        sweep=sweep,
        check=check,
        base_model=session.facts.base_with_other_songs,
        styles=styles,
        forms=forms,
        depths=depths,
    )


def _forms(model: Model) -> list[str]:
    """Return the forms that a model can write."""
    if "\n" not in model.card.vocabulary.characters:
        return []
    return [*NAMED, *([AUTO_FORM] if model.card.shapes else [])]


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


def _write(
    model: Model, count: int, seed: int, temperature: float, style: str | None = None
) -> tuple[list[str], int]:
    """Write songs as the model goes, without a form; return their texts and how many ended by themselves."""
    songs = list(model.songs(range(count), form="free", seed=seed, temperature=temperature, style=style))
    return [song.text for song in songs], sum(song.finished == "eos" for song in songs)


def _by_style(session: Session, songs: EncodedSongs, texts: Sequence[str]) -> dict[str, list[str]]:
    """Return the texts of each style that has any, in the order of the vocabulary."""
    found: dict[str, list[str]] = {}
    for token, text in sorted(zip(songs.styles.tolist(), texts, strict=True), key=itemgetter(0)):
        if token:
            found.setdefault(session.vocabulary.style_name(token), []).append(text)
    return found
