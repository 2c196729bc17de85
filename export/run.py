"""From a session to a model file, which is written after it was compared with PyTorch and measured."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import lyricgen
from export.held_out import OnProgress, held_out_entry, other_songs, score_own_songs, scores_of
from export.step import Weights, build_step, serialize, set_card
from export.verify import check_cost, check_parity, measure_parity, median_step_seconds
from lyricgen.engine.step_model import ModelFile
from lyricgen.errors import LyricgenError
from lyricgen.files import check_writable, write_atomically, writing_errors_named
from lyricgen.generator import Model
from lyricgen.golden import write_golden_song
from lyricgen.model_file.card import NO_GOLDEN_SONG, NOT_PROVED, ModelCard, Provenance, Report
from lyricgen.model_file.contract import FP32, INT8, MAX_FILE_BYTES, PRECISIONS
from lyricgen.model_file.shape import Shape
from train.evaluation import no_progress
from train.model import CharLSTM
from train.report.figures import load_report
from train.session import Session
from train.session_folders import CHECKPOINTS_FOLDER, EXPORTED_FOLDER, exported_path

SUGGESTED_TEMPERATURE = 0.75
"""Temperature of a model whose songs nobody has measured."""


@dataclass(frozen=True)
class ExportRequest:
    """What to export, and how."""

    session: int
    """Number of the session."""
    precision: str = INT8
    held_out_path: Path | None = None
    """Songs to measure on; None: those that the session held out."""
    reading: Mapping[str, Any] = field(default_factory=dict)
    """Fields of CorpusConfig: how to read those songs differently from the session's."""
    known_lines: bool = False
    """Whether to find out which lines the session's songs have; this file and later ones then know them."""
    folder: Path = EXPORTED_FOLDER
    """Where the file goes."""
    checkpoints: Path = CHECKPOINTS_FOLDER
    """Where the session is."""


@dataclass(frozen=True)
class Exported:
    """A file that was written, and what its card does not say."""

    path: Path
    card: ModelCard
    size_bytes: dict[str, int]
    """Size of the file in each precision."""
    step_seconds: dict[str, float]
    """Time of one song's step in each precision, on this machine."""
    nodes: int
    """Nodes in the graph."""
    remark: str
    """What a reader should know about the scores on held-out songs; '' if nothing."""
    songs_remark: str
    """Why there is no report on the songs that the file writes; '' if there is one."""
    is_training: bool
    """Whether the session is still being trained: there may be better weights later."""


def export_session(request: ExportRequest, on_progress: OnProgress = no_progress) -> Exported:
    """Export the best weights of a session, after comparing and measuring the file.

    Raises:
        SessionError: there is no such session, or it has no weights yet.
        ProofError: the file would not compute what the session's model computes.
        CorpusError: the songs to measure on cannot be read.
        LyricgenError: the model is too large, or the file cannot be written.
    """
    session = Session.open(request.checkpoints, request.session)
    model, weights = trained(session)
    path = exported_path(session.number, request.precision, request.folder)
    with writing_errors_named(path), suppress(FileExistsError):  # check_writable has a better message
        path.parent.mkdir(parents=True, exist_ok=True)
    check_writable(path)  # before minutes of measuring
    if request.known_lines:
        session.save_known_lines()
    steps = {precision: build_step(weights, new_card(session, precision)) for precision in PRECISIONS}
    files = {precision: ModelFile(path, serialize(step)) for precision, step in steps.items()}
    step, file = steps[request.precision], files[request.precision]
    onnx.checker.check_model(step, full_check=True)
    about = session.load_about()
    report, temperature, songs_remark = _known_songs(session, files, request.precision)
    parity = measure_parity(model, file)
    check_parity(parity, request.precision)
    if request.held_out_path is None:
        held_out, remark = score_own_songs(session, request.precision, model, files, on_progress)
    else:
        reading = replace(session.config.corpus, **request.reading)
        with other_songs(request.held_out_path, reading, session) as songs:
            scores = scores_of(songs.encoded, songs.coverage, model, files, on_progress)
        held_out, remark = held_out_entry(songs.name, request.precision, scores), songs.remark
    if held_out is not None:
        check_cost(held_out, parity, request.precision)
    card = replace(
        file.card,
        about=about,
        report=report,
        suggested_temperature=temperature,
        parity=parity,
        held_out=held_out,
        golden_song=write_golden_song(Model(file), temperature),
    )
    set_card(step, card)
    content = serialize(step)
    ModelFile(path, content)  # the runtime must be able to open what is written
    size_bytes = {name: file.size_bytes for name, file in files.items()} | {request.precision: len(content)}
    step_seconds = median_step_seconds(files, time_each=0.2)
    with writing_errors_named(path):
        write_atomically(path, content)
    return Exported(
        path=path,
        card=card,
        step_seconds=step_seconds,
        size_bytes=size_bytes,
        nodes=len(step.graph.node),
        remark=remark,
        songs_remark=songs_remark,
        is_training=session.is_training(),
    )


def _known_songs(
    session: Session, files: Mapping[str, ModelFile], precision: str
) -> tuple[Report | None, float, str]:
    """Return what `python -m train.report` found out about the songs that a file writes.

    The same weights in the other precision write other songs, but the same temperature suits them.

    Returns:
        The report on the file of `precision`, the temperature to suggest, and why there is no report or ''.

    Raises:
        SessionError: the report is damaged.
    """
    known = load_report(session.folder)
    if known is None:
        remark = f"not measured; python -m train.report --session {session.number}"
        return None, SUGGESTED_TEMPERATURE, remark
    measured = {file.card.tensors_sha256: name for name, file in files.items()}.get(known.tensors_sha256)
    if measured is None:
        return None, SUGGESTED_TEMPERATURE, "the report is of other weights; make it again"
    if measured != precision:
        remark = f"measured in {measured}; the temperature is taken from there"
        return None, known.suggested_temperature, remark
    figures = {part.name: getattr(known.check, part.name) for part in fields(Report) if part.name != "seed"}
    return Report(seed=known.seed + 1, **figures), known.suggested_temperature, ""


def new_card(session: Session, precision: str) -> ModelCard:
    """Return the card of a model exported from `session`, before anything is measured."""
    corpus, facts = session.corpus, session.facts
    return ModelCard(
        vocabulary=session.vocabulary,
        layers=session.config.model.layers,
        hidden_size=session.config.model.hidden_size,
        precision=precision,
        suggested_temperature=SUGGESTED_TEMPERATURE,
        title_line=facts.title_line,
        language=corpus.language,
        suggested_form="auto" if corpus.shapes else "free",
        known_lines=session.load_known_lines(),
        suggested_styles=session.load_suggested_styles(),
        shapes=tuple(map(Shape.of, corpus.shapes)),
        rhymes=corpus.rhymes,
        tensors_sha256="",
        provenance=Provenance(
            session=session.folder.name,
            corpus=corpus.name,
            corpus_sha256=corpus.sha256,
            corpus_licence=corpus.licence,
            training_characters=corpus.training_characters,
            base_model=facts.base_model,
            creating_version=lyricgen.__version__,
        ),
        held_out=None,
        parity=NOT_PROVED,
        golden_song=NO_GOLDEN_SONG,
    )


def trained(session: Session) -> tuple[CharLSTM, Weights]:
    """Return a network with a session's best weights, and these weights by name, in float32.

    Raises:
        SessionError: it has none yet, or they are damaged.
        LyricgenError: they do not fit its configuration, are not finite, or too large for a model file.
    """
    best = session.load_best()
    model = session.new_model()
    try:
        model.load_state_dict(best.weights)
    except RuntimeError as error:
        raise LyricgenError(f"{session.folder}: its weights do not fit its config.json") from error
    weights = {name: tensor.float().numpy() for name, tensor in best.weights.items()}
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise LyricgenError(f"{session.folder}: its weights are not finite; train anew")
    size_bytes = 4 * sum(array.size for array in weights.values())
    if size_bytes > MAX_FILE_BYTES:
        found, most = f"{size_bytes / 1e9:.1f} GB in {FP32}", f"{MAX_FILE_BYTES / 1e9:.1f} GB"
        raise LyricgenError(f"{session.folder}: too large for a model file: {found}, at most {most}")
    return model, weights
