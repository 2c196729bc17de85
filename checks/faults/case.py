"""One case: where a fault happens, what decides it, and what it is compared with."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from random import Random

from safetensors import SafetensorError
from safetensors.numpy import load_file

from checks import CheckError
from checks.faults.process import (
    ANSWERS,
    DONE,
    EXPORT,
    INTERRUPTED,
    ROOT,
    RUN,
    SUCCESS,
    TRAIN,
    Command,
    Result,
    Running,
    limit_files,
    result_of,
    small_disk,
)

SMALL_SONGS = ROOT / "tests/data/small_songs.csv"
UNFINISHED = ".lyricgen-"
"""How the name of a file begins that is being written."""
SESSION = Path("checkpoints/session_0")
EXPORTED = Path("exported_models/session_0.onnx")
STOPPED = frozenset({DONE, INTERRUPTED, -signal.SIGKILL, -signal.SIGINT})
"""Exit codes of a command that was stopped; -SIGINT, which a shell shows as 130, at Python's own end."""


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, by its path in it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def weights(session: Path) -> dict[str, bytes]:
    """Return the best and the last weights of a session by name; a file that is damaged by its content.

    Files of the same weights differ: safetensors writes its metadata in any order.
    """
    found: dict[str, bytes] = {}
    for path in filter(Path.exists, (session / "best.safetensors", session / "last.safetensors")):
        try:
            found |= {f"{path.stem} {name}": array.tobytes() for name, array in load_file(path).items()}
        except SafetensorError:
            found[path.stem] = path.read_bytes()
    return found


def figures(session: Path) -> list[str]:
    """Return the lines of a session's metrics.csv without the time, which is the last column."""
    path = session / "metrics.csv"
    return [line.rpartition(",")[0] for line in path.read_text().splitlines()] if path.exists() else []


@dataclass(frozen=True)
class Work:
    """A command that leaves the same each time, and what that is."""

    module: str
    words: tuple[object, ...]
    left: Callable[[Path], object]
    """Returns what it left in a folder, without what may differ; nothing is false."""


def _file(name: str | Path) -> Callable[[Path], bytes]:
    return lambda folder: (folder / name).read_bytes() if (folder / name).is_file() else b""


def _whole_songs(folder: Path) -> dict[str, bytes]:
    return {name: text for name, text in files(folder / "songs").items() if UNFINISHED not in name}


_SONGS = "--form free --samples 40 --seed 5 --max-length 800 --temperature 0.9"
_TRAINING = (
    "--preset tiny --hidden-size 16 --layers 2 --dropout 0.2 --epochs 12 --validations-per-epoch 0.25 "
    "--device cpu --precision fp32 --seed 3"
)
TEXT = Work(RUN, (*_SONGS.split(), "--output", "songs"), _file("songs"))
JSONL = Work(RUN, (*TEXT.words, "--format", "jsonl"), _file("songs"))
FOLDER = Work(RUN, (*_SONGS.split(), "--format", "jsonl", "--output", "songs/"), _whole_songs)
TRAINING = Work(
    TRAIN, ("--corpus", SMALL_SONGS, *_TRAINING.split()), lambda folder: weights(folder / SESSION)
)
EXPORTING = Work(EXPORT, ("--session", 0), _file(EXPORTED))


@dataclass(frozen=True)
class Undisturbed:
    """How a work goes when nothing goes wrong."""

    folder: Path
    seconds: float
    left: object


@dataclass(frozen=True)
class Fixtures:
    """What the cases share, each made when it is first needed."""

    folder: Path

    @cache  # noqa: B019 (lives as long as the campaign)
    def undisturbed(self, work: Work) -> Undisturbed:
        """Return a work that nothing disturbs."""
        folder = self.folder / f"undisturbed_{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        if work.module == EXPORT:
            shutil.copytree(self.trained / "checkpoints", folder / "checkpoints")
        result = result_of(Command(work.module, work.words, folder))
        if result.code != DONE:
            raise CheckError(f"{work}, which should work, ended: {result}")
        return Undisturbed(folder, result.seconds, work.left(folder))

    @property
    def trained(self) -> Path:
        """A folder with the session of `TRAINING`."""
        return self.undisturbed(TRAINING).folder


@dataclass(frozen=True)
class Case:
    """One case of a fault."""

    folder: Path
    """A new folder, empty."""
    random: Random
    """Decides all that is decided by chance."""
    fixtures: Fixtures

    def is_one_in(self, number: int) -> bool:
        """Return True in one of so many cases."""
        return self.random.randrange(number) == 0

    def run(
        self, module: str, words: Sequence[object], codes: frozenset[int] = ANSWERS
    ) -> Generator[str, None, Result]:
        """Run a command; yield the promises that it broke, and return the result."""
        result = result_of(Command(module, words, self.folder))
        yield from result.broken(codes)
        return result

    def stop(self, work: Work, number: int, words: Sequence[object] = ()) -> Result:
        """Begin a work, or its other `words`; send it a signal at a random moment, once or three times."""
        fresh = self.is_one_in(4)
        imports = (0.5 if work.module == RUN else 3.0) if fresh else 0.0
        moment = self.random.uniform(0.02, 1.05 * self.fixtures.undisturbed(work).seconds + imports)
        if number != signal.SIGKILL:
            moment = max(moment, 0.15)  # Python itself, or the fork, is not up before
        running = Running(Command(work.module, words or work.words, self.folder, fresh))
        running.wait_until(lambda seconds: seconds > moment)
        for _ in range(self.random.choice((1, 1, 3))):
            running.send(number)
        return running.result()

    def kill(self, work: Work, words: Sequence[object] = ()) -> Result:
        """Begin a work and kill it, as kill -9 does: at a random moment or at a random byte of a file."""
        if self.is_one_in(2):
            return self.stop(work, signal.SIGKILL, words)
        largest = max(map(len, files(self.fixtures.undisturbed(work).folder).values()))
        deadly = partial(limit_files, self.random.randint(1, largest * 3 // 2), deadly=True)
        result = result_of(Command(work.module, words or work.words, self.folder, prepare=deadly))
        killed = result.code == -signal.SIGXFSZ
        return replace(result, code=-signal.SIGKILL) if killed else result

    def stop_or_kill(self, work: Work) -> Iterator[str]:
        """Begin a work and end it by Ctrl-C or kill -9."""
        result = self.stop(work, signal.SIGINT) if self.is_one_in(2) else self.kill(work)
        yield from result.broken(STOPPED)

    def stop_or_kill_file(self, work: Work, name: Path) -> Iterator[str]:
        """The same for a work that leaves one file, in whose place an older one may be."""
        path, before = self.folder / name, b"an older file" if self.is_one_in(2) else b""
        if before:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(before)
        yield from self.stop_or_kill(work)
        if work.left(self.folder) not in (before, self.fixtures.undisturbed(work).left):
            yield "something half written under the final name, or the older file lost"

    def again(self, work: Work, words: Sequence[object] = ()) -> Generator[str, None, Result]:
        """Do a work, or its other `words`, to the end: it leaves the same as if nothing had gone wrong."""
        result = yield from self.run(work.module, words or work.words, SUCCESS)
        if work.left(self.folder) != self.fixtures.undisturbed(work).left:
            yield "something else than without the fault"
        return result

    def on_a_full_disk(self, work: Work, kib: int) -> Generator[str, None, Case]:
        """Do a work on a disk of so many KiB; return the case with room again."""
        disk, kept = self.folder / "disk", self.folder / "kept"
        with small_disk(disk, kib) as limit:
            if work.module == EXPORT:
                (disk / "checkpoints").symlink_to(self.fixtures.trained / "checkpoints")
            limited = partial(limit_files, limit)
            result = result_of(Command(work.module, work.words, disk, prepare=limited))
            yield from result.broken()
            shutil.copytree(disk, kept)
        left, expected = work.left(kept), self.fixtures.undisturbed(work).left
        if result.code == DONE and left != expected:
            yield "exit code 0 without what it should leave"
        if work.module != TRAIN and left and left != expected:
            yield "something half written under the final name"
        return replace(self, folder=kept)
