"""Faults of python -m train and python -m export."""

from __future__ import annotations

import gzip
import lzma
import shutil
import signal
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from checks.faults.case import (
    EXPORTED,
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
from checks.faults.process import (
    DONE,
    EXPORT,
    INTERRUPTED,
    RUN,
    TRAIN,
    Command,
    limit_files,
    result_of,
    small_disk,
)

OLD = b"an older file"
SUCCESS = frozenset({DONE})
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LARGEST_BYTES = 100_000
"""More than any file of `TRAINING` has."""


def training_killed(case: Case) -> Iterator[str]:
    """Kill -9 during a training, at any moment or in a write, once or twice; --resume ends with the same."""
    for _ in range(case.random.choice((1, 1, 2))):
        result = case.kill(_train_or_resume(case), LARGEST_BYTES)
        yield from result.broken(frozenset({-signal.SIGKILL, DONE}))
    yield from _ends_the_same(case)


def training_interrupted(case: Case) -> Iterator[str]:
    """Ctrl-C, a shutdown or a closed terminal during a training: saved, and --resume ends with the same."""
    for _ in range(case.random.choice((1, 1, 2))):
        number = case.random.choice(SIGNALS)
        since = time.time_ns()
        result = case.stop(_train_or_resume(case), number)
        yield from result.broken(frozenset({DONE, -number, 128 + number, INTERRUPTED}))
        if "stopped and saved" in result.out:
            if result.code != 128 + number:
                yield f"signal {number} ended a training with {result.code}"
            if (case.folder / SESSION / "last.safetensors").stat().st_mtime_ns < since:
                yield f"signal {number} ended a training that was not saved, whatever it says"
    yield from _ends_the_same(case)


def _train_or_resume(case: Case) -> Command:
    """Return the command that begins the training or goes on with it."""
    words = ["--resume", 0] if (case.folder / SESSION).exists() else TRAINING
    return Command(TRAIN, words, case.folder, fresh=case.is_one_in(5))


def _ends_the_same(case: Case) -> Iterator[str]:
    """Run the last command of a training; compare what it leaves with a run that nobody stopped."""
    yield from result_of(_train_or_resume(case)).broken(SUCCESS)
    session, undisturbed = case.folder / SESSION, case.fixtures.trained / SESSION
    if weights(session) != weights(undisturbed):
        yield "other weights than without the interruption"
    if figures(session) != figures(undisturbed):
        yield "other figures than without the interruption"
    if half := [name for name in files(session) if UNFINISHED in name]:
        yield f"{half[0]} is left in the session"
    others = [path.name for path in session.parent.iterdir() if path != session]
    if left := [
        name for name in others if not name.startswith(".session_new_")
    ]:  # removed by later trainings
        yield f"{left[0]} is left beside the session"


def training_on_a_full_disk(case: Case) -> Iterator[str]:
    """A disk too small for the session or its last files; with room again, --resume ends with the same."""
    expected = weights(case.fixtures.trained / SESSION)
    disk, kept = case.folder / "disk", case.folder / "kept"
    with small_disk(disk, case.random.choice((8, 40, 60, 80, 100, 120, 150, 200, 300))) as limit:
        result = result_of(Command(TRAIN, TRAINING, disk, prepare=partial(limit_files, limit)))
        yield from result.broken()
        shutil.copytree(disk, kept)
    if result.code == DONE and weights(kept / SESSION) != expected:
        yield "exit code 0 without the weights"
    if (kept / SESSION).exists():
        yield from result_of(Command(TRAIN, ["--resume", 0], kept)).broken(SUCCESS)
        if weights(kept / SESSION) != expected:
            yield "other weights than without the full disk"


def export_stopped(case: Case) -> Iterator[str]:
    """Kill -9 or Ctrl-C during an export: no file or the older one; the next export gives the usual one."""
    expected = case.fixtures.exported
    shutil.copytree(case.fixtures.trained / "checkpoints", case.folder / "checkpoints")
    path, before = case.folder / EXPORTED, None
    if case.is_one_in(2):
        path.parent.mkdir()
        path.write_bytes(before := OLD)
    command = Command(EXPORT, ["--session", 0], case.folder, fresh=case.is_one_in(5))
    is_kill = case.is_one_in(2)
    result = case.kill(command, len(expected)) if is_kill else case.stop(command, signal.SIGINT)
    yield from result.broken(frozenset({-signal.SIGKILL, -signal.SIGINT, INTERRUPTED, DONE}))
    if (path.read_bytes() if path.exists() else None) not in (expected, before):
        yield "something half written under the final name, or the older file lost"
    yield from result_of(command).broken(SUCCESS)
    if path.read_bytes() != expected:
        yield "another file than without the interruption"


def export_on_a_full_disk(case: Case) -> Iterator[str]:
    """A disk with no room for the exported file."""
    expected, disk = case.fixtures.exported, case.folder / "disk"
    with small_disk(disk, case.random.choice((4, 8, 16, 64, 1000))) as limit:
        (disk / "checkpoints").symlink_to(case.fixtures.trained / "checkpoints")
        result = result_of(Command(EXPORT, ["--session", 0], disk, prepare=partial(limit_files, limit)))
        yield from result.broken()
        path = disk / EXPORTED
        if path.exists() and path.read_bytes() != expected:
            yield "something half written under the final name"
        if (result.code == DONE) != path.exists():
            yield f"exit code {result.code}, and {'a' if path.exists() else 'no'} file"


def odd_options(case: Case) -> Iterator[str]:
    """Options of all three commands and their values, good and odd, in any combination."""
    shutil.copytree(case.fixtures.trained / "checkpoints", case.folder / "checkpoints")
    module, *usual = case.random.choice(
        (
            [RUN, "--max-length", 300],
            [TRAIN, "--corpus", SMALL_SONGS, "--preset", "tiny", "--hidden-size", 8, "--epochs", 0.5],
            [TRAIN, "--corpus", SMALL_SONGS, "--from", 0, "--epochs", 0.5],
            [TRAIN, "--resume", 0],
            [EXPORT, "--session", 0],
        )
    )
    words = [*usual, *options(str(module), case.random)]
    result = result_of(Command(str(module), words, case.folder))
    yield from (f"{module} {words}: {what}" for what in result.broken())


def corpora_damaged(case: Case) -> Iterator[str]:
    """A CSV, an archive or a folder of texts with bytes changed."""
    names = ("songs.csv", "songs.csv.gz", "songs.csv.xz", "songs.zip", "songs/1.txt")
    path = case.folder / case.random.choice(names)
    path.parent.mkdir(exist_ok=True)
    _compress(SMALL_SONGS.read_bytes(), path)
    path.write_bytes(damaged(path.read_bytes(), case.random))
    corpus = path.parent if path.suffix == ".txt" else path
    words: list[object] = ["--corpus", corpus, "--preset", "tiny", "--hidden-size", 8, "--epochs", 0.1]
    words += ["--skip-bad-rows"] if case.is_one_in(3) else []
    result = result_of(Command(TRAIN, words, case.folder))
    yield from result.broken()
    if result.code != DONE and (case.folder / SESSION).exists():
        yield "a session in spite of the error"


def _compress(content: bytes, path: Path) -> None:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("songs.csv", content)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(content))
    else:
        path.write_bytes(lzma.compress(content) if path.suffix == ".xz" else content)


def sessions_damaged(case: Case) -> Iterator[str]:
    """A session with one file damaged or gone: what reads it answers, and spoils nothing else."""
    session = case.folder / SESSION
    whole = case.random.choice((case.fixtures.trained, case.fixtures.half_trained))
    shutil.copytree(whole / SESSION, session)
    weight_files = [session / f"{name}.safetensors" for name in ("best", "last")]
    others = sorted(path for path in session.rglob("*") if path.is_file())
    victim = case.random.choice(weight_files if case.is_one_in(3) else others)
    if case.is_one_in(10):
        victim.unlink()
    else:
        victim.write_bytes(damaged(victim.read_bytes(), case.random))
    before = files(session)
    resume: list[object] = [TRAIN, "--resume", 0]
    readers: list[list[object]] = [
        resume,
        [EXPORT, "--session", 0],
        [TRAIN, "--from", 0, "--corpus", SMALL_SONGS, "--epochs", 0.1],
    ]
    module, *words = resume if victim.name == "last.safetensors" else case.random.choice(readers)
    result = result_of(Command(str(module), words, case.folder))
    yield from (f"{words}, {victim.name} damaged: {what}" for what in result.broken())
    if result.code == DONE and words[0] == "--resume":
        if victim.name != "config.json" and weights(session) != weights(case.fixtures.trained / SESSION):
            yield f"other weights than without the damage to {victim.name}"
        return
    after, may_change = files(session), {victim.name, "train.log", "train.lock", "held_out.json"}
    for name in before:
        if before[name] != after.get(name) and Path(name).name not in may_change and UNFINISHED not in name:
            yield f"{words}: {name} was spoilt, beside the damaged {victim.name}"


FAULTS = (
    training_killed,
    training_interrupted,
    training_on_a_full_disk,
    export_stopped,
    export_on_a_full_disk,
    odd_options,
    corpora_damaged,
    sessions_damaged,
)
