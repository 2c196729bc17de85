"""Faults of lyricgen-run: songs that are stopped, streams that are gone, files that are damaged."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import lyricgen
from checks.faults.case import FOLDER, JSONL, TEXT, UNFINISHED, Case, files
from checks.faults.damage import damaged
from checks.faults.process import DONE, RUN, SUCCESS, Command, Running, result_of

ENVIRONMENTS: dict[str, tuple[str | None, ...]] = {
    "HOME": (None, None, "/nonexistent", "/dev/null", "", "relative"),
    "XDG_CACHE_HOME": (None, None, "/nonexistent", "relative", "{package}"),
    "TMPDIR": (None, "/nonexistent"),
    "LANG": (None, "C", "tr_TR.UTF-8"),
    "PYTHONIOENCODING": (None, "ascii"),
    "TERM": (None, "dumb", "nonsense"),
    "COLUMNS": (None, "1", "0", "-5", "abc"),
    "OMP_NUM_THREADS": (None, "0", "abc"),
    "NUMBA_DISABLE_JIT": (None, None, "1"),
}


def songs_stopped(case: Case) -> Iterator[str]:
    """Kill -9 or Ctrl-C while songs are written to a file; the same command goes on."""
    work = case.random.choice((TEXT, JSONL))
    yield from case.stop_or_kill_file(work, Path("songs"))
    journal = case.folder / "songs.part"
    kept = journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0  # the first line is no song
    again = yield from case.again(work)
    if kept > 0 and f"{kept} of 40 songs are there already" not in again.err:
        yield f"{kept} finished songs are lost: {again.err!r}"
    if left := [name for name in files(case.folder) if name != "songs" and UNFINISHED not in name]:
        yield f"{left[0]} is left"


def songs_in_a_folder_stopped(case: Case) -> Iterator[str]:
    """Kill -9 or Ctrl-C while songs are written to a file each; the same command goes on."""
    yield from case.stop_or_kill(FOLDER)
    whole = files(case.fixtures.undisturbed(FOLDER).folder / "songs")
    found = files(case.folder / "songs")
    if any(found[name] != whole.get(name) for name in found if UNFINISHED not in name):
        yield "something half written under a song's name"
    yield from case.again(FOLDER)


def songs_on_a_full_disk(case: Case) -> Iterator[str]:
    """A disk that fills up while songs are written; with room again, the same command goes on."""
    work = case.random.choice((TEXT, JSONL))
    with_room = yield from case.on_a_full_disk(work, case.random.choice((4, 8, 16, 32, 64)))
    yield from with_room.again(work)


def pipe_closed(case: Case) -> Iterator[str]:
    """A reader that goes away, as head does."""
    words = case.random.choice(
        ("--seed 5", "--seed 5 --samples 20", "--info", "--info --format json", "--help")
    )
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        to_pipe = partial(os.dup2, writing, 1)
        running = Running(Command(RUN, words.split(), case.folder, fresh=True, prepare=to_pipe))
        os.close(writing)
        pipe.read(case.random.choice((0, 1, 100, 1000)))
    result = running.result()
    yield from result.broken(SUCCESS)
    if "Exception" in result.err:
        yield f"words on a closed pipe: {result.err}"


def read_only_install(case: Case) -> Iterator[str]:
    """A package that nobody may write to, without a home and in a poor environment: a song all the same."""
    package = case.folder / "site" / "lyricgen"
    compiled = ("__pycache__",) if case.is_one_in(3) else ()
    shutil.copytree(Path(lyricgen.__file__).parent, package, ignore=shutil.ignore_patterns(*compiled))
    for path in case.folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    drawn = {name: case.random.choice(values) for name, values in ENVIRONMENTS.items()}
    poor = {name: value.format(package=package) for name, value in drawn.items() if value is not None}
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(package.parent), **poor}
    result = result_of(Command(RUN, ["--seed", 5], package, True, _drop_rights, environment))  # noqa: FBT003
    yield from (f"{poor}: {what}" for what in result.broken(SUCCESS))
    if not result.out.strip():
        yield f"{poor}: no song"


def _drop_rights() -> None:
    """Take from root, too, the right to write where the permissions forbid it."""
    drop, override = 24, 1  # PR_CAPBSET_DROP and CAP_DAC_OVERRIDE of Linux
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(drop, override, 0, 0, 0)


def journals_damaged(case: Case) -> Iterator[str]:
    """What a killed run left, with bytes changed: the same command writes the songs or is an error."""
    case.stop(JSONL, signal.SIGKILL)
    if left := [path for path in case.folder.iterdir() if path.is_file() and path.name != "songs"]:
        victim = case.random.choice(sorted(left))
        victim.write_bytes(damaged(victim.read_bytes(), case.random))
    result = yield from case.run(RUN, JSONL.words)
    if result.code == DONE:
        try:
            songs = [json.loads(line) for line in (case.folder / "songs").read_bytes().splitlines()]
        except ValueError as error:
            yield f"exit code 0 with a line that is no song: {error}"
            return
        if [(song["index"], song["seed"]) for song in songs] != [(index, 5) for index in range(40)]:
            yield f"exit code 0 with {len(songs)} songs, not the 40 of the seed in their order"
        if any(song["characters"] != len(song["text"]) for song in songs):
            yield "a song is not as long as it says"


FAULTS = (
    *(songs_stopped, songs_in_a_folder_stopped, songs_on_a_full_disk),
    *(pipe_closed, read_only_install, journals_damaged),
)
