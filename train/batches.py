"""Encoded songs, and the rows of slots that read them segment by segment.

Truncated back-propagation: each of B slots reads one song in segments of T characters and carries its
state from one segment to the next; when the song ends, the slot starts another from zero state at the
next segment. Only the rest of a song's last segment is padding.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lyricgen.contract import AFTER_TITLE
from lyricgen.vocabulary import SOS, Vocabulary
from train.opening import update_with_file
from train.songs import CorpusSong

if TYPE_CHECKING:
    from train.auxiliary import AuxiliaryTasks

_CHECKED_AT_ONCE = 2**22
IGNORED = -100
"""Target of a position that nobody is asked to predict (padding, a style token): cross entropy skips it."""

IntArray = npt.NDArray[np.int64]
_CODE_POINTS = 0x110000
_PADDED_POSITIONS = 2**22
"""Most positions that one padded batch may have, so that a song of megabytes does not fill the memory."""


@dataclass(frozen=True)
class EncodedSongs:
    """Songs as token ids, one after the other, each ended by EOS; SOS is implied."""

    tokens: npt.NDArray[np.unsignedinteger]
    """(N,) token ids of all songs. May be a memory map."""
    starts: IntArray
    """(songs + 1,) where each song starts in `tokens`, and their end."""
    styles: IntArray
    """(songs,) token id of each song's style, 0 for none."""
    eos: int
    """Token id of EOS; subtracted from a token id it gives the output unit."""

    @classmethod
    def open(cls, folder: Path, part: str, vocabulary: Vocabulary) -> EncodedSongs:
        """Open what `write_songs` wrote; the tokens stay in the file and are mapped into memory.

        Raises:
            OSError, ValueError, EOFError: files are missing, or are not those of songs in `vocabulary`.
        """
        paths = song_paths(folder, part)
        tokens = np.load(paths[0], mmap_mode="r", allow_pickle=False)
        starts, styles = (np.load(path, mmap_mode="r", allow_pickle=False) for path in paths[1:])
        for array, kinds in ((tokens, "u"), (starts, "i"), (styles, "iu")):
            if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in kinds:
                raise ValueError("not arrays of songs")
        songs = cls(tokens, np.array(starts, np.int64), np.array(styles, np.int64), vocabulary.eos)
        songs._check(vocabulary)
        return songs

    def _check(self, vocabulary: Vocabulary) -> None:
        """Make sure of what reading takes for granted.

        Raises:
            ValueError: songs are empty or do not lie one behind the other, or ids mean nothing.
        """
        starts, styles, eos = self.starts, self.styles, vocabulary.eos
        if len(starts) < 2 or starts[0] != 0 or not starts[-1] == starts.max() == len(self.tokens):
            raise ValueError("songs must fill their file")
        if (np.diff(starts) < 1).any():
            raise ValueError("songs must lie one behind the other")
        if len(styles) != len(self) or styles.min() < 0 or styles.max() >= eos:
            raise ValueError("every song must have a style that there is, or none")
        ends = 0
        for first in range(0, len(self.tokens), _CHECKED_AT_ONCE):
            piece = self.tokens[first : first + _CHECKED_AT_ONCE]
            if piece.min() < eos or piece.max() >= vocabulary.input_size:
                raise ValueError("a token id that means nothing")
            ends += int((piece == eos).sum())
        if ends != len(self) or (self.tokens[starts[1:] - 1] != eos).any():
            raise ValueError("each song must end once, at its end")

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def symbols(self) -> int:
        """How many symbols a model predicts in these songs: their characters and their ends."""
        return int(self.starts[-1])

    def lengths(self) -> IntArray:
        """Return the symbols in each song, its EOS included: (songs,)."""
        return np.diff(self.starts)

    def tokens_of(self, song: int) -> npt.NDArray[np.unsignedinteger]:
        """Return the token ids of a song, EOS included: (n,), not a copy."""
        return self.tokens[self.starts[song] : self.starts[song + 1]]

    def bodies(self, vocabulary: Vocabulary, *, titles: bool) -> Iterator[str]:
        """Yield the songs' texts one by one, without the title lines that songs have if `titles`.

        The files do not tell titles from lyrics: of a song without one, a first line that an empty one
        follows is taken for it.
        """
        for song in range(len(self)):
            text = vocabulary.decode(self.tokens_of(song)[:-1].tolist())
            title, after_title, body = text.partition(AFTER_TITLE)
            yield body if titles and after_title and "\n" not in title else text

    def piece(self, song: int, offset: int, length: int, style: int = 0) -> tuple[IntArray, IntArray]:
        """Return up to `length` inputs and targets of a song from position `offset` on, (n,) int64 each.

        Inputs are token ids: SOS, then `style` unless it is 0, then characters. Targets are output units
        (the last is EOS's, 0); after SOS a style is not to be predicted, but given.
        """
        start, end = int(self.starts[song]), int(self.starts[song + 1])
        shift = 1 if style else 0
        stop = min(start + offset + length - shift, end)
        before = start + offset - shift - 1  # the token just before the first target
        if before >= start:
            tokens = self.tokens[before:stop].astype(np.int64)
            return tokens[:-1], tokens[1:] - self.eos
        head = [SOS, style][offset : 1 + shift]
        tokens = np.concatenate([head, self.tokens[start:stop]]).astype(np.int64)
        targets = tokens[1:] - self.eos
        targets[: len(head) - 1] = IGNORED
        return tokens[:-1], targets


def song_paths(folder: Path, part: str) -> tuple[Path, Path, Path]:
    """Return the files of a part ("training" or "held_out"): tokens, starts, styles."""
    return folder / f"{part}.npy", folder / f"{part}_starts.npy", folder / f"{part}_styles.npy"


def write_songs(folder: Path, part: str, songs: Sequence[CorpusSong], vocabulary: Vocabulary) -> None:
    """Encode `songs` into files, one song at a time: a large corpus needs little memory.

    Raises:
        OSError: `folder` cannot be written.
        UnknownCharacterError: a text has a character that the vocabulary lacks.
    """
    encoder = _Encoder(vocabulary)
    style_ids = {style: token for token, style in enumerate(vocabulary.styles, SOS + 1)}
    measured = (n for song in songs for n in (len(song.text) + 1, style_ids.get(song.style, 0)))
    lengths, styles = np.fromiter(measured, np.int64, 2 * len(songs)).reshape(-1, 2).T
    starts = np.concatenate([[0], np.cumsum(lengths)])
    tokens_path, starts_path, styles_path = song_paths(folder, part)
    with tokens_path.open("wb") as file:
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(encoder.dtype)),
            "fortran_order": False,
            "shape": (int(starts[-1]),),
        }
        np.lib.format.write_array_header_1_0(file, header)
        for tokens in encoder.encode(songs):
            file.write(tokens.tobytes())
    np.save(starts_path, starts)
    np.save(styles_path, np.ascontiguousarray(styles))


def hash_songs(folder: Path, part: str) -> str:
    """Return the sha256 over the files of a part, in hexadecimal digits; they are read piece by piece.

    Raises:
        OSError: they cannot be read.
    """
    digest = hashlib.sha256()
    for path in song_paths(folder, part):
        update_with_file(digest, path)
    return digest.hexdigest()


class _Encoder:
    """Turns texts into token ids by looking code points up in one table."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.dtype: type[np.unsignedinteger[Any]] = np.uint32
        if vocabulary.input_size <= 2**8:
            self.dtype = np.uint8
        elif vocabulary.input_size <= 2**16:
            self.dtype = np.uint16
        self.vocabulary = vocabulary
        self._id_of = np.zeros(_CODE_POINTS, self.dtype)
        first = vocabulary.eos + 1
        codes = [ord(character) for character in vocabulary.characters]
        self._id_of[codes] = np.arange(first, first + len(codes))

    def encode(self, songs: Sequence[CorpusSong]) -> Iterator[npt.NDArray[np.unsignedinteger[Any]]]:
        """Yield each song's token ids with EOS behind them.

        Raises:
            UnknownCharacterError: a text has a character that the vocabulary lacks.
        """
        end = np.array([self.vocabulary.eos], self.dtype)
        for song in songs:
            codes = np.frombuffer(song.text.encode("utf-32-le"), np.uint32)
            tokens = np.concatenate([self._id_of[codes], end])
            if not tokens.all():  # 0 is SOS: no character of a text
                self.vocabulary.encode(song.text)  # names the characters
            yield tokens


@dataclass(frozen=True)
class Segment:
    """One step's worth of slots: of all B, or of those that one process trains on."""

    inputs: IntArray
    """(T, B) token ids."""
    targets: IntArray
    """(T, B) output units, `IGNORED` where there is nothing to predict."""
    fresh: npt.NDArray[np.bool_]
    """(B,) True where the slot starts a new song and so needs zero state."""
    symbols: int
    """How many targets are real, over all slots, also those of other processes."""
    answers: IntArray | None = None
    """(T, B, questions) of the auxiliary tasks, if there are any; `IGNORED` where there is none."""


class SongSlots:
    """Cuts shuffled songs into segments for B slots, without end.

    Each pass over the songs has its own order, decided by (seed, pass). The position is a small
    dictionary of numbers (`state`), so training can continue exactly where it stopped.

    Args:
        songs: at least one.
        slots: B.
        segment_length: T, in symbols.
        seed: decides the orders, and who is read with a style.
        style_dropout: share of the songs that are read without their style, from 0 to 1.
        tasks: what else is to be answered, if anything.
    """

    def __init__(
        self,
        songs: EncodedSongs,
        slots: int,
        segment_length: int,
        seed: int,
        style_dropout: float = 0.0,
        tasks: AuxiliaryTasks | None = None,
    ) -> None:
        self.songs, self.segment_length, self.seed = songs, segment_length, seed
        self.style_dropout, self.tasks = style_dropout, tasks
        self._answers: dict[int, IntArray] = {}  # slot → answers of the song it reads
        self._lengths = songs.lengths()
        self._song = np.full(slots, -1, np.int64)  # (B,) what each slot reads; -1: nothing yet
        self._style = np.zeros(slots, np.int64)  # (B,) the style token it reads it with, or 0
        self._offset = np.zeros(slots, np.int64)  # (B,) how far it has read
        self._drawn = 0
        self._shuffle(0)

    def next_segment(self, columns: slice = slice(None)) -> Segment:
        """Advance every slot by one segment; return it for the slots in `columns`."""
        ended = (self._song < 0) | (self._offset >= self._lengths[self._song] + (self._style > 0))
        for slot in np.flatnonzero(ended).tolist():
            self._song[slot], self._style[slot] = self._draw()
            self._offset[slot] = 0
            self._answers.pop(slot, None)
        before = self._offset.copy()
        total = self._lengths[self._song] + (self._style > 0)
        self._offset = np.minimum(before + self.segment_length, total)
        symbols = int((self._offset - before).sum()) - int((ended & (self._style > 0)).sum())
        chosen = range(*columns.indices(len(before)))
        inputs = np.zeros((self.segment_length, len(chosen)), np.int64)
        targets = np.full_like(inputs, IGNORED)
        for column, slot in enumerate(chosen):
            song, style = int(self._song[slot]), int(self._style[slot])
            piece, expected = self.songs.piece(song, int(before[slot]), self.segment_length, style)
            inputs[: len(piece), column], targets[: len(piece), column] = piece, expected
        answers = self._answers_from(before, chosen, self.tasks) if self.tasks else None
        return Segment(inputs, targets, ended[columns], symbols, answers)

    def _answers_from(self, offsets: IntArray, slots: range, tasks: AuxiliaryTasks) -> IntArray:
        """Return the answers for one segment of `slots`, whose songs are read from `offsets` on."""
        answers = np.full((self.segment_length, len(slots), len(tasks.sizes)), IGNORED)
        for column, slot in enumerate(slots):
            song = int(self._song[slot])
            if slot not in self._answers:
                style = int(self.songs.styles[song])
                self._answers[slot] = tasks.answers(self.songs.tokens_of(song), style)
            first = int(offsets[slot]) - int(self._style[slot] > 0)  # -1 where a style is to come
            own = self._answers[slot][max(first, 0) : first + len(answers)]
            answers[max(-first, 0) :, column][: len(own)] = own
        return answers

    def state(self) -> dict[str, list[int] | int]:
        """Return the position in the songs, as plain numbers."""
        return {
            "song": self._song.tolist(),
            "style": self._style.tolist(),
            "offset": self._offset.tolist(),
            "drawn": self._drawn,
        }

    def restore(self, state: dict[str, list[int] | int]) -> None:
        """Continue from a position returned by `state`.

        Raises:
            KeyError, TypeError, ValueError, ArithmeticError: it is none, or one of other songs or another
                number of slots.
        """
        song, style, offset = (np.array(state[name], np.int64) for name in ("song", "style", "offset"))
        if not song.shape == style.shape == offset.shape == self._song.shape:
            raise ValueError("a position of another number of slots")
        if song.min() < -1 or song.max() >= len(self.songs):
            raise ValueError("a position in other songs")
        has_style = style > 0
        if offset.min() < 0 or (offset > self._lengths[song] + has_style).any():
            raise ValueError("a position beyond a song's end")
        if (style[has_style] != self.songs.styles[song[has_style]]).any() or style.min() < 0:
            raise ValueError("a style that the songs do not have")
        drawn = operator.index(state["drawn"])  # type: ignore[arg-type]
        if not 0 <= drawn < 2**63:
            raise ValueError("no number of songs drawn")
        self._song, self._style, self._offset, self._drawn = song, style, offset, drawn
        self._answers.clear()
        self._shuffle(max(self._drawn - 1, 0) // len(self.songs))

    def _draw(self) -> tuple[int, int]:
        """Return the next song in this pass's order, and the style to read it with."""
        epoch, position = divmod(self._drawn, len(self.songs))
        if position == 0:
            self._shuffle(epoch)
        self._drawn += 1
        song = int(self._order[position])
        return song, int(self.songs.styles[song]) if self._with_style[song] else 0

    def _shuffle(self, epoch: int) -> None:
        draw = np.random.default_rng((self.seed, epoch))
        self._order = draw.permutation(len(self.songs))
        self._with_style = draw.random(len(self.songs)) >= self.style_dropout


def similar_length_batches(songs: EncodedSongs, slots: int) -> Iterator[IntArray]:
    """Yield the indices (n,) of all songs, at most `slots` at a time, those of like length together.

    Long songs come in smaller batches, so that a padded batch stays small.
    """
    lengths = songs.lengths()
    order = np.argsort(lengths, kind="stable")
    first = 0
    while first < len(order):
        last = min(first + slots, len(order))
        while last > first + 1 and lengths[order[last - 1]] * (last - first) > _PADDED_POSITIONS:
            last -= 1
        yield order[first:last]
        first = last


def pad(songs: EncodedSongs, chosen: IntArray) -> tuple[IntArray, IntArray]:
    """Return inputs and targets (T, B) of whole songs without styles, padded to the longest of them.

    Args:
        songs: to choose from.
        chosen: (B,) their indices.
    """
    lengths = songs.lengths()[chosen]
    inputs = np.zeros((int(lengths.max()), len(chosen)), np.int64)
    targets = np.full_like(inputs, IGNORED)
    for slot, (song, length) in enumerate(zip(chosen, lengths, strict=True)):
        inputs[:length, slot], targets[:length, slot] = songs.piece(int(song), 0, int(length))
    return inputs, targets
