"""Bits per character of one session in PyTorch, in fp32 and in int8, on songs it was not trained on."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from export.verify import measure_bits_per_character
from lyricgen.engine.step_model import ModelFile
from lyricgen.errors import LyricgenError
from lyricgen.files import writing_errors_named
from lyricgen.model_file.card import HeldOut
from lyricgen.model_file.contract import FP32, INT8
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

    name: str
    encoded: EncodedSongs
    coverage: float
    """Share of their characters that the model knows; the others are left out."""
    remark: str
    """Which songs were left out and why, for a reader; '' if none."""


def score_own_songs(
    session: Session, precision: str, model: CharLSTM, files: Mapping[str, ModelFile], on_progress: OnProgress
) -> tuple[HeldOut | None, str]:
    """Score the songs that the session held out.

    The session keeps the scores. If it came without its songs, as the bundled model's does, the scores of
    the same graphs and weights are taken from there.

    Returns:
        What the card of the file of `precision` says, None if there are no scores; and a remark or ''.

    Raises:
        SessionError: its songs have changed since it began, or the scores that it keeps are damaged.
    """
    name, cards = f"{session.folder.name}, held out", [files[precision].card for precision in sorted(files)]
    # Nodes, constants and weights decide the scores.
    steps = "".join(repr(step_graph(card)) + card.tensors_sha256 for card in cards)
    digest = hashlib.sha256(steps.encode()).hexdigest()
    if not session.has_songs("held_out"):
        known = load_measured(session.folder, digest, name, precision)
        return known, "measured when the session had its songs, same weights" if known else ""
    scores = scores_of(session.songs("held_out"), 1.0, model, files, on_progress)
    with suppress(OSError):  # a read-only session can be measured again: it has its songs
        write_object(session.folder / MEASURED_NAME, {"steps_sha256": digest, **scores})
    return held_out_entry(name, precision, scores), ""


def load_measured(folder: Path, steps_sha256: str, songs: str, precision: str) -> HeldOut | None:
    """Return the scores on `songs` that a session's folder keeps; None if there are none of these steps.

    Raises:
        SessionError: the file is damaged.
    """
    if not (folder / MEASURED_NAME).is_file():
        return None
    with damage_named(folder, MEASURED_NAME, "remove it"):
        scores = read_object(folder / MEASURED_NAME)
        held_out = from_json(HeldOut, asdict(held_out_entry(songs, precision, scores)))
        is_theirs = scores["steps_sha256"] == steps_sha256
    return held_out if is_theirs else None


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
    new, known = np.ones(len(songs), np.bool_), "those of the training could not be looked for"
    if session.has_songs("training"):
        training = session.songs("training")
        bodies = training.bodies(words, titles=titles)
        new = ~versions_of(bodies, len(training), songs.bodies(), len(songs))
        known = counted(int((~new).sum()), "version", "of songs of the training")
    if hash_files(path) == session.corpus.sha256 or not new.any():
        raise LyricgenError(f"{path}: the session was trained on these songs; measure on others")
    with tempfile.TemporaryDirectory() as folder:
        with writing_errors_named(Path(folder)):
            save_songs(Path(folder), "others", songs.select(new), words)
        encoded = EncodedSongs.open(Path(folder), "others", words)
        left_out = ", ".join(filter(None, [facts.left_out, known]))
        remark = left_out and f"left out: {left_out}"
        yield OtherSongs(storable(path.resolve().name), encoded, facts.coverage, remark)


def scores_of(
    songs: EncodedSongs,
    coverage: float,
    model: CharLSTM,
    files: Mapping[str, ModelFile],
    on_progress: OnProgress,
) -> dict[str, Any]:
    """Return what a session keeps of its scores: of how many symbols, and each one's bits per character."""
    watch = partial(on_progress, "PyTorch", songs.symbols)
    bits = {"pytorch": held_out_bits_per_character(model, songs, watch)}
    for precision, file in files.items():
        watch = partial(on_progress, precision, songs.symbols)
        bits[precision] = measure_bits_per_character(file, songs, watch)
    rounded = {name: round(figure, 4) for name, figure in bits.items()}
    return {"symbols": songs.symbols, "coverage": round(coverage, 6), **rounded}


def held_out_entry(songs: str, precision: str, scores: Mapping[str, Any]) -> HeldOut:
    """Return what the card of the file of `precision` says of scores on songs of this name.

    Raises:
        KeyError: a score is missing.
    """
    return HeldOut(
        songs=songs,
        symbols=scores["symbols"],
        coverage=scores["coverage"],
        bits_per_character=scores[precision],
        pytorch_bits_per_character=scores["pytorch"],
        fp32_bits_per_character=scores[FP32],
        int8_bits_per_character=scores[INT8],
    )
