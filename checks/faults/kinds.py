"""The kinds of faults. Each is a function that makes one case and yields the promises that were broken."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lyricgen
from checks.faults.damage import NUMBERS, TEXTS, damaged, options, table_of_songs
from checks.faults.place import (
    EXPORTED,
    IN_THE_MAKING,
    PART,
    SMALL_SONGS,
    SONGS,
    TRAINING,
    Place,
    files,
    weights,
)
from checks.faults.process import (
    ANSWERS,
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

Kind = Callable[[Place], Iterator[str]]
_FAKE_MODELS = sorted((ROOT / "tests/data").glob("fake*.onnx"))
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Share:
    """A kind of fault, and how many of a hundred cases are of it."""

    name: str
    kind: Kind
    percent: int


# lyricgen-run


def songs_killed(place: Place) -> Iterator[str]:
    """Kill -9 while songs are written to a file or a folder; the same command goes on."""
    yield from _songs_stopped(place, signal.SIGKILL, frozenset({-signal.SIGKILL, DONE}))


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
        yield from _stopped(place, call, number, codes)
        if path.exists() and path.read_bytes() not in ((expected, old) if has_old else (expected,)):
            yield "something half written under the final name"
        elif has_old and not path.exists():
            yield "the older file is lost"
        yield from broken(outcome(Call(RUN, call.arguments, folder)), frozenset({DONE}))
        if path.read_bytes() != expected:
            yield "other songs than without the interruption"
        if left := [name for name in files(folder) if name != "songs" and PART not in name]:
            yield f"{left[0]} is left"


def songs_in_a_folder_killed(place: Place) -> Iterator[str]:
    """Kill -9 while songs are written to a file each."""
    expected = place.songs["jsonl"].splitlines(keepends=True)
    with place.empty_folder() as folder:
        call = Call(RUN, [*SONGS, "--format", "jsonl", "--output", "songs/"], folder)
        number = place.draw.choice((signal.SIGKILL, signal.SIGINT))
        yield from _stopped(place, call, number, frozenset({-signal.SIGKILL, INTERRUPTED, DONE}))
        yield from _half_songs(folder / "songs", expected, all_there=False)
        yield from broken(outcome(call), frozenset({DONE}))
        yield from _half_songs(folder / "songs", expected, all_there=True)


def _half_songs(folder: Path, expected: list[bytes], *, all_there: bool) -> Iterator[str]:
    written = [path for path in folder.glob("*.jsonl") if not path.name.startswith(PART)]
    if all_there and len(written) != len(expected):
        yield f"{len(written)} songs, not {len(expected)}"
    if any(path.read_bytes() not in expected for path in written):
        yield "something half written under a song's name"


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
    """stdin, stdout or stderr closed, full, or no terminal."""
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
        name: place.draw.choice(("closed", "full", "file", "file"))
        for name in place.draw.sample(("stdin", "stdout", "stderr"), place.draw.randint(1, 3))
    }
    with place.empty_folder() as folder:
        ended, song = _with_streams(folder, module, words, streams), folder / "songs.txt"
        lost = streams.get("stdout") in ("closed", "full") and "--output" not in words
        wrong = "-1" in words or "huge" in words
        expected = {USAGE} if wrong else {ERROR} if lost or module == EXPORT else {DONE}
        if streams.get("stderr") in ("closed", "full"):
            expected |= {ERROR}  # nobody can be told
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
            shutil.rmtree(package / "__pycache__", ignore_errors=True)
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
        offered = {
            **dict.fromkeys(("--temperature", "--top-p", "--min-p"), ("0.75", "1", "0.3", *NUMBERS)),
            **dict.fromkeys(("--top-k", "--seed", "--first", "--samples"), ("3", "2", "1", *NUMBERS[:-4])),
            "--threads": ("1", "2", *NUMBERS),
            "--max-length": ("20", "100", "300", *NUMBERS[:7]),
            **dict.fromkeys(("--style", "--title", "--prompt"), ("folk", "The moon", "river", *TEXTS)),
            "--model": (*map(str, (*_FAKE_MODELS, BUNDLED_MODEL_PATH, SMALL_SONGS, folder)), *TEXTS),
            "--output": (
                f"{folder}/songs.txt",
                f"{folder}/songs/",
                "/dev/null",
                "/dev/full",
                "/proc/x",
                *TEXTS,
            ),
            "--format": ("text", "jsonl", "json", *TEXTS[:4]),
            **dict.fromkeys(("--exact-length", "--info", "--self-test", "--version"), ()),
        }
        words = options(offered, place.draw)
        words += ["--samples", "2"] if words.count("--samples") else []  # not for ever
        call = Call(RUN, [*words, "--max-length", "300"] if "--max-length" not in words else words, folder)
        yield from _answered(call)


def models_damaged(place: Place) -> Iterator[str]:
    """A model file with bytes changed, cut off, doubled or poisoned."""
    with place.empty_folder() as folder:
        content = place.draw.choice((*(path.read_bytes() for path in _FAKE_MODELS), place.exported))
        (folder / "model.onnx").write_bytes(damaged(content, place.draw))
        wish = place.draw.choice(
            (["--info"], ["--seed", "1"], ["--self-test"], ["--info", "--format", "json"])
        )
        yield from _answered(Call(RUN, ["--model", "model.onnx", "--max-length", "50", *wish], folder))


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
        yield from _answered(call)


# python -m train and python -m export


def training_killed(place: Place) -> Iterator[str]:
    """Kill -9 during a training, once or twice; --resume ends with the weights of a run left alone."""
    yield from _training_stopped(place, (signal.SIGKILL,))


def training_interrupted(place: Place) -> Iterator[str]:
    """Ctrl-C, a shutdown or a closed terminal during a training; --resume ends with the same weights."""
    yield from _training_stopped(place, _SIGNALS)


def _training_stopped(place: Place, numbers: tuple[int, ...]) -> Iterator[str]:
    expected = weights(place.trained / "checkpoints/session_0")
    with place.empty_folder() as folder:
        session = folder / "checkpoints/session_0"
        call = Call(TRAIN, TRAINING, folder, afresh=place.draw.random() < 0.2)
        for _ in range(place.draw.choice((1, 1, 2))):
            number = place.draw.choice(numbers)
            codes = {DONE, -number, 128 + number, INTERRUPTED}
            yield from _stopped(place, call, number, frozenset(codes))
            call = Call(TRAIN, ["--resume", 0] if session.exists() else TRAINING, folder)
        yield from broken(outcome(call), frozenset({DONE}))
        if weights(session) != expected:
            yield "other weights than without the interruption"
        left = [path.name for path in session.parent.iterdir() if path != session]
        if left := [name for name in left if not name.startswith(IN_THE_MAKING)]:
            yield f"{left[0]} is left beside the session"


def training_on_a_full_disk(place: Place) -> Iterator[str]:
    """A disk too small for the session, or for its last files; with room again, --resume ends the same."""
    expected = weights(place.trained / "checkpoints/session_0")
    with place.empty_folder() as folder:
        disk, kept = folder / "disk", folder / "kept"
        with small_disk(disk, place.draw.choice((8, 40, 60, 80, 100, 120, 150, 200, 300))) as limit:
            ended = outcome(Call(TRAIN, TRAINING, disk, file_bytes=limit))
            yield from broken(ended)
            shutil.copytree(disk, kept)
        session = kept / "checkpoints/session_0"
        if ended.code == DONE and weights(session) != expected:
            yield "exit code 0 without the weights"
        if session.exists():
            yield from broken(outcome(Call(TRAIN, ["--resume", 0], kept)), frozenset({DONE}))
            if weights(session) != expected:
                yield "other weights than without the full disk"


def export_stopped(place: Place) -> Iterator[str]:
    """Kill -9 or Ctrl-C during an export: no file or the older one, and the next export gives the usual."""
    expected, old = place.exported, b"an older file"
    with place.empty_folder() as folder:
        shutil.copytree(place.trained / "checkpoints", folder / "checkpoints")
        path, has_old = folder / EXPORTED, place.draw.random() < 0.5
        if has_old:
            path.parent.mkdir()
            path.write_bytes(old)
        call = Call(EXPORT, ["--session", 0], folder, afresh=place.draw.random() < 0.2)
        number = place.draw.choice((signal.SIGKILL, signal.SIGINT))
        yield from _stopped(place, call, number, frozenset({-signal.SIGKILL, INTERRUPTED, DONE}))
        there = path.read_bytes() if path.exists() else None
        if there not in (expected, old if has_old else None):
            yield "something half written under the final name, or the older file lost"
        yield from broken(outcome(Call(EXPORT, ["--session", 0], folder)), frozenset({DONE}))
        if path.read_bytes() != expected:
            yield "another file than without the interruption"


def export_on_a_full_disk(place: Place) -> Iterator[str]:
    """A disk with no room for the exported file."""
    expected = place.exported
    with place.empty_folder() as folder:
        disk = folder / "disk"
        with small_disk(disk, place.draw.choice((4, 8, 16, 64, 1000))) as limit:
            (disk / "checkpoints").symlink_to(place.trained / "checkpoints")
            ended = outcome(Call(EXPORT, ["--session", 0], disk, file_bytes=limit))
            yield from broken(ended)
            path = disk / EXPORTED
            if path.exists() and path.read_bytes() != expected:
                yield "something half written under the final name"
            if (ended.code == DONE) != path.exists():
                yield f"exit code {ended.code}, and {'a' if path.exists() else 'no'} file"


def options_of_train(place: Place) -> Iterator[str]:
    """Options and values, good and bad, in any combination."""
    numbers = dict.fromkeys(
        (
            *(
                "--dropout",
                "--learning-rate",
                "--warmup-share",
                "--final-learning-rate-share",
                "--weight-decay",
            ),
            *(
                "--clip-norm",
                "--held-out-share",
                "--style-dropout",
                "--auxiliary-weight",
                "--patience",
                "--seed",
            ),
            *("--validations-per-epoch", "--rare-character-share", "--resume", "--from"),
        ),
        ("0", "1", "0.1", "0.01", *NUMBERS),
    )
    with place.empty_folder() as folder:
        (folder / "checkpoints").mkdir()
        shutil.copytree(place.trained / "checkpoints/session_0", folder / "checkpoints/session_0")
        offered = {
            **numbers,
            "--corpus": (*map(str, (SMALL_SONGS, folder)), "/dev/null", "/proc/self/mem", *TEXTS),
            **dict.fromkeys(("--text-column", "--style-column", "--licence"), ("text", "song", *TEXTS)),
            "--encoding": ("utf-8", "cp1252", "utf-16", "rot13", *TEXTS),
            "--precision": ("fp32", "bf16", "auto", *TEXTS[:3]),
            "--device": ("cpu", "auto", "cuda", *TEXTS[:3]),
            "--preset": ("tiny", "huge", *TEXTS[:3]),
            "--layers": ("1", "2", "0", "-1", "17", "abc"),
            "--hidden-size": ("8", "1", "0", "9999", "abc"),
            "--slots": ("4", "1", "0", "70000", "abc"),
            "--segment-length": ("16", "1", "0", "70000", "abc"),
            "--epochs": ("0.5", "0", "-1", "nan", "abc", "20000"),
            **dict.fromkeys(("--titles", "--no-titles", "--skip-bad-rows"), ()),
        }
        words = options(offered, place.draw)
        usual = {"--corpus": str(SMALL_SONGS), "--preset": "tiny", "--epochs": "1", "--hidden-size": "8"}
        if not {"--resume", "--from"} & {*words}:
            words += [word for name in usual.keys() - {*words} for word in (name, usual[name])]
        yield from _answered(Call(TRAIN, words, folder))


def options_of_export(place: Place) -> Iterator[str]:
    """Options and values, good and bad, in any combination."""
    with place.empty_folder() as folder:
        (folder / "checkpoints").symlink_to(place.trained / "checkpoints")
        offered = {
            "--session": ("0", "0", "0", *NUMBERS),
            "--precision": ("int8", "fp32", *TEXTS),
            "--held-out": (str(SMALL_SONGS), str(folder), "/dev/null", *TEXTS),
            "--text-column": ("text", "song", *TEXTS),
            "--encoding": ("utf-8", "cp1252", *TEXTS),
            "--skip-bad-rows": (),
        }
        yield from _answered(Call(EXPORT, options(offered, place.draw), folder))


def corpora_damaged(place: Place) -> Iterator[str]:
    """A CSV or a folder of texts that no reader hopes for."""
    with place.empty_folder() as folder:
        how = place.draw.randrange(4)
        path = folder / place.draw.choice(("songs.csv", "songs.csv.gz", "songs.csv.xz", "songs.zip"))
        if how == 0:
            path = folder / "songs.csv"
            path.write_bytes(table_of_songs(place.draw))
        elif how == 1:
            (folder / "songs.csv").write_bytes(damaged(SMALL_SONGS.read_bytes(), place.draw))
            path = folder / "songs.csv"
        elif how == 2:
            _compress(SMALL_SONGS.read_bytes(), path)
            path.write_bytes(damaged(path.read_bytes(), place.draw))
        else:
            path = folder / "songs"
            path.mkdir()
            for n in range(place.draw.choice((0, 1, 3, 12))):
                text = f"Song {n}\n\n" + "la la the moon\n" * n
                content = text.encode() if place.draw.random() < 0.7 else damaged(text.encode(), place.draw)
                (path / f"{n}.txt").write_bytes(content)
        words = ["--corpus", path, "--preset", "tiny", "--hidden-size", 8, "--epochs", 0.1]
        words += ["--skip-bad-rows"] if place.draw.random() < 0.3 else []
        ended = yield from _answered(Call(TRAIN, words, folder))
        if ended.code != DONE and (folder / "checkpoints/session_0").exists():
            yield "a session in spite of the error"


def sessions_damaged(place: Place) -> Iterator[str]:
    """A session with one of its files damaged or gone; what reads it answers, and spoils nothing else."""
    with place.empty_folder() as folder:
        session = folder / "checkpoints/session_0"
        shutil.copytree(place.trained / "checkpoints/session_0", session)
        victim = place.draw.choice([path for path in sorted(session.rglob("*")) if path.is_file()])
        if place.draw.random() < 0.1:
            victim.unlink()
        else:
            victim.write_bytes(damaged(victim.read_bytes(), place.draw))
        before = files(session)
        words = place.draw.choice(
            (
                (EXPORT, ["--session", 0]),
                (EXPORT, ["--session", 0, "--precision", "fp32"]),
                (TRAIN, ["--resume", 0]),
                (TRAIN, ["--from", 0, "--corpus", SMALL_SONGS, "--epochs", 0.1]),
            )
        )
        ended = yield from _answered(Call(*words, folder))
        lost = {name for name in before if name not in files(session)}
        if ended.code != DONE and lost - {name for name in before if PART in name}:
            yield f"{min(lost)} is lost"


# What several need.


def _stopped(place: Place, call: Call, number: int, codes: frozenset[int]) -> Iterator[str]:
    """Run a command and send it a signal at some moment, or three as terminals do."""
    imports = 2.5 if call.afresh and call.module != RUN else 0.3 if call.afresh else 0.0
    moment = place.draw.uniform(0.02, 1.05 * place.seconds[call.module] + imports)
    if call.afresh and number != signal.SIGKILL:
        moment = max(moment, 0.15)  # before, Python itself is not up
        if number == signal.SIGINT:
            codes |= {-number}  # at Python's own end; for a shell that is 130, too
    started = Started(call)
    started.wait_until(lambda: started.seconds > moment)
    for _ in range(place.draw.choice((1, 1, 3))):
        started.send(number)
    yield from (f"after signal {number} at {moment:.2f} s: {what}" for what in broken(started.ended(), codes))


def _answered(call: Call) -> Generator[str, None, Ended]:
    """Run a command to its end; return what became of it."""
    ended = outcome(call)
    yield from (f"{call}: {what}; it said {ended.err[-300:]!r}" for what in broken(ended, ANSWERS))
    return ended


def _compress(content: bytes, path: Path) -> None:
    import gzip
    import lzma
    import zipfile

    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(content))
    elif path.suffix == ".xz":
        path.write_bytes(lzma.compress(content))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("songs.csv", content)
    else:
        path.write_bytes(content)


def _popen(words: list[str], folder: Path, **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401
    environment = {**os.environ, **PATHS}
    command = [sys.executable, "-m", *words]
    return subprocess.Popen(command, cwd=folder, **{"env": environment, **options})  # noqa: S603


KINDS = (
    Share("songs killed", songs_killed, 8),
    Share("songs interrupted", songs_interrupted, 6),
    Share("songs in a folder killed", songs_in_a_folder_killed, 4),
    Share("songs on a full disk", songs_on_a_full_disk, 4),
    Share("pipe closed", pipe_closed, 4),
    Share("streams missing", streams_missing, 5),
    Share("read-only install", read_only_install, 2),
    Share("options of lyricgen-run", options_of_run, 16),
    Share("models damaged", models_damaged, 10),
    Share("journals damaged", journals_damaged, 5),
    Share("training killed", training_killed, 4),
    Share("training interrupted", training_interrupted, 4),
    Share("training on a full disk", training_on_a_full_disk, 3),
    Share("export stopped", export_stopped, 4),
    Share("export on a full disk", export_on_a_full_disk, 2),
    Share("options of train", options_of_train, 6),
    Share("options of export", options_of_export, 3),
    Share("corpora damaged", corpora_damaged, 6),
    Share("sessions damaged", sessions_damaged, 4),
)
