"""The public face: open a model with `load`, write songs with `Model.generate` or `Model.stream`."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lyricgen.engine.record import Units
from lyricgen.engine.slots import Batch, SongPlan, WrittenSong, read_prefix
from lyricgen.engine.step_model import ModelFile
from lyricgen.engine.threads import MAX_SLOTS, choose_slots, choose_threads, generate_songs
from lyricgen.errors import OptionError
from lyricgen.model_file.card import ModelCard
from lyricgen.model_file.contract import MAX_INDEX, MAX_THREADS
from lyricgen.options import SongOptions, checked_indexes, plan_song, switch, whole
from lyricgen.vocabulary import Vocabulary

if sys.version_info >= (3, 11):
    from typing import Unpack
elif TYPE_CHECKING:
    from typing_extensions import Unpack

Finished = Literal["eos", "length"]
BUNDLED_MODEL_PATH = Path(__file__).parent / "assets" / "bundled.onnx"


@dataclass(frozen=True)
class Song:
    """A finished song, and what to ask for to get it again.

    Example:
        >>> import lyricgen
        >>> model = lyricgen.load()
        >>> song = model.generate(seed=7, index=2, max_length=200)
        >>> song.seed, song.index
        (7, 2)
        >>> song.finished in ("eos", "length")
        True
        >>> model.generate(seed=song.seed, index=song.index, max_length=200) == song
        True
    """

    text: str
    """The whole song, its title and prompt included; lines end with "\\n"."""
    finished: Finished
    """"eos" if the model ended the song, "length" if it was cut at the maximum length."""
    seed: int
    """The seed given or chosen, from 0 to 2**64 - 1."""
    index: int
    """Which of the seed's songs this is, from 0 to 2**64 - 1."""
    bits_per_character: float | None
    """How unlikely the model itself finds what it wrote (at temperature 1, unfiltered), in bits: the mean
    over the characters, and the end if it is one, without title and prompt. None if it wrote nothing."""


class SongStream(Iterator[str]):
    """A song as it is written, character by character. `Model.stream` makes one.

    Characters come a whole line at a time, because a song that reaches its maximum length is cut back
    to its last whole line. It writes only when it is asked for more, in the thread that asks: any
    thread, but one at a time.

    Raises:
        NonFiniteLogitsError: while it is read; the model's weights are damaged.
        OrtError: while it is read; onnxruntime failed.

    Example:
        >>> import lyricgen
        >>> model = lyricgen.load()
        >>> stream = model.stream(seed=7, max_length=200)
        >>> print(stream.finished, stream.song)
        None None
        >>> text = "".join(stream)  # or: for character in stream
        >>> stream.song == model.generate(seed=7, max_length=200)
        True
        >>> text == stream.song.text
        True
    """

    def __init__(self, file: ModelFile, plan: SongPlan, index: int) -> None:
        self.seed, self.index = plan.seed, index
        self._written: list[Song] = []
        self._characters = _characters(file, plan, index, self._written)

    @property
    def song(self) -> Song | None:
        """None while the song goes on; then the whole of it."""
        return self._written[0] if self._written else None

    @property
    def finished(self) -> Finished | None:
        """None while the song goes on; then "eos" or "length"."""
        return None if self.song is None else self.song.finished

    def __next__(self) -> str:
        return next(self._characters)


class Model:
    """A model file, opened. Make one with `load`.

    Threads may share it: every song has its own state, and nothing in the model changes. Other threads
    run on while a song is written, so that `asyncio.to_thread` leaves an event loop free.

    Example:
        >>> import asyncio, lyricgen
        >>> model = lyricgen.load()
        >>> song = model.generate(seed=7, max_length=200)
        >>> async def serve():
        ...     return await asyncio.to_thread(model.generate, seed=7, max_length=200)
        >>> asyncio.run(serve()) == song
        True
    """

    def __init__(self, file: ModelFile) -> None:
        self._file = file

    def __repr__(self) -> str:
        card = self.card
        return f"<lyricgen.Model {self.path.name}: {card.layers} × {card.hidden_size} LSTM, {card.precision}>"

    @property
    def card(self) -> ModelCard:
        """What the file says about itself: vocabulary, provenance, measured quality."""
        return self._file.card

    @property
    def path(self) -> Path:
        """The file that was opened."""
        return self._file.path

    @property
    def runs_on(self) -> str:
        """What computes its steps, and how it is called; the songs are the same either way."""
        return self._file.ort_session.description

    @property
    def size_bytes(self) -> int:
        """How large the file was, in bytes."""
        return self._file.size_bytes

    def stream(self, *, index: int = 0, **options: Unpack[SongOptions]) -> SongStream:
        """Write a song and hand it out as it grows; the characters are those that `generate` returns.

        What is wrong with the options is found at the call, before anything is written.

        Args:
            index: which of the seed's songs to write, from 0 to 2**64 - 1.
            options: how the song should be, as keyword arguments.
                temperature: divides the logits. Below 1 is safer and more repetitive, above 1
                    wilder; 0 always takes the likeliest character. None: what the model suggests.
                top_k: choose among so many of the likeliest characters. 0, or left out: among all.
                top_p: of those, choose among the likeliest that together have this probability, above 0
                    and up to 1. 1, or left out: among all.
                min_p: of those, choose among the ones that have at least this share of the likeliest
                    one's probability, from 0 to 1. 0, or left out: among all.
                style: one of the styles that the model knows (`card.vocabulary.styles`), in capitals
                    or not. None: no particular one.
                title: one line of text, for a model that writes titles (`card.title_line`); the
                    song begins with it and an empty line. None: such a model invents one.
                prompt: how the song begins, after its title. Without a title, a model that writes
                    titles takes the prompt as the prefix of one.
                max_length: characters after which to stop, those of title and prompt included; the
                    song is then cut back to its last whole line. 6000 if left out.
                exact_length: whether such a song is left as it is, even in the middle of a line.
                seed: from 0 to 2**64 - 1; the same seed gives the same song. None: chosen, see
                    `seed` of the result.

        Raises:
            OptionError: an option is out of its range, or not for this model.
            UnknownCharacterError: title or prompt have characters that the model has never seen.
            TypeError: there is no such option.
            NonFiniteLogitsError: while it is read; the model's weights are damaged.
            OrtError: while it is read; onnxruntime failed.

        Example:
            >>> import lyricgen
            >>> model = lyricgen.load()
            >>> stream = model.stream(temperature=0.75, prompt="The moon", seed=7, max_length=200)
            >>> "".join(stream).startswith("The moon")
            True
            >>> stream.finished in ("eos", "length")
            True
        """
        plan = plan_song(self.card, options)
        return SongStream(self._file, plan, whole("index", index, 0, MAX_INDEX))

    def generate(self, *, index: int = 0, **options: Unpack[SongOptions]) -> Song:
        """Write a whole song.

        Args:
            index: which of the seed's songs to write, from 0 to 2**64 - 1.
            options: how the song should be, as keyword arguments; `stream` says more of each.
                temperature: 0 to 100; low is safe, high is wild. None: what the model suggests.
                top_k: choose among so many of the likeliest characters; 0: all.
                top_p: choose among the likeliest that together have this probability; 1: all.
                min_p: leave out what has less than this share of the likeliest one's probability.
                style: one of `card.vocabulary.styles`. None: no particular one.
                title: one line, where `card.title_line` says that the model writes titles.
                prompt: how the song begins, after its title.
                max_length: characters after which to stop, title and prompt included; 6000.
                exact_length: whether a song that stops there keeps its unfinished last line.
                seed: 0 to 2**64 - 1; the same seed gives the same song. None: chosen.

        Raises:
            OptionError: an option is out of its range, or not for this model.
            UnknownCharacterError: title or prompt have characters that the model has never seen.
            TypeError: there is no such option.
            NonFiniteLogitsError: the model's weights are damaged.
            OrtError: onnxruntime failed.

        Example:
            >>> import lyricgen
            >>> model = lyricgen.load()
            >>> song = model.generate(temperature=0.75, prompt="The moon", max_length=200)
            >>> song.text.startswith("The moon"), len(song.text) <= 200
            (True, True)
            >>> again = model.generate(temperature=0.75, prompt="The moon", max_length=200, seed=song.seed)
            >>> again == song
            True
        """
        plan = plan_song(self.card, options)
        return next(self._songs(plan, [whole("index", index, 0, MAX_INDEX)], 1, 1, in_order=True))

    def songs(
        self,
        indexes: Sequence[int],
        *,
        slots: int | None = None,
        threads: int | None = None,
        in_order: bool = True,
        **options: Unpack[SongOptions],
    ) -> Generator[Song]:
        """Write many songs of one seed, side by side; hand them out in the order of their indexes.

        A song is the same whatever is written beside it: `range(1000)` gives the songs of `range(500)`
        and `range(500, 1000)`, on whatever machines these were written.

        Args:
            indexes: which of the seed's songs, from 0 to 2**64 - 1, each once; such as `range(100)`.
            slots: how many songs advance side by side in a thread, 1 to 64; None: up to 64.
            threads: how many threads write, 1 to 1024; None: as many as the process may use CPUs, if there
                are songs enough.
            in_order: False hands out each song as soon as it ends, and lets none wait for a long one.
            options: those of `stream`, the same for all songs.

        Raises:
            OptionError: an option is out of its range, or not for this model.
            UnknownCharacterError: title or prompt have characters that the model has never seen.
            TypeError: there is no such option.
            NonFiniteLogitsError: while songs are read; the model's weights are damaged.
            OrtError: while songs are read; onnxruntime failed.

        Example:
            >>> import lyricgen
            >>> model = lyricgen.load()
            >>> songs = list(model.songs(range(4), seed=7, threads=2, max_length=100))
            >>> [song.index for song in songs]
            [0, 1, 2, 3]
            >>> songs[3] == model.generate(seed=7, index=3, max_length=100)
            True
        """
        plan = plan_song(self.card, options)
        indexes = checked_indexes(indexes)
        if threads is None:
            threads = choose_threads(len(indexes))
        threads = whole("threads", threads, 1, MAX_THREADS)
        if slots is None:
            slots = choose_slots(len(indexes), threads)
        slots = whole("slots", slots, 1, MAX_SLOTS)
        in_order = switch("in_order", in_order)
        return self._songs(plan, indexes, slots, threads, in_order=in_order)

    def _songs(
        self, plan: SongPlan, indexes: Sequence[int], slots: int, threads: int, *, in_order: bool
    ) -> Generator[Song]:
        file, prefix = self._file, read_prefix(self._file, plan)
        written = generate_songs(
            lambda songs: Batch(file, plan, prefix, songs), indexes, slots, threads, in_order=in_order
        )
        with closing(written):
            for song in written:
                yield _song(file.card.vocabulary, plan, song)


def load(path: str | PathLike[str] | None = None) -> Model:
    """Open a model file, or the bundled model if no path is given.

    The file is read whole and checked; keep the model, and give each process one of its own.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelFormatError: it is not a model that this version reads.
        OptionError: `path` is no path.

    Example:
        >>> import lyricgen
        >>> lyricgen.load().path.name
        'bundled.onnx'
        >>> try:
        ...     lyricgen.load("no_such_model.onnx")
        ... except lyricgen.ModelNotFoundError as error:
        ...     print(error.path)
        no_such_model.onnx
    """
    return Model(ModelFile(BUNDLED_MODEL_PATH if path is None else _path(path)))


def _path(path: str | PathLike[str]) -> Path:
    try:
        return Path(path)
    except TypeError:  # pathlib's own words name neither the option nor the value
        raise OptionError("path", path, "a str or an os.PathLike") from None


def _characters(file: ModelFile, plan: SongPlan, index: int, written: list[Song]) -> Iterator[str]:
    """Yield the characters of a song; put the whole of it into `written` at its end."""
    vocabulary, batch = file.card.vocabulary, Batch(file, plan, read_prefix(file, plan), 1)
    batch.start(0, index)
    line = vocabulary.decode(plan.prefix)  # and what belongs to it: not handed out yet
    start, decoded, handed_out = len(line), 0, 0
    while not (over := batch.advance()):
        units = batch.so_far(0)
        line += _decode(vocabulary, units[decoded:])
        end = len(line) if plan.exact_length else _end_of_whole_lines(line, start) or 0
        yield from line[:end]
        line = line[end:]
        start = 0 if end else start
        decoded = len(units)
        handed_out += end
    song = _song(vocabulary, plan, over[0])
    written.append(song)
    yield from song.text[handed_out:]


def _song(vocabulary: Vocabulary, plan: SongPlan, written: WrittenSong) -> Song:
    """Return what the kernel wrote as a song, cut back to its last whole line if it has to be."""
    start = len(plan.prefix)
    text = vocabulary.decode(plan.prefix) + _decode(vocabulary, written.units)
    if not written.ended and not plan.exact_length:
        text = text[: _end_of_whole_lines(text, start)]
    bits = written.bits[: len(text) - start + written.ended]
    mean = float(bits.mean(dtype=np.float64)) if len(bits) else None
    return Song(text, "eos" if written.ended else "length", plan.seed, written.index, mean)


def _end_of_whole_lines(text: str, start: int) -> int | None:
    """Return where the last whole line ends that ends at `start` or later; None if there is none."""
    end = text.rfind("\n", start)
    while end > 0 and text[end - 1] == "\n":  # an empty line
        end = text.rfind("\n", start, end)
    return end if end > 0 else None


def _decode(vocabulary: Vocabulary, units: Units) -> str:
    """Return the text of output units, none of them EOS."""
    code_points = np.array([ord(character) for character in vocabulary.characters], "<u4")
    return code_points[units - 1].tobytes().decode("utf-32-le")
