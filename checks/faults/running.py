"""Faults of lyricgen-run: songs that are stopped, streams that are gone, files that are damaged."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import onnx

import lyricgen
from checks.faults.cases import answered, killed_in_a_write, stopped
from checks.faults.damage import NUMBERS, SWITCH, TEXTS, Offer, damaged, options
from checks.faults.place import PART, SMALL_SONGS, SONGS, Place, files
from checks.faults.process import (
    DONE,
    ERROR,
    EXPORT,
    INTERRUPTED,
    PATHS,
    ROOT,
    RUN,
    TRAIN,
    USAGE,
    Call,
    Ended,
    Started,
    broken,
    outcome,
    small_disk,
)
from lyricgen.generator import BUNDLED_MODEL_PATH

_FAKE_MODELS = sorted((ROOT / "tests/data").glob("fake*.onnx"))
_KILLED = frozenset({-signal.SIGKILL, DONE})


def songs_killed(place: Place) -> Iterator[str]:
    """Kill -9 while songs are written to a file, at any moment or in a write; the same command goes on."""
    yield from _songs_stopped(place, signal.SIGKILL, _KILLED)


def songs_interrupted(place: Place) -> Iterator[str]:
    """Ctrl-C, at any moment from the start of Python's imports on; the same command goes on."""
    yield from _songs_stopped(place, signal.SIGINT, frozenset({INTERRUPTED, DONE}))


def _songs_stopped(place: Place, number: int, codes: frozenset[int]) -> Iterator[str]:
    form = place.draw.choice(("text", "jsonl"))
    expected, old = place.songs[form], b"an older file"
    with place.empty_folder() as folder:
        path = folder / "songs"
        has_old = place.draw.random() < 0.5
        if has_old:
            path.write_bytes(old)
        afresh = place.draw.random() < 0.3
        call = Call(RUN, [*SONGS, "--format", form, "--output", path], folder, afresh)
        if number == signal.SIGKILL and place.draw.random() < 0.5:
            yield from killed_in_a_write(place, call, 2 * len(expected))
        else:
            yield from stopped(place, call, number, codes)
        if path.exists() and path.read_bytes() not in ((expected, old) if has_old else (expected,)):
            yield "something half written under the final name"
        elif has_old and not path.exists():
            yield "the older file is lost"
        kept = _kept(folder / "songs.part")
        again = outcome(Call(RUN, call.arguments, folder))
        yield from broken(again, frozenset({DONE}))
        if kept and f"{kept} of 40 songs are there already" not in again.err:
            yield f"{kept} finished songs are lost: {again.err!r}"
        if path.read_bytes() != expected:
            yield "other songs than without the interruption"
        if left := [name for name in files(folder) if name != "songs" and PART not in name]:
            yield f"{left[0]} is left"


def songs_in_a_folder_killed(place: Place) -> Iterator[str]:
    """Kill -9 while songs are written to a file each."""
    expected = place.songs["jsonl"].splitlines(keepends=True)
    with place.empty_folder() as folder:
        call = Call(RUN, [*SONGS, "--format", "jsonl", "--output", "songs/"], folder)
        if place.draw.random() < 0.5:
            yield from killed_in_a_write(place, call, max(map(len, expected)))
        else:
            number = place.draw.choice((signal.SIGKILL, signal.SIGINT))
            yield from stopped(place, call, number, _KILLED | {INTERRUPTED})
        yield from _half_songs(folder / "songs", expected, all_there=False)
        yield from broken(outcome(call), frozenset({DONE}))
        yield from _half_songs(folder / "songs", expected, all_there=True)


def _half_songs(folder: Path, expected: list[bytes], *, all_there: bool) -> Iterator[str]:
    written = [path for path in folder.glob("*.jsonl") if not path.name.startswith(PART)]
    if all_there and len(written) != len(expected):
        yield f"{len(written)} songs, not {len(expected)}"
    if any(path.read_bytes() not in expected for path in written):
        yield "something half written under a song's name"


def _kept(journal: Path) -> int:
    """Return how many whole songs a journal holds."""
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.exists() else 0


def runs_at_once(place: Place) -> Iterator[str]:
    """Two runs with one aim: both end well, or one is told, and the songs are one seed's."""
    with place.empty_folder() as folder:
        to_folder = place.draw.random() < 0.5
        target = "songs/" if to_folder else "songs"
        words = ["--samples", 40, "--max-length", 300, "--output", target, "--format", "jsonl"]
        words += ["--seed", 5] if place.draw.random() < 0.5 else []
        both = [Started(Call(RUN, words, folder)) for _ in range(2)]
        codes = []
        for started in both:
            ended = started.ended()
            codes.append(ended.code)
            yield from broken(ended, frozenset({DONE, ERROR}))
        if DONE not in codes:
            yield f"neither run ended well: {codes}"
        paths = sorted((folder / "songs").glob("song_*")) if to_folder else [folder / "songs"]
        songs = [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]
        if [song["index"] for song in songs] != list(range(40)) or len({song["seed"] for song in songs}) != 1:
            yield f"{len(songs)} songs, which are not those of one seed"


def songs_on_a_full_disk(place: Place) -> Iterator[str]:
    """A disk that fills up while songs are written; with room again, the same command goes on."""
    form = place.draw.choice(("text", "jsonl"))
    expected = place.songs[form]
    with place.empty_folder() as folder:
        disk = folder / "disk"
        with small_disk(disk, place.draw.choice((4, 8, 16, 32, 64))) as limit:
            path = disk / "songs"
            call = Call(RUN, [*SONGS, "--format", form, "--output", path], folder, file_bytes=limit)
            ended = outcome(call)
            yield from broken(ended)
            if path.exists() and path.read_bytes() != expected:
                yield "something half written under the final name"
            if ended.code == DONE and not path.exists():
                yield "exit code 0 without a file"
            kept = folder / "kept"
            shutil.copytree(disk, kept)
        path = kept / "songs"
        yield from broken(outcome(Call(RUN, [*call.arguments[:-1], path], folder)), frozenset({DONE}))
        if path.read_bytes() != expected:
            yield "other songs than without the full disk"


def pipe_closed(place: Place) -> Iterator[str]:
    """A reader that goes away, as head does."""
    with place.empty_folder() as folder:
        samples = place.draw.choice((1, 1, 20))
        form = place.draw.choice(("text", "jsonl"))
        words = ["--seed", "5", "--samples", str(samples), "--format", form]
        words = place.draw.choice((words, words, ["--info"], ["--help"], ["--info", "--format", "json"]))
        with (folder / "err").open("wb") as err:
            process = _popen([RUN, *words], folder, stdout=subprocess.PIPE, stderr=err)
            assert process.stdout is not None  # noqa: S101 (for mypy)
            with process.stdout as pipe:
                pipe.read(place.draw.choice((0, 1, 100, 1000)))
            code = process.wait(60)
        said = (folder / "err").read_text("utf-8")
        yield from broken(Ended(code, "", said), frozenset({DONE}))
        if "Exception" in said:
            yield f"words on a closed pipe: {said}"


def streams_missing(place: Place) -> Iterator[str]:
    """stdin, stdout or stderr closed, full, without a reader, or no terminal."""
    module, words = place.draw.choice(
        (
            (RUN, ["--seed", "5"]),
            (RUN, ["--samples", "3", "--seed", "5", "--output", "songs.txt"]),
            (RUN, ["--info"]),
            (RUN, ["--temperature", "-1"]),
            (RUN, ["--help"]),
            (TRAIN, ["--help"]),
            (TRAIN, ["--preset", "huge"]),
            (EXPORT, ["--session", "9"]),
        )
    )
    streams = {
        name: place.draw.choice(("closed", "full", "broken", "file"))
        for name in place.draw.sample(("stdin", "stdout", "stderr"), place.draw.randint(1, 3))
    }
    with place.empty_folder() as folder:
        ended, song = _with_streams(folder, module, words, streams), folder / "songs.txt"
        lost = streams.get("stdout") in ("closed", "full") and "--output" not in words
        wrong = "-1" in words or "huge" in words
        expected = {USAGE} if wrong else {ERROR} if lost or module == EXPORT else {DONE}
        if streams.get("stderr", "file") != "file":
            ended = Ended(ended.code, ended.out, "error: unheard" if ended.code else "")
        yield from (f"{streams}: {what}" for what in broken(ended, frozenset(expected)))
        if ended.code == DONE and "--output" in words and not song.exists():
            yield f"{streams}: exit code 0 without the file"


def _with_streams(folder: Path, module: str, words: list[str], streams: dict[str, str]) -> Ended:
    def redirect() -> None:
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            if streams.get(name) == "closed":
                os.close(number)
            elif streams.get(name) == "full":
                os.dup2(os.open("/dev/full", os.O_RDWR), number)
            elif streams.get(name) == "broken":
                reading, writing = os.pipe()
                os.dup2(reading if name == "stdin" else writing, number)
                os.close(reading)
                os.close(writing)

    out_path, err_path = folder / "out", folder / "err"
    with out_path.open("wb") as out, err_path.open("wb") as err:
        process = _popen([module, *words], folder, stdout=out, stderr=err, preexec_fn=redirect)
        code = process.wait(60)
    return Ended(code, out_path.read_text("utf-8"), err_path.read_text("utf-8"))


def read_only_install(place: Place) -> Iterator[str]:
    """A package that nobody may write to, no home, and a poor environment: a song all the same."""
    draw = place.draw
    with place.empty_folder() as folder:
        package = folder / "site" / "lyricgen"
        shutil.copytree(Path(lyricgen.__file__).parent, package, ignore=shutil.ignore_patterns("*.pyc"))
        cold = draw.random() < 0.3
        if cold:
            for compiled in package.rglob("__pycache__"):
                shutil.rmtree(compiled, ignore_errors=True)
        for path in sorted(folder.rglob("*"), reverse=True):
            path.chmod(0o555 if path.is_dir() else 0o444)
        kept = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(package.parent)}
        poor = {
            "HOME": draw.choice((None, None, "/nonexistent", "/dev/null", "", "relative")),
            "XDG_CACHE_HOME": draw.choice((None, None, "/nonexistent", "relative", str(package))),
            "TMPDIR": draw.choice((None, "/nonexistent")),
            "LANG": draw.choice((None, "C", "tr_TR.UTF-8")),
            "PYTHONIOENCODING": draw.choice((None, "ascii")),
            "TERM": draw.choice((None, "dumb", "nonsense")),
            "COLUMNS": draw.choice((None, "1", "0", "-5", "abc")),
            "OMP_NUM_THREADS": draw.choice((None, "0", "abc")),
            "NUMBA_DISABLE_JIT": draw.choice((None, None, "1")),
        }
        environment = kept | {name: value for name, value in poor.items() if value is not None}
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            code = _popen(
                [RUN, "--seed", "5"], package, stdout=out, stderr=err, env=environment, preexec_fn=_powerless
            ).wait(120)
        ended = Ended(code, (folder / "out").read_text("utf-8"), (folder / "err").read_text("utf-8"))
        yield from (f"{environment}: {what}" for what in broken(ended, frozenset({DONE})))
        if not ended.out.strip():
            yield f"{environment}: no song"


def _powerless() -> None:
    """Take from root, too, the right to write where the permissions forbid it."""
    import ctypes

    drop, override = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE of Linux
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(drop, override, 0, 0, 0)


def options_of_run(place: Place) -> Iterator[str]:
    """Options and values, good and bad, in any combination."""
    with place.empty_folder() as folder:
        wholes = (("3", "2", "1"), NUMBERS[:-4])
        places = (f"{folder}/songs.txt", f"{folder}/songs/", "/dev/null")
        models = (*map(str, (*_FAKE_MODELS, BUNDLED_MODEL_PATH)),)
        offered: dict[str, Offer] = {
            **dict.fromkeys(("--temperature", "--top-p", "--min-p"), (("0.75", "1", "0.3"), NUMBERS)),
            **dict.fromkeys(("--top-k", "--seed", "--first", "--samples"), wholes),
            "--threads": (("1", "2"), NUMBERS),
            "--max-length": (("20", "100", "300"), NUMBERS[:7]),
            "--style": (("folk",), TEXTS),
            **dict.fromkeys(("--title", "--prompt"), (("The moon", "river"), TEXTS)),
            "--model": (models, (str(SMALL_SONGS), str(folder), *TEXTS)),
            "--output": (places, ("/dev/full", "/proc/x", *TEXTS)),
            "--format": (("text", "jsonl"), ("json", *TEXTS[:4])),
            **dict.fromkeys(("--exact-length", "--info", "--self-test", "--version"), SWITCH),
        }
        words = options(offered, place.draw)
        call = Call(RUN, [*words, "--max-length", "300"] if "--max-length" not in words else words, folder)
        yield from answered(call)


def models_damaged(place: Place) -> Iterator[str]:
    """A model file with bytes changed, cut off, doubled or poisoned."""
    with place.empty_folder() as folder:
        content = place.draw.choice((*(path.read_bytes() for path in _FAKE_MODELS), place.exported))
        changed = damaged(content, place.draw)
        (folder / "model.onnx").write_bytes(changed)
        wish = place.draw.choice(
            (["--info"], ["--seed", "1"], ["--self-test"], ["--info", "--format", "json"])
        )
        ended = yield from answered(Call(RUN, ["--model", "model.onnx", "--max-length", "50", *wish], folder))
        if ended.code == DONE and _tensors(changed) != _tensors(content):
            yield "other weights than the file's own hash says"


def _tensors(content: bytes) -> dict[str, bytes]:
    """Return the tensors of a model file by name, as another reader finds them."""
    graph = onnx.load_from_string(content).graph
    return {tensor.name: tensor.raw_data for tensor in graph.initializer}


def journals_damaged(place: Place) -> Iterator[str]:
    """What an interrupted run left, with bytes changed: gone on with, or an error."""
    with place.empty_folder() as folder:
        to_folder = place.draw.random() < 0.3
        target = "songs/" if to_folder else "songs"
        call = Call(RUN, [*SONGS, "--format", "jsonl", "--output", target], folder)
        started = Started(call)
        started.wait_until(lambda: started.seconds > place.draw.uniform(0, place.seconds[RUN]))
        started.send(signal.SIGKILL)
        started.ended()
        if left := [path for path in folder.rglob("*") if path.is_file() and path.name != "songs"]:
            victim = place.draw.choice(left)
            victim.write_bytes(damaged(victim.read_bytes(), place.draw))
        ended = yield from answered(call)
        if ended.code == DONE:
            paths = sorted((folder / "songs").glob("song_*")) if to_folder else [folder / "songs"]
            lines = [line for path in paths for line in path.read_bytes().splitlines()]
            yield from (f"done, but {what}" for what in _no_songs(lines, whole=not to_folder))


def _no_songs(lines: list[bytes], *, whole: bool) -> Iterator[str]:
    """Tell in what these lines are not those of the 40 songs; songs in a folder are not read again."""
    if not whole:
        return
    songs = []
    for line in lines:
        try:
            songs.append(json.loads(line))
        except ValueError:
            yield f"{line[:80]!r} is no song"
    if [song.get("index") for song in songs] != list(range(40)):
        yield f"{len(songs)} songs are there, not the 40 in their order"
    elif any(song["characters"] != len(song["text"]) or song["seed"] != 5 for song in songs):
        yield "a song is not as long as it says, or of another seed"


def _popen(words: list[str], folder: Path, **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401
    environment = {**os.environ, **PATHS}
    command = [sys.executable, "-m", *words]
    return subprocess.Popen(command, cwd=folder, **{"env": environment, **options})  # noqa: S603
