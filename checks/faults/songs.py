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
from checks.faults.case import SONGS, UNFINISHED, Case, files
from checks.faults.damage import damaged
from checks.faults.process import (
    DONE,
    INTERRUPTED,
    RUN,
    Command,
    Result,
    Running,
    limit_files,
    result_of,
    small_disk,
)

OLD = b"an older file"
SUCCESS = frozenset({DONE})
STOPPED = frozenset({DONE, INTERRUPTED, -signal.SIGKILL, -signal.SIGINT})
"""Exit codes of a command that was stopped; -SIGINT, which a shell shows as 130, at Python's own end."""


def songs_stopped(case: Case) -> Iterator[str]:
    """Kill -9 or Ctrl-C while songs are written to a file; the same command goes on."""
    form = case.random.choice(("text", "jsonl"))
    expected = case.fixtures.songs[form]
    path, has_old = case.folder / "songs", case.is_one_in(2)
    if has_old:
        path.write_bytes(OLD)
    words = [*SONGS, "--format", form, "--output", path]
    yield from _stop(case, words, 2 * len(expected)).broken(STOPPED)
    if has_old and not path.exists():
        yield "the older file is lost"
    elif path.exists() and path.read_bytes() not in ((expected, OLD) if has_old else (expected,)):
        yield "something half written under the final name"
    journal = case.folder / "songs.part"
    kept = journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0  # the first line is no song
    again = result_of(Command(RUN, words, case.folder))
    yield from again.broken(SUCCESS)
    if kept > 0 and f"{kept} of 40 songs are there already" not in again.err:
        yield f"{kept} finished songs are lost: {again.err!r}"
    if path.read_bytes() != expected:
        yield "other songs than without the interruption"
    if left := [name for name in files(case.folder) if name != "songs" and UNFINISHED not in name]:
        yield f"{left[0]} is left"


def songs_in_a_folder_stopped(case: Case) -> Iterator[str]:
    """Kill -9 or Ctrl-C while songs are written to a file each; the same command goes on."""
    expected = case.fixtures.songs["jsonl"].splitlines(keepends=True)
    words = [*SONGS, "--format", "jsonl", "--output", "songs/"]
    yield from _stop(case, words, max(map(len, expected))).broken(STOPPED)
    if any(song not in expected for song in _songs_in(case.folder / "songs")):
        yield "something half written under a song's name"
    yield from result_of(Command(RUN, words, case.folder)).broken(SUCCESS)
    if _songs_in(case.folder / "songs") != expected:
        yield "other songs than without the interruption"


def _stop(case: Case, words: list[object], largest_bytes: int) -> Result:
    command = Command(RUN, words, case.folder, fresh=case.is_one_in(3))
    return case.stop(command, signal.SIGINT) if case.is_one_in(2) else case.kill(command, largest_bytes)


def _songs_in(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("song_*.jsonl"))]


def songs_on_a_full_disk(case: Case) -> Iterator[str]:
    """A disk that fills up while songs are written; with room again, the same command goes on."""
    form = case.random.choice(("text", "jsonl"))
    expected = case.fixtures.songs[form]
    disk, kept = case.folder / "disk", case.folder / "kept"
    words = [*SONGS, "--format", form, "--output", "songs"]
    with small_disk(disk, case.random.choice((4, 8, 16, 32, 64))) as limit:
        result = result_of(Command(RUN, words, disk, prepare=partial(limit_files, limit)))
        yield from result.broken()
        shutil.copytree(disk, kept)
    path = kept / "songs"
    if path.exists() and path.read_bytes() != expected:
        yield "something half written under the final name"
    if result.code == DONE and not path.exists():
        yield "exit code 0 without a file"
    yield from result_of(Command(RUN, words, kept)).broken(SUCCESS)
    if path.read_bytes() != expected:
        yield "other songs than without the full disk"


def pipe_closed(case: Case) -> Iterator[str]:
    """A reader that goes away, as head does."""
    asked = (["--seed", "5"], ["--seed", "5", "--samples", "20"], ["--info"], ["--help"])
    words = case.random.choice((*asked, ["--info", "--format", "json"]))
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        to_pipe = partial(os.dup2, writing, 1)
        running = Running(Command(RUN, words, case.folder, fresh=True, prepare=to_pipe))
        os.close(writing)
        pipe.read(case.random.choice((0, 1, 100, 1000)))
    result = running.result()
    yield from result.broken(SUCCESS)
    if "Exception" in result.err:
        yield f"words on a closed pipe: {result.err}"


def read_only_install(case: Case) -> Iterator[str]:
    """A package that nobody may write to, without a home and in a poor environment: a song all the same."""
    package = case.folder / "site" / "lyricgen"
    shutil.copytree(Path(lyricgen.__file__).parent, package)
    if case.is_one_in(3):  # never compiled before
        for folder in list(package.rglob("__pycache__")):
            shutil.rmtree(folder)
    for path in case.folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    values: dict[str, tuple[str | None, ...]] = {
        "HOME": (None, None, "/nonexistent", "/dev/null", "", "relative"),
        "XDG_CACHE_HOME": (None, None, "/nonexistent", "relative", str(package)),
        "TMPDIR": (None, "/nonexistent"),
        "LANG": (None, "C", "tr_TR.UTF-8"),
        "PYTHONIOENCODING": (None, "ascii"),
        "TERM": (None, "dumb", "nonsense"),
        "COLUMNS": (None, "1", "0", "-5", "abc"),
        "OMP_NUM_THREADS": (None, "0", "abc"),
        "NUMBA_DISABLE_JIT": (None, None, "1"),
    }
    poor = {name: value for name, some in values.items() if (value := case.random.choice(some)) is not None}
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(package.parent), **poor}
    result = result_of(
        Command(RUN, ["--seed", "5"], package, fresh=True, prepare=_drop_rights, environment=environment)
    )
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
    command = Command(RUN, [*SONGS, "--format", "jsonl", "--output", "songs"], case.folder)
    case.stop(command, signal.SIGKILL)
    if left := [path for path in case.folder.iterdir() if path.is_file() and path.name != "songs"]:
        victim = case.random.choice(sorted(left))
        victim.write_bytes(damaged(victim.read_bytes(), case.random))
    result = result_of(command)
    yield from result.broken()
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
    songs_stopped,
    songs_in_a_folder_stopped,
    songs_on_a_full_disk,
    pipe_closed,
    read_only_install,
    journals_damaged,
)
