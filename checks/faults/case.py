"""One case: where a fault happens, what decides it, and what it is compared with."""

from __future__ import annotations

import csv
import signal
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from random import Random

from safetensors import SafetensorError
from safetensors.numpy import load_file

from checks import CheckError
from checks.faults.process import (
    DONE,
    EXPORT,
    INTERRUPTED,
    ROOT,
    RUN,
    TRAIN,
    Command,
    Result,
    Running,
    limit_files,
    result_of,
)

SMALL_SONGS = ROOT / "tests/data/small_songs.csv"
UNFINISHED = ".lyricgen-"
"""How the name of a file begins that is being written."""
TRAINING = (
    *("--corpus", SMALL_SONGS, "--preset", "tiny", "--hidden-size", 16, "--epochs", 12),
    *("--validations-per-epoch", 0.25, "--device", "cpu", "--precision", "fp32", "--seed", 3),
)
"""A training of a second, which ends with the same weights each time."""
SONGS = ("--samples", 40, "--seed", 5, "--max-length", 800, "--temperature", 0.9)
"""Songs that take about as long."""
SESSION = Path("checkpoints/session_0")
EXPORTED = Path("exported_models/session_0.onnx")


@dataclass(frozen=True)
class Fixtures:
    """What the cases share: results of commands that nothing disturbed, each made when it is first needed."""

    folder: Path

    @cached_property
    def songs(self) -> dict[str, bytes]:
        """The file of `SONGS` in each format."""
        for form in ("text", "jsonl"):
            self._run(Command(RUN, [*SONGS, "--format", form, "--output", f"songs.{form}"], self.folder))
        return {form: (self.folder / f"songs.{form}").read_bytes() for form in ("text", "jsonl")}

    @cached_property
    def trained(self) -> Path:
        """A folder with the session of `TRAINING`."""
        folder = self.folder / "trained"
        folder.mkdir()
        self._run(Command(TRAIN, TRAINING, folder))
        return folder

    @cached_property
    def half_trained(self) -> Path:
        """A folder with the session of `TRAINING`, interrupted on its way."""
        folder = self.folder / "half_trained"
        folder.mkdir()
        running = Running(Command(TRAIN, TRAINING, folder))
        running.wait_until(lambda: len(figures(folder / SESSION)) > 1)
        running.send(signal.SIGINT)
        result = running.result()
        if result.code != INTERRUPTED:
            raise CheckError(f"{TRAIN} was not interrupted on its way: {result}")
        return folder

    @cached_property
    def exported(self) -> bytes:
        """The model file of `trained`."""
        self._run(Command(EXPORT, ["--session", 0], self.trained))
        return (self.trained / EXPORTED).read_bytes()

    @cache  # noqa: B019 (lives as long as the campaign)
    def seconds(self, module: str) -> float:
        """How long a command takes: TRAIN, EXPORT or RUN."""
        folder = self.trained if module == EXPORT else self.folder / f"timed_{module}"
        folder.mkdir(exist_ok=True)
        words = {TRAIN: TRAINING, EXPORT: ("--session", 0), RUN: (*SONGS, "--output", "songs.txt")}
        return self._run(Command(module, words[module], folder))

    @staticmethod
    def _run(command: Command) -> float:
        running = Running(command)
        result = running.result()
        if result.code != DONE:
            raise CheckError(f"{command}, which should work, ended with {result.code}: {result.err[-2000:]}")
        return running.seconds


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

    def stop(self, command: Command, signal_number: int) -> Result:
        """Run a command and send it a signal at a random moment, sometimes three times as terminals do."""
        imports = (0.5 if command.module == RUN else 3.0) if command.fresh else 0.0
        moment = self.random.uniform(0.02, 1.05 * self.fixtures.seconds(command.module) + imports)
        if command.fresh and signal_number != signal.SIGKILL:
            moment = max(moment, 0.15)  # Python itself is not up before
        running = Running(command)
        running.wait_until(lambda: running.seconds > moment)
        for _ in range(self.random.choice((1, 1, 3))):
            running.send(signal_number)
        return running.result()

    def kill(self, command: Command, largest_bytes: int) -> Result:
        """Run a command and kill it, as kill -9 does: at a random moment or at a random byte of a file.

        No file that it writes is larger than `largest_bytes`.
        """
        if self.is_one_in(2):
            return self.stop(command, signal.SIGKILL)
        size = self.random.randint(1, largest_bytes)
        result = result_of(replace(command, fresh=False, prepare=partial(limit_files, size, deadly=True)))
        killed = result.code == -signal.SIGXFSZ
        return replace(result, code=-signal.SIGKILL) if killed else result


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, by its path in it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def weights(session: Path) -> dict[str, bytes]:
    """Return the best and the last weights of a session by name; a file that is damaged by its content.

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
    """Return the lines of a session's metrics.csv without the time."""
    path = session / "metrics.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [{**line, "elapsed_seconds": ""} for line in csv.DictReader(file)]
