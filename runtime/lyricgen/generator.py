"""The public face: open a model with `load`, write songs with `Model.generate` or `Model.stream`."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np

from lyricgen.engine.record import Units
from lyricgen.engine.slots import Batch, SongPlan, WrittenSong, read_prefix
from lyricgen.engine.step_model import ModelFile
from lyricgen.engine.threads import MAX_SLOTS, choose_slots, choose_threads, generate_songs
from lyricgen.errors import DraftError, OptionError
from lyricgen.model_file.card import ModelCard
from lyricgen.model_file.contract import AFTER_TITLE, split_title
from lyricgen.options import (
    CANDIDATES,
    Index,
    SongOptions,
    Threads,
    checked,
    checked_indexes,
    line_numbers,
    plan_song,
)
from lyricgen.schema import Range
from lyricgen.song.composer import Composer, FormPlan
from lyricgen.song.form import read_syllables
from lyricgen.song.rhyming import RhymeWord, rhymes_of
from lyricgen.song.score import Score, score
from lyricgen.song.song_line import SongLine
from lyricgen.song.suggestions import Gap, suggest

if sys.version_info >= (3, 11):
    from typing import Unpack
elif TYPE_CHECKING:
    from typing_extensions import Unpack

MAX_SUGGESTIONS = 100
"""For a gap."""
Finished = Literal["eos", "length", "endless"]
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
        >>> song = model.generate(title="The Harbour", prompt="Come home", seed=7)
        >>> song.title, str(song.lines[0])[:9], str(song) == song.text
        ('The Harbour', 'Come home', True)
    """

    text: str
    """The whole song, its title and prompt included; lines end with "\\n"."""
    finished: Finished
    """"eos" if the model ended the song, or its form did; "length" if it was cut at the maximum length;
    "endless" if its form was given up because the model came to no line end."""
    seed: int
    """The seed given or chosen, from 0 to 2**64 - 1."""
    index: int
    """Which of the seed's songs this is, from 0 to 2**64 - 1."""
    bits_per_character: float | None
    """How unlikely the model itself finds what it wrote (at temperature 1, unfiltered), in bits: the mean
    over the characters, and the end if it is one, without title and prompt. None if it wrote nothing."""
    begins_with_title: bool = False
    """Whether the model writes songs that begin with a title and an empty line (`card.title_line`)."""
    composed: tuple[SongLine, ...] | None = None
    """The lines of a song with a form; None of one without."""
    style: str | None = None
    """The style asked for, or the one that the model suggests for this song; None if it has none."""

    def __str__(self) -> str:
        return self.text

    def to_json(self) -> dict[str, object]:
        """Return what `--format jsonl` says of it: figures rounded; `lines` only of a song with a form."""
        bits = self.bits_per_character
        facts = {name: getattr(self, name) for name in ("text", "seed", "index", "style", "finished")}
        facts |= {"characters": len(self.text), "bits_per_character": bits and round(float(bits), 4)}
        if self.composed:
            rounded = (replace(line, bits=line.bits and round(line.bits, 2)) for line in self.composed)
            facts["lines"] = [asdict(line) for line in rounded]
        return facts

    @property
    def title(self) -> str | None:
        """The title, without its line end; None if the song has none."""
        return (split_title(self.text)[0] or None) if self.begins_with_title else None

    @property
    def lines(self) -> tuple[SongLine, ...]:
        """The lines to be sung, without line ends: those after the title that are not empty."""
        if self.composed is not None:
            return self.composed
        lyrics = split_title(self.text)[1] if self.begins_with_title else self.text
        stanzas = [stanza for stanza in lyrics.split("\n\n") if stanza.strip("\n")]
        return tuple(
            SongLine(line, stanza=n)
            for n, stanza in enumerate(stanzas)
            for line in stanza.split("\n")
            if line
        )


class Piece(NamedTuple):
    """What there is of a song after another step."""

    text: str
    """What follows the pieces before it: a line, several, or "" meanwhile."""
    open: str = ""
    """What follows then for now, and may still be written anew."""


class SongStream(Iterator[str]):
    """A song as it is written, character by character. `Model.stream` makes one.

    Characters come a whole line at a time, because a song that reaches its maximum length is cut back
    to its last whole line. It writes only when it is asked for more, in the thread that asks (any thread, but
    one at a time), which for a song with a form has others help.

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

    def __init__(self, file: ModelFile, plan: SongPlan, index: int, threads: int | None = None) -> None:
        self.seed, self.index = plan.seed, index
        self._written: list[Song] = []
        self._pieces = (
            _composed(file, plan, index, threads, self._written)
            if isinstance(plan, FormPlan)
            else _pieces(file, plan, index, self._written)
        )
        self._characters = (character for piece in self._pieces for character in piece.text)

    @property
    def song(self) -> Song | None:
        """None while the song goes on; then the whole of it."""
        return self._written[0] if self._written else None

    @property
    def finished(self) -> Finished | None:
        """None while the song goes on; then as in the song."""
        return None if self.song is None else self.song.finished

    def __next__(self) -> str:
        return next(self._characters)

    def pieces(self) -> Generator[Piece]:
        """Hand the song out as it is found, in place of its characters."""
        return self._pieces


class Model:
    """A model file, opened. Make one with `load`.

    Threads may share it: every song has its own state, and nothing in the model changes. Other threads
    run on while a song is written, so that `asyncio.to_thread` leaves an event loop free.

    Raises:
        OptionError: on asking for songs; an option is out of its range, or not for this model.
        DraftError: on asking; the draft makes no sense.
        UnknownCharacterError: on asking; title or prompt have characters that the model has never seen.
        TypeError: on asking; there is no such option.
        NonFiniteLogitsError: while songs are written; the model's weights are damaged.
        OrtError: while songs are written; onnxruntime failed.

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
        self.file = file
        """What was read, for lyricgen's own commands."""

    def __repr__(self) -> str:
        card = self.card
        return f"<lyricgen.Model {self.path.name}: {card.layers} × {card.hidden_size} LSTM, {card.precision}>"

    @property
    def card(self) -> ModelCard:
        """What the file says about itself: vocabulary, provenance, measured quality."""
        return self.file.card

    @property
    def path(self) -> Path:
        """The file that was opened."""
        return self.file.path

    @property
    def runs_on(self) -> str:
        """What computes its steps, and how it is called; the songs are the same either way."""
        return self.file.ort_session.description

    @property
    def size_bytes(self) -> int:
        """How large the file was, in bytes."""
        return self.file.size_bytes

    def stream(self, *, index: int = 0, **options: Unpack[SongOptions]) -> SongStream:
        """Write a song and hand it out as it grows: the one that `generate` returns for the same arguments.

        What is wrong with them is found at the call, before anything is written.

        Example:
            >>> import lyricgen
            >>> model = lyricgen.load()
            >>> stream = model.stream(temperature=0.75, prompt="The moon", seed=7, max_length=200)
            >>> "".join(stream).startswith("The moon")
            True
            >>> stream.finished in ("eos", "length")
            True
        """
        return SongStream(self.file, plan_song(self.card, options), checked(Index, index, "index"))

    def generate(self, *, index: int = 0, **options: Unpack[SongOptions]) -> Song:
        """Write a whole song.

        Args:
            index: which of the seed's songs to write, from 0 to 2**64 - 1.
            options: how the song should be, as keyword arguments: see `help(lyricgen.SongOptions)`.

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
        plan, indexes = plan_song(self.card, options), [checked(Index, index, "index")]
        threads = None if isinstance(plan, FormPlan) else 1
        return next(write_songs(self.file, plan, indexes, slots=1, threads=threads))

    def suggest(
        self,
        *,
        count: int = 8,
        lines: str | None = None,
        threads: int | None = None,
        **options: Unpack[SongOptions],
    ) -> Generator[Gap]:
        """Suggest lines for the gaps of a `draft`, each by itself; see `lyricgen.song.draft`.

        Lines rhyme and scan with those that are there, before and after, and are chosen so that what follows
        follows from them. Each gap comes as soon as its lines are found.

        Args:
            count: how many lines for each gap, from 1 to 100.
            lines: the numbers of the gaps to suggest lines for, such as "3,5-7"; None: of all.
            threads: how many write, 1 to 1024; None: as many as the process may use CPUs.
            options: as for `generate`; the draft is needed, and without a seed, it is 0.

        Raises:
            DraftError: there is no draft, it has no gap, or makes no sense.
            OptionError: an option is out of its range, or not for this model.
            OrtError: onnxruntime failed.
        """
        plan = plan_song(self.card, {**options, "seed": options.get("seed") or 0})
        count = checked(Annotated[int, Range(1, MAX_SUGGESTIONS)], count, "count")
        threads = checked(Threads, threads, "threads") or choose_threads(CANDIDATES)
        if not isinstance(plan, FormPlan) or all(line.text for line in plan.given):
            raise DraftError(0, "has no gap: write ... where a line is missing, or name lines to rewrite")
        chosen = set(range(1, len(plan.given) + 1))
        if lines is not None:
            chosen = line_numbers("lines", checked(str, lines, "lines"), len(plan.given))
        return suggest(self.file, plan, chosen, count, threads)

    def rhymes(
        self,
        word: str,
        *,
        after: str = "",
        syllables: str | None = None,
        near_rhymes: bool = False,
        count: int = 100,
    ) -> list[RhymeWord]:
        """Find words that rhyme with one among those that end lines of the model's songs, perfect ones first.

        Args:
            word: one word, in the dictionary or not.
            after: the line so far; words that the model expects at its end come first. "": the commonest do.
            syllables: how many they have, such as "2" or "1-2"; None: any number.
            near_rhymes: whether words that nearly rhyme follow.
            count: how many words at most, from 1 to 10,000.

        Raises:
            OptionError: it is no word, or an option is out of its range.
            OrtError: onnxruntime failed.
        """
        word, after = checked(str, word, "word"), checked(str, after, "after")
        near_rhymes = checked(bool, near_rhymes, "near_rhymes")
        syllables = checked(Annotated[str | None, "text"], syllables, "syllables")
        count = checked(Annotated[int, Range(1, 10_000)], count, "count")
        number = None if syllables is None else read_syllables(syllables)
        return rhymes_of(self.file, word, after, number, near=near_rhymes)[:count]

    def score(self, text: str) -> Score:
        """Read a song, of whomever: what each line sounds like, how expected it is, what strikes one.

        Args:
            text: the song; its first line is the title if an empty line follows, [Chorus] names a stanza.

        Raises:
            DraftError: it has no line, too many, or one that is too long.
            OptionError: it is no text, or the model writes no line ends.
            OrtError: onnxruntime failed.
        """
        return score(self.file, checked(str, text, "song"))

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
            slots: how many songs without a form advance side by side in a thread, 1 to 64; None: up to 64.
            threads: how many threads write, 1 to 1024; None: as many as the process may use CPUs, if there
                are songs enough.
            in_order: False hands out each song as soon as it ends, and lets none wait for a long one.
            options: how the songs should be, as keyword arguments: see `help(lyricgen.SongOptions)`.

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
        return write_songs(self.file, plan, indexes, slots=slots, threads=threads, in_order=in_order)


def write_songs(
    file: ModelFile,
    plan: SongPlan,
    indexes: Sequence[int],
    *,
    slots: int | None = None,
    threads: int | None = None,
    in_order: bool = True,
) -> Generator[Song]:
    """Write the songs of a plan; see `Model.songs`."""
    indexes = checked_indexes(indexes)
    threads = checked(Threads, threads, "threads")
    slots = checked(Annotated[int | None, Range(1, MAX_SLOTS)], slots, "slots")
    if isinstance(plan, FormPlan):
        return _compose_songs(file, plan, indexes, threads, in_order=checked(bool, in_order, "in_order"))
    threads = threads or choose_threads(len(indexes))
    slots = slots or choose_slots(len(indexes), threads)
    in_order = checked(bool, in_order, "in_order")

    def songs() -> Generator[Song]:
        prefix = read_prefix(file, plan)
        written = generate_songs(
            lambda size: Batch(file, plan, prefix, size), indexes, slots, threads, in_order=in_order
        )
        with closing(written):
            for song in written:
                yield _song(file.card, plan, song)

    return songs()


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
    if path is None:
        return Model(ModelFile(BUNDLED_MODEL_PATH))
    if path == "":  # pathlib takes it for this folder
        raise OptionError("path", path, "the name of a file")
    try:
        opened = Path(path)
    except TypeError:  # pathlib's own words name neither the option nor the value
        raise OptionError("path", path, "a str or an os.PathLike") from None
    return Model(ModelFile(opened))


def _pieces(file: ModelFile, plan: SongPlan, index: int, written: list[Song]) -> Generator[Piece]:
    """Yield a song without a form in pieces; put the whole of it into `written` at its end."""
    batch = Batch(file, plan, read_prefix(file, plan), 1)
    batch.start(0, index)
    line = file.card.vocabulary.decode(plan.prefix)  # and what belongs to it: not handed out yet
    start, decoded, handed_out = len(line), 0, 0
    while not (over := batch.advance()):
        units = batch.so_far(0)
        line += _decode(file.card, units[decoded:])
        end = len(line) if plan.exact_length else _end_of_whole_lines(line, start) or 0
        yield Piece(line[:end])
        line, start = line[end:], 0 if end else start
        decoded, handed_out = len(units), handed_out + end
    written.append(_song(file.card, plan, over[0]))
    yield Piece(written[0].text[handed_out:])


def _composed(
    file: ModelFile,
    plan: FormPlan,
    index: int,
    threads: int | None,
    written: list[Song],
    is_stopped: Callable[[], bool] = lambda: False,
) -> Generator[Piece]:
    """Yield a song with a form in pieces; put the whole of it into `written` at its end."""
    composer = Composer(file, plan, index, threads or choose_threads(plan.candidates), is_stopped)
    text, lines, most = "", list[SongLine](), plan.numbers["max_length"]
    finished: Finished = "length"
    for step in composer.steps():
        known = [*lines, *step.settled]
        texts = [_laid_out(plan, composer.title, known[:n]) for n in range(len(lines), len(known) + 1)]
        fitting = [one for one in texts if len(one) <= most]
        is_cut = len(fitting) < len(texts)
        if fitting:
            lines, before, text = known[: len(lines) + len(fitting) - 1], text, fitting[-1]
            found = text if is_cut else _laid_out(plan, composer.title, [*lines, *step.open])
            yield Piece(text[len(before) :], found[len(text) :])
        if is_cut:
            break
    else:
        finished = "eos" if composer.ended else "endless"
    bits = [(line.bits, len(line.text) + 1) for line in lines if line.bits is not None]
    mean = sum(cost for cost, _ in bits) / sum(length for _, length in bits) if bits else None
    style = _style_name(file.card, plan, index)
    has_title = file.card.title_line and plan.shows_title
    written.append(Song(text, finished, plan.seed, index, mean, has_title, tuple(lines), style))


def _laid_out(plan: FormPlan, title: str | None, lines: Sequence[SongLine]) -> str:
    """Return a song with a form as a text, as far as its lines are known."""
    text = (title or "") if plan.shows_title else ""
    for n, line in enumerate(lines):
        opens_stanza = not n or line.stanza != lines[n - 1].stanza
        if n:
            text += "\n\n" if opens_stanza else "\n"
        elif text:
            text += AFTER_TITLE
        if opens_stanza and (label := "".join(plan.labels[line.stanza : line.stanza + 1])):
            text += label + "\n"
        text += line.text
    return text


def _compose_songs(
    file: ModelFile, plan: FormPlan, indexes: Sequence[int], threads: int | None, *, in_order: bool
) -> Generator[Song]:
    """Write songs with a form: one with all threads, many in a thread each."""
    stopped = threading.Event()

    def compose(index: int, threads: int | None) -> Song:
        written: list[Song] = []
        for _ in _composed(file, plan, index, threads, written, stopped.is_set):
            pass
        return written[0]

    if len(indexes) == 1:
        yield compose(indexes[0], threads)
        return
    threads = threads or choose_threads(len(indexes) * plan.candidates)
    waiting, to_come = deque[Future[Song]](), iter(indexes)
    executor = ThreadPoolExecutor(threads)
    try:
        while True:
            for index in islice(to_come, 2 * threads - len(waiting)):
                waiting.append(executor.submit(compose, index, 1))
            if not waiting:
                return
            song = waiting[0] if in_order else next(iter(wait(waiting, return_when=FIRST_COMPLETED).done))
            yield song.result()
            waiting.remove(song)
    finally:
        stopped.set()
        executor.shutdown(cancel_futures=True)


def _song(card: ModelCard, plan: SongPlan, written: WrittenSong) -> Song:
    """Return what the kernel wrote as a song, cut back to its last whole line if it has to be."""
    start = len(plan.prefix)
    text = card.vocabulary.decode(plan.prefix) + _decode(card, written.units)
    if not written.ended and not plan.exact_length:
        text = text[: _end_of_whole_lines(text, start)]
    bits = written.bits[: len(text) - start + written.ended]
    mean = float(bits.mean(dtype=np.float64)) if len(bits) else None
    finished: Finished = "eos" if written.ended else "length"
    style = _style_name(card, plan, written.index)
    return Song(text, finished, plan.seed, written.index, mean, card.title_line, style=style)


def _style_name(card: ModelCard, plan: SongPlan, index: int) -> str | None:
    token = plan.style(index)
    return None if token is None else card.vocabulary.style_name(token)


def _end_of_whole_lines(text: str, start: int) -> int | None:
    """Return where the last whole line ends that ends at `start` or later; None if there is none."""
    end = len(text[: text.rfind("\n", start) + 1].rstrip("\n"))
    return end if end >= max(start, 1) else None


def _decode(card: ModelCard, units: Units) -> str:
    """Return the text of output units, none of them EOS."""
    code_points = np.array([ord(character) for character in card.vocabulary.characters], "<u4")
    return code_points[units - 1].tobytes().decode("utf-32-le")
