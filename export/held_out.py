"""Bits per character of one session in PyTorch, in fp32 and in int8, on songs it was not trained on."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from export.verify import measure_bits_per_character
from lyricgen.engine.step_model import ModelFile
from lyricgen.errors import LyricgenError
from lyricgen.files import writing_errors_named
from lyricgen.model_file.card import HeldOut
from lyricgen.model_file.step_graph import step_graph
from train.config import CorpusConfig
from train.corpus.duplicates import versions_of
from train.corpus.encoded import EncodedSongs, save_songs
from train.corpus.facts import counted
from train.corpus.load import load_all, storable
from train.corpus.reading import hash_files
from train.corpus.scratch import Songs
from train.evaluation import held_out_bits_per_character
from train.model import CharLSTM
from train.session import Measured, Session

OnProgress = Callable[[str, int, int], None]
"""Takes what is being scored, how many symbols were scored since the last call, and how many there are."""


@dataclass(frozen=True)
class HeldOutScores:
    """What the trained model and its files of both precisions scored."""

    songs: str
    """Name of the songs, for a reader."""
    measured: Measured | None
    """None if there were no songs to score."""
    remark: str = ""
    """What a reader should know about the scores; '' if nothing."""

    def of_file(self, precision: str) -> HeldOut | None:
        """Return the entry for the card of the file of `precision`."""
        scores = self.measured
        if scores is None:
            return None
        return HeldOut(
            songs=self.songs,
            symbols=scores.symbols,
            coverage=scores.coverage,
            bits_per_character=getattr(scores, precision),
            pytorch_bits_per_character=scores.pytorch,
            fp32_bits_per_character=scores.fp32,
            int8_bits_per_character=scores.int8,
        )


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
) -> HeldOutScores:
    """Score the songs that the session held out.

    The session keeps the scores together with a hash of the files' graphs and weights. So a session that
    travels without its songs, such as the bundled model's, still has the scores of exactly these weights.

    Raises:
        SessionError: its songs have changed since it began, or the scores that it keeps are damaged.
    """
    digest, name = _hash_steps(files), f"{session.folder.name}, held out"
    if not session.has_songs("held_out"):
        known = session.load_measured(digest)
        remark = "" if known is None else "measured when the session had its songs, same weights"
        return HeldOutScores(name, known, remark)
    measured = _score(session.songs("held_out"), 1.0, model, files, on_progress)
    with suppress(OSError):  # a read-only session can be measured again: it has its songs
        session.save_measured(digest, measured)
    return HeldOutScores(name, measured)


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
) -> HeldOutScores:
    """Score the songs of a file or folder, without those that the session was trained on.

    Raises:
        CorpusError: the songs cannot be read.
        SessionError: the session's own songs have changed since it began.
        LyricgenError: the session was trained on all of them.
    """
    with other_songs(path, reading, session) as songs:
        measured = _score(songs.encoded, songs.coverage, model, files, on_progress)
        remark = songs.left_out and f"left out: {songs.left_out}"
        return HeldOutScores(storable(path.resolve().name), measured, remark)


@contextmanager
def other_songs(path: Path, reading: CorpusConfig, session: Session) -> Iterator[OtherSongs]:
    """Read songs, without versions of those that the session was trained on; they can be used inside `with`.

    Raises:
        CorpusError: they cannot be read.
        SessionError: the session's own songs have changed since it began.
        LyricgenError: the session was trained on all of them.
        OSError: the system's folder for temporary files cannot be written.
    """
    songs, facts = load_all(path, reading, session.vocabulary, title_line=session.facts.title_line)
    new, remark = np.ones(len(songs), np.bool_), "those of the training could not be looked for"
    if session.has_songs("training"):
        new = ~_trained_on(songs, session)
        remark = counted(int((~new).sum()), "version", "of songs of the training")
    if hash_files(path) == session.corpus.sha256 or not new.any():
        raise LyricgenError(f"{path}: the session was trained on these songs; measure on others")
    with tempfile.TemporaryDirectory() as folder:
        with writing_errors_named(Path(folder)):
            save_songs(Path(folder), "others", songs.select(new), session.vocabulary)
        encoded = EncodedSongs.open(Path(folder), "others", session.vocabulary)
        left_out = ", ".join(filter(None, [facts.left_out, remark]))
        yield OtherSongs(encoded, facts.coverage, left_out)


def _trained_on(songs: Songs, session: Session) -> npt.NDArray[np.bool_]:
    """Tell for each song whether the session was trained on a version of it, by the rule of its own split."""
    training = session.songs("training")
    bodies = training.bodies(session.vocabulary, titles=session.facts.title_line)
    return versions_of(bodies, len(training), songs.bodies(), len(songs))


def _score(
    songs: EncodedSongs,
    coverage: float,
    model: CharLSTM,
    files: Mapping[str, ModelFile],
    on_progress: OnProgress,
) -> Measured:
    def advance(name: str, symbols: int) -> None:
        on_progress(name, symbols, songs.symbols)

    pytorch = held_out_bits_per_character(model, songs, partial(advance, "PyTorch"))
    bits = {
        precision: round(measure_bits_per_character(file, songs, partial(advance, precision)), 4)
        for precision, file in files.items()
    }
    return Measured(songs.symbols, round(coverage, 6), round(pytorch, 4), **bits)
