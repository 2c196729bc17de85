"""Where the cases happen: a folder of its own for each, and what they need, made once."""

from __future__ import annotations

import csv
import random
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from checks import CheckError
from checks.faults.process import DONE, EXPORT, INTERRUPTED, ROOT, RUN, TRAIN, Call, Started

SMALL_SONGS = ROOT / "tests/data/small_songs.csv"
PART = ".lyricgen-"
"""How the names begin of files that are being written."""
TRAINING = (
    *("--corpus", SMALL_SONGS, "--preset", "tiny", "--hidden-size", 16, "--epochs", 12),
    *("--validations-per-epoch", 0.25, "--device", "cpu", "--precision", "fp32", "--seed", 3),
)
"""A training of a second, which ends with the same weights each time."""
SONGS = ("--samples", 40, "--seed", 5, "--max-length", 800, "--temperature", 0.9)
"""Songs that take about as long."""
IN_THE_MAKING = ".session_new_"
"""How the names begin of sessions that are being made; later trainings remove what was left of them."""
EXPORTED = Path("exported_models/session_0.onnx")


@dataclass(frozen=True)
class Place:
    """What the cases share."""

    folder: Path
    draw: random.Random

    @contextmanager
    def empty_folder(self) -> Iterator[Path]:
        """Yield a new folder, which goes when it has served."""
        folder = self.folder / f"case_{self.draw.getrandbits(64):016x}"
        folder.mkdir()
        try:
            yield folder
        finally:
            for path in folder.rglob("*"):
                if path.is_dir() and not path.is_symlink():
                    path.chmod(0o755)
            shutil.rmtree(folder)

    @cached_property
    def songs(self) -> dict[str, bytes]:
        """`SONGS` as they should come out, by format."""
        whole = {}
        for kind in ("text", "jsonl"):
            path = self.folder / f"songs.{kind}"
            _must_work(Call(RUN, [*SONGS, "--format", kind, "--output", path], self.folder))
            whole[kind] = path.read_bytes()
        return whole

    @cached_property
    def trained(self) -> Path:
        """A folder with `checkpoints/session_0`, of `TRAINING`."""
        folder = self.folder / "trained"
        folder.mkdir()
        _must_work(Call(TRAIN, TRAINING, folder))
        return folder

    @cached_property
    def half_trained(self) -> Path:
        """A folder with `checkpoints/session_0`, of `TRAINING`, stopped on its way."""
        folder = self.folder / "half_trained"
        folder.mkdir()
        session, started = folder / "checkpoints/session_0", Started(Call(TRAIN, TRAINING, folder))
        started.wait_until(lambda: len(figures(session)) > 1)
        started.send(signal.SIGINT)
        ended = started.ended()
        if ended.code != INTERRUPTED or len(figures(session)) >= len(figures(self.session)):
            raise CheckError(f"{TRAIN} did not stop on its way: {ended}")
        return folder

    @property
    def session(self) -> Path:
        """The session in `trained`."""
        return self.trained / "checkpoints/session_0"

    @cached_property
    def other_songs(self) -> Path:
        """A CSV of songs that are in no session."""
        path = self.folder / "other_songs.csv"
        path.write_text(
            "text\n" + "".join(f"the sea {n} is grey and cold today\n" for n in range(9)), "utf-8"
        )
        return path

    @cached_property
    def exported(self) -> bytes:
        """The file that `trained` is exported to."""
        _must_work(Call(EXPORT, ["--session", 0], self.trained))
        return (self.trained / EXPORTED).read_bytes()

    @cached_property
    def seconds(self) -> dict[str, float]:
        """How long each command takes in a copy of this process, by its module."""
        with self.empty_folder() as folder:
            return {
                TRAIN: _must_work(Call(TRAIN, TRAINING, folder)),
                EXPORT: _must_work(Call(EXPORT, ["--session", 0], folder)),
                RUN: _must_work(Call(RUN, [*SONGS, "--output", "songs.txt"], folder)),
            }


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, by its path in it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _must_work(call: Call) -> float:
    started = Started(call)
    ended = started.ended()
    if ended.code != DONE:
        raise CheckError(f"{call}, which should work, ended with {ended.code}: {ended.err[-2000:]}")
    return started.seconds


def weights(session: Path) -> dict[str, bytes]:
    """Return the best and the last weights of a session by name; files that are none by their content.

    Files of the same weights differ: safetensors writes its metadata in any order.
    """
    found: dict[str, bytes] = {}
    for path in (session / f"{name}.safetensors" for name in ("best", "last")):
        if path.exists():
            try:
                arrays = load_file(path)
            except SafetensorError:
                found[path.stem] = path.read_bytes()
            else:
                found |= {f"{path.stem} {name}": array.tobytes() for name, array in arrays.items()}
    return found


def figures(session: Path) -> list[dict[str, str]]:
    """Return the lines of a session's metrics.csv, without the time that they took."""
    path = session / "metrics.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [{**line, "elapsed_seconds": ""} for line in csv.DictReader(file)]
