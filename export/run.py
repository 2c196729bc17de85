"""From a session to a file: build, prove, measure, and only then give it its name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import lyricgen
from export.held_out import HeldOutScores, OnProgress, score_other_songs, score_own_songs
from export.step import Weights, build_step, serialize, set_card
from export.verify import check_cost, check_parity, measure_parity, median_step_seconds
from lyricgen.engine.step_model import ModelFile
from lyricgen.errors import LyricgenError
from lyricgen.files import check_writable, write_atomically, writing_errors_named
from lyricgen.generator import Model
from lyricgen.golden import write_golden_song
from lyricgen.model_file.card import NO_GOLDEN_SONG, NOT_PROVED, ModelCard, Parity, Provenance, Report
from lyricgen.model_file.contract import FP32, INT8, MAX_FILE_BYTES, PRECISIONS
from train.evaluation import no_progress
from train.model import CharLSTM
from train.report.figures import load_report
from train.session import Session
from train.session_folders import CHECKPOINTS_FOLDER, EXPORTED_FOLDER, exported_path

SUGGESTED_TEMPERATURE = 0.75


@dataclass(frozen=True)
class ExportRequest:
    """What to export, and how."""

    session: int
    """Number of the session."""
    precision: str = INT8
    held_out_path: Path | None = None
    """File or folder of songs to measure on; None: those that the session held out."""
    reading: Mapping[str, Any] = field(default_factory=dict)
    """Fields of CorpusConfig that differ from the session's when those songs are read."""
    folder: Path = EXPORTED_FOLDER
    """Where the file goes."""
    checkpoints: Path = CHECKPOINTS_FOLDER
    """Where the session is."""


@dataclass(frozen=True)
class Exported:
    """A file that was written, with what its card does not say."""

    path: Path
    card: ModelCard
    """What the file says about itself."""
    size_bytes: dict[str, int]
    """Size of the file in each precision."""
    step_seconds: dict[str, float]
    """Seconds for one step of one song in each precision, on this machine."""
    nodes: int
    """Nodes of the graph."""
    remark: str
    """What a reader should know of the figures on held-out songs; '' if nothing."""
    songs_remark: str
    """Why nothing is known of the songs that it writes; '' if something is."""
    is_training: bool
    """Whether the session is still being trained: there may be better weights later."""


def export_session(request: ExportRequest, on_progress: OnProgress = no_progress) -> Exported:
    """Export the best weights of a session.

    Both precisions are built and measured; one of them is proved and written.

    Args:
        request: what to export, and how.
        on_progress: called while songs are measured.

    Raises:
        SessionError: no such session, or it has no weights yet.
        ProofError: the file would compute something else than the session's model.
        CorpusError: the songs to measure on cannot be read.
        LyricgenError: the model is too large, or the file cannot be written.
    """
    session, precision = Session.open(request.checkpoints, request.session), request.precision
    model, weights = trained(session)
    path = exported_path(request.session, precision, request.folder)
    _prepare(path)
    steps = _build(session, weights)
    files = {name: ModelFile(path, serialize(step)) for name, step in steps.items()}
    step, own, songs = steps[precision], files[precision], songs_known(session, files, precision)
    onnx.checker.check_model(step, full_check=True)
    parity = _proved(model, own)
    scores = _measured(request, session, model, files, on_progress)
    held_out = scores.by_precision.get(precision)
    if held_out is not None:
        check_cost(held_out, parity, precision)
    card = replace(
        own.card,
        about=songs.about,
        report=songs.report,
        suggested_temperature=songs.suggested_temperature,
        parity=parity,
        held_out=held_out,
        golden_song=write_golden_song(Model(own), songs.suggested_temperature),
    )
    step_seconds = median_step_seconds(files)
    size_bytes = {name: file.size_bytes for name, file in files.items()}
    size_bytes[precision] = _write(path, step, card)
    nodes, is_training = len(step.graph.node), session.is_training()
    return Exported(path, card, size_bytes, step_seconds, nodes, scores.remark, songs.remark, is_training)


@dataclass(frozen=True)
class KnownSongs:
    """What `python -m train.report` found out about a model's songs, and what its maker says of it."""

    about: str
    report: Report | None = None
    suggested_temperature: float = SUGGESTED_TEMPERATURE
    remark: str = ""
    """Why there is no report; '' if there is one."""


def songs_known(session: Session, files: Mapping[str, ModelFile], precision: str) -> KnownSongs:
    """Return what is known of the songs that a session's file of `precision` writes.

    The same weights in the other precision write other songs, but the same temperature suits them.

    Raises:
        SessionError: the report or about.txt is damaged.
    """
    about, known = session.load_about(), load_report(session.folder)
    if known is None:
        return KnownSongs(about, remark=f"not measured; python -m train.report --session {session.number}")
    measured = {file.card.tensors_sha256: precision for precision, file in files.items()}
    if known.tensors_sha256 not in measured:
        return KnownSongs(about, remark="the report is of other weights; make it again")
    if measured[known.tensors_sha256] != precision:
        remark = f"measured in {measured[known.tensors_sha256]}; the temperature is taken from there"
        return KnownSongs(about, suggested_temperature=known.suggested_temperature, remark=remark)
    figures = {part.name: getattr(known.check, part.name) for part in fields(Report) if part.name != "seed"}
    return KnownSongs(about, Report(seed=known.seed + 1, **figures), known.suggested_temperature)


def new_card(session: Session, precision: str) -> ModelCard:
    """Return what a model exported from `session` says about itself before anything is measured."""
    corpus, facts = session.corpus, session.facts
    return ModelCard(
        vocabulary=session.vocabulary,
        layers=session.config.model.layers,
        hidden_size=session.config.model.hidden_size,
        precision=precision,
        suggested_temperature=SUGGESTED_TEMPERATURE,
        title_line=facts.title_line,
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
    """Return a session's best weights in a network and, in float32, by name.

    Raises:
        SessionError: it has none yet, or they are damaged.
        LyricgenError: they do not fit its configuration, or are not finite.
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
    return model, weights


def _prepare(path: Path) -> None:
    """Find out before minutes of measuring that the file could not be written."""
    with writing_errors_named(path), suppress(FileExistsError):  # which is told better below
        path.parent.mkdir(parents=True, exist_ok=True)
    check_writable(path)


def _build(session: Session, weights: Weights) -> dict[str, onnx.ModelProto]:
    """Return the step in each precision.

    Raises:
        LyricgenError: it is too large for a file.
    """
    elements = sum(array.size for array in weights.values())
    if 4 * elements > MAX_FILE_BYTES:
        raise LyricgenError(
            f"{session.folder}: too large for a model file: {4 * elements / 1e9:.1f} GB in {FP32}, "
            f"at most {MAX_FILE_BYTES / 1e9:.1f} GB"
        )
    return {precision: build_step(weights, new_card(session, precision)) for precision in PRECISIONS}


def _measured(
    request: ExportRequest,
    session: Session,
    model: CharLSTM,
    files: dict[str, ModelFile],
    on_progress: OnProgress,
) -> HeldOutScores:
    if request.held_out_path is None:
        return score_own_songs(session, model, files, on_progress)
    reading = replace(session.config.corpus, **request.reading)
    return score_other_songs(request.held_out_path, reading, session, model, files, on_progress)


def _proved(model: CharLSTM, file: ModelFile) -> Parity:
    """Measure and check parity; round differences up, and the agreement down."""
    parity = measure_parity(model, file)
    check_parity(parity, file.card.precision)
    return Parity(
        steps=parity.steps,
        max_logit_difference=_rounded_up(parity.max_logit_difference),
        max_state_difference=_rounded_up(parity.max_state_difference),
        kl_divergence=_rounded_up(parity.kl_divergence),
        argmax_agreement=math.floor(parity.argmax_agreement * 1e4) / 1e4,
    )


def _rounded_up(difference: float) -> float:
    """Round up to two digits."""
    if difference <= 0:
        return 0.0
    digit = 10.0 ** (math.floor(math.log10(difference)) - 1)
    return float(f"{math.ceil(difference / digit) * digit:.1e}")


def _write(path: Path, step: onnx.ModelProto, card: ModelCard) -> int:
    """Write a proved step with its card, and return how many bytes it has."""
    set_card(step, card)  # the graph stays the one that was proved
    content = serialize(step)
    ModelFile(path, content)  # whoever opens it finds it good
    with writing_errors_named(path):
        write_atomically(path, content)
    return len(content)
