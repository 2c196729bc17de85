"""Bits per character of one session in PyTorch, in fp32 and in int8, on songs it was not trained on."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from export.verify import measure_bits_per_character
from lyricgen.engine.step_model import ModelFile
from lyricgen.errors import LyricgenError
from lyricgen.files import writing_errors_named
from lyricgen.model_file.card import HeldOut
from lyricgen.model_file.contract import FP32, PRECISIONS
from lyricgen.model_file.step_graph import step_graph
from lyricgen.schema import from_json
from train.config import CorpusConfig
from train.corpus.duplicates import versions_of
from train.corpus.encoded import EncodedSongs, save_songs
from train.corpus.facts import counted
from train.corpus.load import load_all, storable
from train.corpus.reading import hash_files
from train.evaluation import held_out_bits_per_character
from train.model import CharLSTM
from train.session import Session
from train.session_folders import damage_named, read_object, write_object

OnProgress = Callable[[str, int, int], None]
"""Takes what is being scored, how many symbols there are, and how many were scored since the last call."""
MEASURED_NAME = "held_out.json"
"""File of a session: the scores on its own held-out songs, and a hash of the steps that scored them."""


@dataclass(frozen=True)
class OtherSongs:
    """Songs that are not the session's own."""

    encoded: EncodedSongs
    coverage: float
    """Share of their characters that the model knows; the others are left out."""
    left_out: str
    """Which songs were left out and why, for a reader; '' if none."""


def score_own_songs(
    session: Session, model: CharLSTM, files: Mapping[str, ModelFile], on_progress: OnProgress
) -> tuple[HeldOut | None, str]:
    """Score the songs that the session held out.

    The session keeps the scores. If it came without its songs, as the bundled model's does, the scores of
    the same graphs and weights are taken from there.

    Returns:
        The scores for the card of the file in fp32, None if there are none, and a remark on them or ''.

    Raises:
        SessionError: its songs have changed since it began, or the scores that it keeps are damaged.
    """
    digest, name = _hash_steps(files), f"{session.folder.name}, held out"
    if not session.has_songs("held_out"):
        known = load_measured(session.folder, digest, name)
        return known, "measured when the session had its songs, same weights" if known else ""
    scores = _score(session.songs("held_out"), 1.0, model, files, on_progress)
    with suppress(OSError):  # a read-only session can be measured again: it has its songs
        write_object(session.folder / MEASURED_NAME, {"steps_sha256": digest, **scores})
    return HeldOut(**_entry(name, scores)), ""


def load_measured(folder: Path, steps_sha256: str, songs: str) -> HeldOut | None:
    """Return the scores on `songs` that a session's folder keeps; None if there are none of these steps.

    Raises:
        SessionError: the file is damaged.
    """
    if not (folder / MEASURED_NAME).is_file():
        return None
    with damage_named(folder, MEASURED_NAME, "remove it"):
        scores = read_object(folder / MEASURED_NAME)
        held_out = from_json(HeldOut, _entry(songs, scores))
        is_theirs = scores["steps_sha256"] == steps_sha256
    return held_out if is_theirs else None


def _hash_steps(files: Mapping[str, ModelFile]) -> str:
    """Return a hash of everything that decides the scores of the files: nodes, constants, weights."""
    digest = hashlib.sha256()
    for _, file in sorted(files.items()):
        digest.update(repr(step_graph(file.card)).encode())
        digest.update(file.card.tensors_sha256.encode())
    return digest.hexdigest()


def score_other_songs(
    path: Path,
    reading: CorpusConfig,
    session: Session,
    model: CharLSTM,
    files: Mapping[str, ModelFile],
    on_progress: OnProgress,
) -> tuple[HeldOut, str]:
    """Score the songs of a file or folder, without those that the session was trained on.

    Returns and raises what `score_own_songs` and `other_songs` do.
    """
    with other_songs(path, reading, session) as songs:
        scores = _score(songs.encoded, songs.coverage, model, files, on_progress)
        held_out = HeldOut(**_entry(storable(path.resolve().name), scores))
        return held_out, songs.left_out and f"left out: {songs.left_out}"


@contextmanager
def other_songs(path: Path, reading: CorpusConfig, session: Session) -> Iterator[OtherSongs]:
    """Read songs, without versions of those that the session was trained on; they can be used inside `with`.

    Raises:
        CorpusError: they cannot be read.
        SessionError: the session's own songs have changed since it began.
        LyricgenError: the session was trained on all of them.
        OSError: the system's folder for temporary files cannot be written.
    """
    titles, words = session.facts.title_line, session.vocabulary
    songs, facts = load_all(path, reading, words, title_line=titles)
    new, remark = np.ones(len(songs), np.bool_), "those of the training could not be looked for"
    if session.has_songs("training"):
        training = session.songs("training")
        bodies = training.bodies(words, titles=titles)
        new = ~versions_of(bodies, len(training), songs.bodies(), len(songs))
        remark = counted(int((~new).sum()), "version", "of songs of the training")
    if hash_files(path) == session.corpus.sha256 or not new.any():
        raise LyricgenError(f"{path}: the session was trained on these songs; measure on others")
    with tempfile.TemporaryDirectory() as folder:
        with writing_errors_named(Path(folder)):
            save_songs(Path(folder), "others", songs.select(new), words)
        encoded = EncodedSongs.open(Path(folder), "others", words)
        yield OtherSongs(encoded, facts.coverage, ", ".join(filter(None, [facts.left_out, remark])))


def _score(
    songs: EncodedSongs,
    coverage: float,
    model: CharLSTM,
    files: Mapping[str, ModelFile],
    on_progress: OnProgress,
) -> dict[str, Any]:
    """Return what the session keeps of a scoring: the size, and the bits per character of each."""
    bits = {
        "pytorch": held_out_bits_per_character(model, songs, partial(on_progress, "PyTorch", songs.symbols))
    }
    for precision, file in files.items():
        bits[precision] = measure_bits_per_character(
            file, songs, partial(on_progress, precision, songs.symbols)
        )
    rounded = {name: round(figure, 4) for name, figure in bits.items()}
    return {"symbols": songs.symbols, "coverage": round(coverage, 6), **rounded}


def _entry(songs: str, scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of HeldOut for the file in fp32.

    Raises:
        KeyError: a score is missing.
    """
    bits = {f"{name}_bits_per_character": scores[name] for name in ("pytorch", *PRECISIONS)}
    size = {name: scores[name] for name in ("symbols", "coverage")}
    return {"songs": songs, **size, "bits_per_character": scores[FP32], **bits}
