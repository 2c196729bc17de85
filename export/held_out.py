"""Bits per character of one session in PyTorch, in fp32 and in int8, on songs it was not trained on."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from export.step import Weights
from export.verify import measure_bits_per_character
from lyricgen.card import HeldOut
from lyricgen.contract import FP32, INT8
from lyricgen.step_model import ModelFile
from train.batches import EncodedSongs, write_songs
from train.corpus import Given, load_all
from train.evaluation import held_out_bits_per_character
from train.model import CharLSTM
from train.session import Measured, Session

Advanced = Callable[[str, int, int], None]
"""Told what is being measured, how many symbols were scored since it was last told, and of how many."""


@dataclass(frozen=True)
class OtherSongs:
    """Songs that are not the session's own."""

    encoded: EncodedSongs
    coverage: float
    """Share of their characters that the model knows; others are left out."""


def figures_on_own_songs(
    session: Session, model: CharLSTM, weights: Weights, files: dict[str, ModelFile], advanced: Advanced
) -> dict[str, HeldOut]:
    """Measure on the songs that the session held out; return the figures of each precision's file.

    They are kept with the session beside a hash of the weights. A session that travels without its
    songs (the bundled model's, in the repository) so has the figures of exactly these weights; if it
    has not, nothing is returned.
    """
    digest = hashlib.sha256(b"".join(weights[name].tobytes() for name in sorted(weights))).hexdigest()
    if session.has_songs("held_out"):
        measured = _measure(session.songs("held_out"), model, files, advanced)
        with suppress(OSError):  # a read-only session can be measured again: it has its songs
            session.save_measured(digest, measured)
    else:
        known = session.load_measured(digest)
        if known is None:
            return {}
        measured = known
    return _by_precision(f"{session.folder.name}, held out", measured)


def figures_on_other_songs(
    path: Path, session: Session, model: CharLSTM, files: dict[str, ModelFile], advanced: Advanced
) -> tuple[dict[str, HeldOut], float]:
    """Measure on all songs of a file or folder.

    Returns:
        The figures of each precision's file, and the share of the songs' characters that the model
        knows; others are left out.

    Raises:
        CorpusError: the songs cannot be read.
    """
    with other_songs(path, session) as songs:
        return _by_precision(path.name, _measure(songs.encoded, model, files, advanced)), songs.coverage


@contextmanager
def other_songs(path: Path, session: Session) -> Iterator[OtherSongs]:
    """Read songs as the session reads its own, for as long as they are in use.

    Raises:
        CorpusError: they cannot be read.
    """
    given = Given(session.vocabulary, session.facts.title_line)
    songs, coverage = load_all(path, session.config.corpus, given)
    with tempfile.TemporaryDirectory() as folder:
        write_songs(Path(folder), "held_out", songs, session.vocabulary)
        yield OtherSongs(EncodedSongs.open(Path(folder), "held_out", session.vocabulary.eos), coverage)


def _measure(
    songs: EncodedSongs, model: CharLSTM, files: dict[str, ModelFile], advanced: Advanced
) -> Measured:
    def told(name: str) -> Callable[[int], None]:
        return lambda symbols: advanced(name, symbols, songs.symbols)

    bits = {"PyTorch": held_out_bits_per_character(model, songs, told("PyTorch"))}
    for precision, file in files.items():
        bits[precision] = measure_bits_per_character(file, songs, told(precision))
    return Measured(songs.symbols, *(round(bits[name], 4) for name in ("PyTorch", FP32, INT8)))


def _by_precision(songs: str, measured: Measured) -> dict[str, HeldOut]:
    bits = {FP32: measured.fp32, INT8: measured.int8}
    return {
        precision: HeldOut(songs, measured.symbols, own, measured.fp32, measured.pytorch)
        for precision, own in bits.items()
    }
