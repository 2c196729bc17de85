"""Faults of python -m train and python -m export."""

from __future__ import annotations

import gzip
import lzma
import shutil
import signal
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from checks.faults.case import (
    EXPORTED,
    EXPORTING,
    SESSION,
    SMALL_SONGS,
    TRAINING,
    UNFINISHED,
    Case,
    figures,
    files,
    weights,
)
from checks.faults.damage import damaged, options
from checks.faults.process import DONE, EXPORT, INTERRUPTED, RUN, TRAIN

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RESUME = ("--resume", 0)
SMALL = ("--corpus", SMALL_SONGS, "--preset", "tiny", "--hidden-size", 8)


def training_killed(case: Case) -> Iterator[str]:
    """Kill -9 during a training, at any moment or in a write, once or twice; --resume ends with the same."""
    for _ in range(case.random.choice((1, 1, 2))):
        result = case.kill(TRAINING, _words(case))
        yield from result.broken(frozenset({-signal.SIGKILL, DONE}))
    yield from _ends_the_same(case)


def training_interrupted(case: Case) -> Iterator[str]:
    """Ctrl-C, a shutdown or a closed terminal during a training: saved, and --resume ends with the same."""
    for _ in range(case.random.choice((1, 1, 2))):
        number = case.random.choice(SIGNALS)
        since = time.time_ns()
        result = case.stop(TRAINING, number, _words(case))
        yield from result.broken(frozenset({DONE, -number, 128 + number, INTERRUPTED}))
        if "stopped and saved" in result.out:
            if result.code != 128 + number:
                yield f"signal {number} ended a training with {result.code}"
            if (case.folder / SESSION / "last.safetensors").stat().st_mtime_ns < since:
                yield f"signal {number} ended a training that was not saved, whatever it says"
    yield from _ends_the_same(case)


def _words(case: Case) -> tuple[object, ...]:
    """Return the words that begin the training or go on with it."""
    return RESUME if (case.folder / SESSION).exists() else TRAINING.words


def _ends_the_same(case: Case) -> Iterator[str]:
    """Run the last command of a training; compare what it leaves with a run that nobody stopped."""
    yield from case.again(TRAINING, _words(case))
    session = case.folder / SESSION
    if figures(session) != figures(case.fixtures.trained / SESSION):
        yield "other figures than without the interruption"
    beside = [path.name for path in session.parent.iterdir() if path != session]
    left = [name for name in files(session) if UNFINISHED in name]
    left += [name for name in beside if not name.startswith(".session_new_")]  # later trainings remove it
    if left:
        yield f"{left[0]} is left"


def training_on_a_full_disk(case: Case) -> Iterator[str]:
    """A disk too small for the session or its last files; with room again, --resume ends with the same."""
    kib = case.random.choice((8, 40, 60, 80, 100, 120, 150, 200, 300))
    with_room = yield from case.on_a_full_disk(TRAINING, kib)
    yield from with_room.again(TRAINING, _words(with_room))


def export_stopped(case: Case) -> Iterator[str]:
    """Kill -9 or Ctrl-C during an export: no file or the older one; the next export gives the usual one."""
    shutil.copytree(case.fixtures.trained / "checkpoints", case.folder / "checkpoints")
    yield from case.stop_or_kill_file(EXPORTING, EXPORTED)
    yield from case.again(EXPORTING)


def export_on_a_full_disk(case: Case) -> Iterator[str]:
    """A disk with no room for the exported file; with room again, the next export gives the usual one."""
    with_room = yield from case.on_a_full_disk(EXPORTING, case.random.choice((4, 8, 16, 64, 1000)))
    yield from with_room.again(EXPORTING)


def odd_options(case: Case) -> Iterator[str]:
    """Options of all three commands and their values, good and odd, in any combination."""
    shutil.copytree(case.fixtures.trained / "checkpoints", case.folder / "checkpoints")
    usual: tuple[tuple[str, tuple[object, ...]], ...] = (
        (RUN, ("--max-length", 300)),
        (TRAIN, (*SMALL, "--epochs", 0.5)),
        (TRAIN, ("--corpus", SMALL_SONGS, "--from", 0, "--epochs", 0.5)),
        (TRAIN, RESUME),
        (EXPORT, EXPORTING.words),
    )
    module, words = case.random.choice(usual)
    words += tuple(options(module, case.random))
    yield from (f"{module} {words}: {what}" for what in case.run(module, words))


def corpora_damaged(case: Case) -> Iterator[str]:
    """A CSV, an archive or a folder of texts with bytes changed."""
    names = ("songs.csv", "songs.csv.gz", "songs.csv.xz", "songs.zip", "songs/1.txt")
    path = case.folder / case.random.choice(names)
    path.parent.mkdir(exist_ok=True)
    content = SMALL_SONGS.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("songs.csv", content)
        content = path.read_bytes()
    elif path.suffix in (".gz", ".xz"):
        content = (gzip if path.suffix == ".gz" else lzma).compress(content)
    path.write_bytes(damaged(content, case.random))
    words = ["--corpus", path.parent if path.suffix == ".txt" else path, *SMALL[2:], "--epochs", 0.1]
    words += ["--skip-bad-rows"] if case.is_one_in(3) else []
    result = yield from case.run(TRAIN, words)
    if result.code != DONE and (case.folder / SESSION).exists():
        yield "a session in spite of the error"


def sessions_damaged(case: Case) -> Iterator[str]:
    """A session with one file damaged or gone: what reads it answers, and spoils nothing else."""
    session = case.folder / SESSION
    if case.is_one_in(2):
        case.stop(TRAINING, signal.SIGINT)
    if not session.exists():
        shutil.copytree(case.fixtures.trained / SESSION, session)
    names = sorted(files(session)) if not case.is_one_in(3) else ["best.safetensors", "last.safetensors"]
    victim = session / case.random.choice(names)
    if case.is_one_in(10):
        victim.unlink(missing_ok=True)
    elif victim.exists():
        victim.write_bytes(damaged(victim.read_bytes(), case.random))
    before = files(session)
    tuning = ("--from", 0, "--corpus", SMALL_SONGS, "--epochs", 0.1)
    readers = ((TRAIN, RESUME), (EXPORT, EXPORTING.words), (TRAIN, tuning))
    module, words = readers[0] if victim.name == "last.safetensors" else case.random.choice(readers)
    result = yield from case.run(module, words)
    if result.code == DONE and words == RESUME:
        if victim.name != "config.json" and weights(session) != weights(case.fixtures.trained / SESSION):
            yield f"other weights than without the damage to {victim.name}"
        return
    after, may_change = files(session), {victim.name, "train.log", "train.lock", "held_out.json"}
    for name in before:
        if before[name] != after.get(name) and Path(name).name not in may_change and UNFINISHED not in name:
            yield f"{words}: {name} was spoilt, beside the damaged {victim.name}"


FAULTS = (
    *(training_killed, training_interrupted, training_on_a_full_disk, export_stopped, export_on_a_full_disk),
    *(odd_options, corpora_damaged, sessions_damaged),
)
