"""Bits per character of one session in PyTorch, in fp32 and in int8, on songs it was not trained on."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from export.verify import measure_bits_per_character
from lyricgen.engine.step_model import ModelFile
from lyricgen.errors import LyricgenError
from lyricgen.files import writing_errors_named
from lyricgen.model_file.card import HeldOut
from lyricgen.model_file.contract import FP32, INT8
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
"""Takes what is being measured, how many symbols were scored since the last call, and how many there are."""


@dataclass(frozen=True)
class HeldOutScores:
    """Bits per character of a model on songs that it was not trained on."""

    by_precision: Mapping[str, HeldOut]
    """Scores of the file in each precision; empty if there were no songs."""
    remark: str = ""
    """What a reader should know about them; '' if nothing."""


@dataclass(frozen=True)
class OtherSongs:
    """Songs that are not the session's own."""

    encoded: EncodedSongs
    coverage: float
    """Share of their characters that the model knows; the others are left out."""
    left_out: str
    """Songs that were left out, and why, for a reader; '' if none."""


def score_own_songs(
    session: Session, model: CharLSTM, files: dict[str, ModelFile], on_progress: OnProgress
) -> HeldOutScores:
    """Measure on the songs that the session held out.

    The figures are kept with the session beside a hash of the files' graphs and weights. A session that
    travels without its songs (the bundled model's, in the repository) so has the figures of exactly
    these.

    Raises:
        SessionError: its songs have changed since it began, or the figures kept are damaged.
    """
    digest = _hash_steps(files)
    songs_name = f"{session.folder.name}, held out"
    if session.has_songs("held_out"):
        measured = _measure(session.songs("held_out"), 1.0, model, files, on_progress)
        with suppress(OSError):  # a read-only session can be measured again: it has its songs
            session.save_measured(digest, measured)
        return HeldOutScores(_by_precision(songs_name, measured))
    known = session.load_measured(digest)
    if known is None:
        return HeldOutScores({})
    return HeldOutScores(
        _by_precision(songs_name, known), "measured when the session had its songs, same weights"
    )


def _hash_steps(files: Mapping[str, ModelFile]) -> str:
    """Return a hash of all that decides the figures of the files: nodes, constants, weights."""
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
    files: dict[str, ModelFile],
    on_progress: OnProgress,
) -> HeldOutScores:
    """Measure on the songs of a file or folder, without those that the session was trained on.

    Raises:
        CorpusError: the songs cannot be read.
        SessionError: the session's own songs have changed since it began.
        LyricgenError: the session was trained on all of them.
    """
    with other_songs(path, reading, session) as songs:
        measured = _measure(songs.encoded, songs.coverage, model, files, on_progress)
        name = storable(path.resolve().name)
        return HeldOutScores(_by_precision(name, measured), songs.left_out and f"left out: {songs.left_out}")


@contextmanager
def other_songs(path: Path, reading: CorpusConfig, session: Session) -> Iterator[OtherSongs]:
    """Read songs for as long as they are in use, without versions of those that the session was trained on.

    Raises:
        CorpusError: they cannot be read.
        SessionError: the session's own songs have changed since it began.
        LyricgenError: the session was trained on all of them.
        OSError: the system's folder for temporary files cannot be written.
    """
    songs, facts = load_all(path, reading, session.vocabulary, title_line=session.facts.title_line)
    if hash_files(path) == session.corpus.sha256:
        raise _nothing_new(path)
    new, remark = np.ones(len(songs), np.bool_), "those of the training could not be looked for"
    if session.has_songs("training"):
        new = ~_trained_on(songs, session)
        remark = counted(int((~new).sum()), "version", "of songs of the training")
    if not new.any():
        raise _nothing_new(path)
    with tempfile.TemporaryDirectory() as folder:
        with writing_errors_named(Path(folder)):
            save_songs(Path(folder), "others", songs.select(new), session.vocabulary)
        encoded = EncodedSongs.open(Path(folder), "others", session.vocabulary)
        left_out = ", ".join(filter(None, [facts.left_out, remark]))
        yield OtherSongs(encoded, facts.coverage, left_out)


def _nothing_new(path: Path) -> LyricgenError:
    return LyricgenError(f"{path}: the session was trained on these songs; measure on others")


def _trained_on(songs: Songs, session: Session) -> npt.NDArray[np.bool_]:
    """Tell of each song whether the session was trained on a version of it, as its own split does."""
    training = session.songs("training")
    bodies = training.bodies(session.vocabulary, titles=session.facts.title_line)
    return versions_of(bodies, len(training), songs.bodies(), len(songs))


def _measure(
    songs: EncodedSongs,
    coverage: float,
    model: CharLSTM,
    files: dict[str, ModelFile],
    on_progress: OnProgress,
) -> Measured:
    def callback(name: str) -> Callable[[int], None]:
        return lambda symbols: on_progress(name, symbols, songs.symbols)

    bits = {"PyTorch": held_out_bits_per_character(model, songs, callback("PyTorch"))}
    for precision, file in files.items():
        bits[precision] = measure_bits_per_character(file, songs, callback(precision))
    rounded = (round(bits[name], 4) for name in ("PyTorch", FP32, INT8))
    return Measured(songs.symbols, round(coverage, 6), *rounded)


def _by_precision(songs: str, measured: Measured) -> dict[str, HeldOut]:
    bits = {FP32: measured.fp32, INT8: measured.int8}
    return {
        precision: HeldOut(
            songs=songs,
            symbols=measured.symbols,
            coverage=measured.coverage,
            bits_per_character=own,
            pytorch_bits_per_character=measured.pytorch,
            fp32_bits_per_character=measured.fp32,
            int8_bits_per_character=measured.int8,
        )
        for precision, own in bits.items()
    }
