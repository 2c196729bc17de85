"""From a session to a file: build, prove, measure, and only then give it its name."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import lyricgen
from export.step import Weights, build_step, describe, serialize
from export.verify import measure_bits_per_character, measure_parity
from lyricgen.contract import ModelCard, Provenance, Quality
from lyricgen.errors import LyricgenError
from lyricgen.files import write_atomically, writing_errors_named
from lyricgen.step_model import ModelFile
from train.session import CHECKPOINTS_FOLDER, Session

SUGGESTED_TEMPERATURE = 0.75
_UNPROVED = Quality(None, 0, 0.0, 0.0, 0)


@dataclass(frozen=True)
class Exported:
    """A file that was written."""

    path: Path
    size_bytes: int
    card: ModelCard
    """What the file says about itself."""


def export_session(number: int, folder: Path, checkpoints: Path = CHECKPOINTS_FOLDER) -> Exported:
    """Export the best weights of a session to `folder`/session_`number`.onnx.

    Raises:
        SessionError: no such session, or it has no weights yet.
        ParityError: the file would compute something else than the session's model.
        LyricgenError: `folder` cannot be written.
    """
    session = Session.open(checkpoints, number)
    best = session.load_best()
    model = session.new_model()
    try:
        model.load_state_dict(best.weights)
    except RuntimeError as error:
        raise LyricgenError(f"{session.folder}: its weights do not fit its config.json") from error
    weights = {name: tensor.float().numpy() for name, tensor in best.weights.items()}
    card = card_of(session, _UNPROVED)
    step = build_step(weights, card)
    path = folder / f"{session.folder.name}.onnx"
    with _opened(path, serialize(step)) as file:
        parity = measure_parity(model, file)
        bits, symbols = _held_out_quality(session, file, weights)
    quality = Quality(bits, symbols, _rounded_up(parity.logits), _rounded_up(parity.state), parity.steps)
    card = replace(card, quality=quality)
    describe(step, card)  # the graph stays the one that was proved
    content = serialize(step)
    with writing_errors_named(path):
        write_atomically(path, content)
    return Exported(path, len(content), card)


def card_of(session: Session, quality: Quality) -> ModelCard:
    """Return what a model exported from `session` says about itself."""
    corpus, facts = session.corpus, session.facts
    return ModelCard(
        vocabulary=session.vocabulary,
        layers=session.config.model.layers,
        hidden_size=session.config.model.hidden_size,
        precision="fp32",
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
        quality=quality,
    )


@contextmanager
def _opened(path: Path, content: bytes) -> Iterator[ModelFile]:
    """Open `content` as the runtime opens a file, under a name that nobody takes for a finished one."""
    unproved_path = path.with_name(f"{path.name}.{os.getpid()}.unproved")
    with writing_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with writing_errors_named(path):
            unproved_path.write_bytes(content)
        yield ModelFile(unproved_path)
    finally:
        unproved_path.unlink(missing_ok=True)


def _held_out_quality(session: Session, file: ModelFile, weights: Weights) -> tuple[float | None, int]:
    """Measure bits per character, and keep the figure with the session beside a hash of the weights.

    A session that travels without its songs (the bundled model's, in the repository) so keeps the
    figure of exactly these weights.
    """
    digest = hashlib.sha256(b"".join(weights[name].tobytes() for name in sorted(weights))).hexdigest()
    if not session.has_songs("held_out"):
        return session.measured_quality(digest)
    songs = session.songs("held_out")
    bits = round(measure_bits_per_character(file, songs), 4)
    with suppress(OSError):  # a read-only session can be measured again: it has its songs
        session.save_measured_quality(digest, bits, songs.symbols)
    return bits, songs.symbols


def _rounded_up(difference: float) -> float:
    """Round up to one digit: the others vary with the CPU."""
    digit = 10.0 ** math.floor(math.log10(difference)) if difference else 1.0
    return float(f"{math.ceil(difference / digit) * digit:.0e}")
