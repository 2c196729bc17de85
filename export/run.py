"""From a session to a file: build, prove, measure, and only then give it its name."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

import lyricgen
from export.held_out import Advanced, figures_on_other_songs, figures_on_own_songs
from export.step import Weights, build_step, describe, serialize
from export.verify import check_cost, check_parity, measure_parity
from lyricgen.card import GoldenSong, ModelCard, Parity, Provenance
from lyricgen.contract import INT8, PRECISIONS
from lyricgen.errors import LyricgenError
from lyricgen.files import write_atomically, writing_errors_named
from lyricgen.generator import Model
from lyricgen.golden import write_golden_song
from lyricgen.step_model import ModelFile, StepModel
from train.evaluation import unwatched
from train.model import CharLSTM
from train.session import CHECKPOINTS_FOLDER, Session

EXPORTED_FOLDER = Path("exported_models")
SUGGESTED_TEMPERATURE = 0.75
_NO_PARITY = Parity(0, 0.0, 0.0, 0.0, 0.0)
_NO_SONG = GoldenSong(0, 0.0, 1, 0, "")
_TIMED_STEPS = 300
_TIMED_ROUNDS = 9


@dataclass(frozen=True)
class Order:
    """What to export, and how."""

    session: int
    """Its number."""
    precision: str = INT8
    held_out_path: Path | None = None
    """Songs to measure on; None: those that the session held out."""
    folder: Path = EXPORTED_FOLDER
    """Where the file goes."""
    checkpoints: Path = CHECKPOINTS_FOLDER
    """Where the session is."""


@dataclass(frozen=True)
class Exported:
    """A file that was written, and what is worth telling besides its card."""

    path: Path
    card: ModelCard
    """What the file says about itself."""
    size_bytes: dict[str, int]
    """Of the file in each precision."""
    step_seconds: dict[str, float]
    """One song's step in each precision, here and now."""
    nodes: int
    """In the graph."""
    coverage: float
    """Share of the characters measured on that the model knows."""
    is_training: bool
    """Whether the session is still being trained: there may be better weights later."""


def export_session(order: Order, advanced: Advanced = unwatched) -> Exported:
    """Export the best weights of a session.

    Both precisions are built, proved and measured; one of them is written.

    Args:
        order: what to export, and how.
        advanced: told how the measuring goes on.

    Raises:
        SessionError: no such session, or it has no weights yet.
        ProofError: the file would compute something else than the session's model.
        CorpusError: the songs to measure on cannot be read.
        LyricgenError: the file cannot be written.
    """
    session = Session.open(order.checkpoints, order.session)
    path = order.folder / file_name(session, order.precision)
    model, weights = trained(session)
    with writing_errors_named(path):  # before minutes of measuring
        path.parent.mkdir(parents=True, exist_ok=True)
    steps = {precision: build_step(weights, new_card(session, precision)) for precision in PRECISIONS}
    for step in steps.values():
        onnx.checker.check_model(step, full_check=True)
    files = {precision: ModelFile(path, serialize(step)) for precision, step in steps.items()}
    parity = {precision: _proved(model, file) for precision, file in files.items()}
    coverage = 1.0
    if order.held_out_path is None:
        held_out = figures_on_own_songs(session, model, weights, files, advanced)
    else:
        held_out, coverage = figures_on_other_songs(order.held_out_path, session, model, files, advanced)
    for precision, figures in held_out.items():
        check_cost(figures, precision)
    own = files[order.precision]
    card = replace(
        own.card,
        parity=parity[order.precision],
        held_out=held_out.get(order.precision),
        golden_song=write_golden_song(Model(own)),
    )
    step = steps[order.precision]
    size_bytes = {precision: file.size_bytes for precision, file in files.items()}
    size_bytes[order.precision] = _write(path, step, card)
    nodes = len(step.graph.node)
    return Exported(path, card, size_bytes, _time(files), nodes, coverage, session.is_training())


def file_name(session: Session, precision: str) -> str:
    """Return the name of a session's file; that of the usual precision goes without saying."""
    return f"{session.folder.name}.onnx" if precision == INT8 else f"{session.folder.name}_{precision}.onnx"


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
        parity=_NO_PARITY,
        golden_song=_NO_SONG,
    )


def trained(session: Session) -> tuple[CharLSTM, Weights]:
    """Return a session's best weights in a network and by name."""
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


def _proved(model: CharLSTM, file: ModelFile) -> Parity:
    """Measure and check parity; round differences up, and the agreement down."""
    parity = measure_parity(model, file)
    check_parity(parity, file.card.precision)
    return Parity(
        steps=parity.steps,
        logits=_rounded_up(parity.logits),
        state=_rounded_up(parity.state),
        divergence=_rounded_up(parity.divergence),
        same_argmax=math.floor(parity.same_argmax * 1e4) / 1e4,
    )


def _rounded_up(difference: float) -> float:
    """Round up to two digits: further ones vary with the CPU."""
    if difference <= 0:
        return 0.0
    digit = 10.0 ** (math.floor(math.log10(difference)) - 1)
    return float(f"{math.ceil(difference / digit) * digit:.1e}")


def _time(files: dict[str, ModelFile]) -> dict[str, float]:
    """Return the median seconds of a step, all files measured in turn."""
    models = {precision: StepModel(file) for precision, file in files.items()}
    seconds: dict[str, list[float]] = {precision: [] for precision in models}
    for _ in range(_TIMED_ROUNDS):
        for precision, model in models.items():
            start = time.perf_counter()
            for _ in range(_TIMED_STEPS):
                model.step()
            seconds[precision].append((time.perf_counter() - start) / _TIMED_STEPS)
    return {precision: float(np.median(measured)) for precision, measured in seconds.items()}


def _write(path: Path, step: onnx.ModelProto, card: ModelCard) -> int:
    """Write a proved step with its card, and return how many bytes it has."""
    describe(step, card)  # the graph stays the one that was proved
    content = serialize(step)
    ModelFile(path, content)  # whoever opens it finds it good
    with writing_errors_named(path):
        write_atomically(path, content)
    return len(content)
