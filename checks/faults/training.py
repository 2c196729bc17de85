"""Faults of python -m train and python -m export."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from checks.faults.cases import answered, killed_in_a_write, stopped
from checks.faults.damage import NUMBERS, SWITCH, TEXTS, Offer, damaged, options, table_of_songs
from checks.faults.place import (
    EXPORTED,
    IN_THE_MAKING,
    PART,
    SMALL_SONGS,
    TRAINING,
    Place,
    figures,
    files,
    weights,
)
from checks.faults.process import (
    DONE,
    EXPORT,
    INTERRUPTED,
    TRAIN,
    Call,
    Started,
    broken,
    outcome,
    small_disk,
)

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LARGEST_BYTES = 100_000
"""More than any file of `TRAINING` has."""
_CHANGED_BY_READING = ("train.log", "train.lock", "held_out.json")


def training_killed(place: Place) -> Iterator[str]:
    """Kill -9 during a training, at any moment or in a write, once or twice; --resume ends with the same."""
    with place.empty_folder() as folder:
        call = Call(TRAIN, TRAINING, folder, afresh=place.draw.random() < 0.2)
        for _ in range(place.draw.choice((1, 1, 2))):
            if place.draw.random() < 0.5:
                yield from killed_in_a_write(place, call, _LARGEST_BYTES)
            else:
                yield from stopped(place, call, signal.SIGKILL, frozenset({-signal.SIGKILL, DONE}))
            call = _again(folder)
        yield from _ends_the_same(place, call)


def training_interrupted(place: Place) -> Iterator[str]:
    """Ctrl-C, a shutdown or a closed terminal during a training: saved, and --resume ends with the same."""
    with place.empty_folder() as folder:
        session = folder / "checkpoints/session_0"
        call = Call(TRAIN, TRAINING, folder, afresh=place.draw.random() < 0.2)
        for _ in range(place.draw.choice((1, 1, 2))):
            number = place.draw.choice(_SIGNALS)
            codes = frozenset({DONE, -number, 128 + number, INTERRUPTED})
            stop = yield from stopped(place, call, number, codes)
            on_its_way = len(figures(session)) < len(figures(place.session))
            if stop.is_one_signal and on_its_way and "epoch " in stop.ended.out:
                if stop.ended.code != 128 + number or "stopped and saved" not in stop.ended.out:
                    yield f"signal {number} ended a training with {stop.ended.code}, unsaved"
                elif (session / "last.safetensors").stat().st_mtime_ns < stop.sent_ns:
                    yield f"signal {number} ended a training that was not saved, whatever it says"
            call = _again(folder)
        yield from _ends_the_same(place, call)


def _again(folder: Path) -> Call:
    """Return the command that goes on after an interruption."""
    there = (folder / "checkpoints/session_0").exists()
    return Call(TRAIN, ["--resume", 0] if there else TRAINING, folder)


def _ends_the_same(place: Place, call: Call) -> Iterator[str]:
    """Run the last command of a training; compare what it leaves with a run that nobody stopped."""
    session = call.folder / "checkpoints/session_0"
    yield from broken(outcome(call), frozenset({DONE}))
    if weights(session) != weights(place.session):
        yield "other weights than without the interruption"
    if figures(session) != figures(place.session):
        yield "other figures than without the interruption"
    if half := [name for name in files(session) if PART in name]:
        yield f"{half[0]} is left in the session"
    left = [path.name for path in session.parent.iterdir() if path != session]
    if left := [name for name in left if not name.startswith(IN_THE_MAKING)]:
        yield f"{left[0]} is left beside the session"


def trainings_at_once(place: Place) -> Iterator[str]:
    """Two trainings, or two runs of one: each gets a number of its own, or is told."""
    with place.empty_folder() as folder:
        shutil.copytree(place.half_trained / "checkpoints", folder / "checkpoints")
        resumes = place.draw.random() < 0.5
        words = ["--resume", 0] if resumes else TRAINING
        both = [Started(Call(TRAIN, words, folder)) for _ in range(2)]
        ended = [started.ended() for started in both]
        for one in ended:
            yield from broken(one)
        if resumes and not any(one.code == DONE for one in ended):
            yield f"neither went on: {ended}"
        if not resumes and any(one.code != DONE for one in ended):
            yield f"not both were trained: {ended}"
        for number in (0,) if resumes else (1, 2):
            if weights(folder / f"checkpoints/session_{number}") != weights(place.session):
                yield f"other weights in session_{number} than alone"


def training_on_a_full_disk(place: Place) -> Iterator[str]:
    """A disk too small for the session, or for its last files; with room again, --resume ends the same."""
    expected = weights(place.session)
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
        if place.draw.random() < 0.5:
            yield from killed_in_a_write(place, call, len(expected))
        else:
            number = place.draw.choice((signal.SIGKILL, signal.SIGINT))
            yield from stopped(place, call, number, frozenset({-signal.SIGKILL, INTERRUPTED, DONE}))
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
    with place.empty_folder() as folder:
        shutil.copytree(place.half_trained / "checkpoints", folder / "checkpoints")
        offered, usual = _offered_to_train(folder), _usual()
        shape = place.draw.choice(("new", "new", "new", "--from", "--resume"))
        if shape == "--resume":
            offered = {name: offered[name] for name in ("--device", "--corpus")} | _odd(offered, place)
            usual = {"--resume": "0"}
        elif shape == "--from":
            fixed = ("--layers", "--hidden-size", "--preset", "--rare-character-share")
            offered = {name: offered[name] for name in offered if name not in fixed} | _odd(offered, place)
            usual = {"--from": "0", "--corpus": str(SMALL_SONGS), "--epochs": "0.5"}
        words = options(offered, place.draw)
        words += [word for name in usual.keys() - {*words} for word in (name, usual[name])]
        yield from answered(Call(TRAIN, words, folder))


def _usual() -> dict[str, str]:
    return {"--corpus": str(SMALL_SONGS), "--preset": "tiny", "--epochs": "1", "--hidden-size": "8"}


def _odd(offered: dict[str, Offer], place: Place) -> dict[str, Offer]:
    """Return, now and then, one of the options that do not go with others."""
    name = place.draw.choice(sorted(offered))
    return {name: offered[name]} if place.draw.random() < 0.2 else {}


def _offered_to_train(folder: Path) -> dict[str, Offer]:
    shares = ["--dropout", "--warmup-share", "--final-learning-rate-share", "--weight-decay"]
    shares += ("--style-dropout", "--auxiliary-weight", "--rare-character-share", "--held-out-share")
    numbers = ("--learning-rate", "--clip-norm", "--validations-per-epoch")
    return {
        **dict.fromkeys(shares, (("0.1", "0.01", "0.2"), NUMBERS)),
        **dict.fromkeys(numbers, (("1", "0.1", "0.01"), NUMBERS)),
        **dict.fromkeys(("--patience", "--seed"), (("0", "1", "7"), NUMBERS)),
        **dict.fromkeys(("--resume", "--from"), ((), ("0", *NUMBERS))),
        "--corpus": ((str(SMALL_SONGS),), (str(folder), "/dev/null", "/proc/self/mem", *TEXTS)),
        "--text-column": (("text",), ("song", *TEXTS)),
        "--style-column": (("style", "song"), TEXTS),
        "--licence": (("ours",), TEXTS),
        "--encoding": (("utf-8",), ("cp1252", "utf-16", "rot13", "undefined", *TEXTS)),
        "--precision": (("fp32", "bf16", "auto"), TEXTS[:3]),
        "--device": (("cpu", "auto"), ("cuda", *TEXTS[:3])),
        "--preset": (("tiny",), ("huge", *TEXTS[:3])),
        "--layers": (("1", "2"), ("0", "-1", "17", "abc")),
        "--hidden-size": (("8", "1"), ("0", "9999", "abc")),
        "--slots": (("4", "1"), ("0", "70000", "abc")),
        "--segment-length": (("16", "32"), ("1", "0", "70000", "abc")),
        "--epochs": (("0.5", "0.1"), ("0", "-1", "nan", "abc", "20000")),
        **dict.fromkeys(("--no-titles", "--skip-bad-rows"), SWITCH),
    }


def options_of_export(place: Place) -> Iterator[str]:
    """Options and values, good and bad, in any combination."""
    with place.empty_folder() as folder:
        (folder / "checkpoints").symlink_to(place.trained / "checkpoints")
        offered: dict[str, Offer] = {
            "--session": (("0",), NUMBERS),
            "--precision": (("int8", "fp32"), TEXTS),
            "--held-out": ((str(place.other_songs),), (str(SMALL_SONGS), str(folder), "/dev/null", *TEXTS)),
            "--text-column": (("text",), ("song", *TEXTS)),
            "--encoding": (("utf-8",), ("cp1252", *TEXTS)),
            "--skip-bad-rows": SWITCH,
        }
        words = options(offered, place.draw)
        words += [] if "--session" in words else ["--session", "0"]
        yield from answered(Call(EXPORT, words, folder))


def corpora_damaged(place: Place) -> Iterator[str]:
    """A CSV or a folder of texts that no reader hopes for."""
    with place.empty_folder() as folder:
        how, has_bad_rows = place.draw.randrange(4), False
        path = folder / place.draw.choice(("songs.csv", "songs.csv.gz", "songs.csv.xz", "songs.zip"))
        if how == 0:
            path = folder / "songs.csv"
            content, has_bad_rows = table_of_songs(place.draw)
            path.write_bytes(content)
        elif how == 1:
            (folder / "songs.csv").write_bytes(damaged(SMALL_SONGS.read_bytes(), place.draw))
            path = folder / "songs.csv"
        elif how == 2:
            _compress(SMALL_SONGS.read_bytes(), path)
            path.write_bytes(damaged(path.read_bytes(), place.draw))
        else:
            path = folder / "songs"
            path.mkdir()
            _fill(path, place)
        words = ["--corpus", path, "--preset", "tiny", "--hidden-size", 8, "--epochs", 0.1]
        skips = place.draw.random() < 0.3
        ended = yield from answered(Call(TRAIN, [*words, *(["--skip-bad-rows"] if skips else [])], folder))
        if ended.code != DONE and (folder / "checkpoints/session_0").exists():
            yield "a session in spite of the error"
        if ended.code == DONE and has_bad_rows and not (skips and "that cannot be read" in ended.out):
            yield f"bad rows were dropped in silence: {ended.out[:500]}"


def _fill(folder: Path, place: Place) -> None:
    """Fill a folder with texts, some of them damaged, and with what is none."""
    for n in range(place.draw.choice((0, 1, 3, 12))):
        text = f"Song {n}\n\n" + "la la the moon\n" * n
        content = text.encode() if place.draw.random() < 0.7 else damaged(text.encode(), place.draw)
        (folder / f"{n}.txt").write_bytes(content)
    odd = folder / place.draw.choice(("pipe.txt", "link.txt", "endless.txt", "none", "none"))
    if odd.name == "pipe.txt":
        os.mkfifo(odd)
    elif odd.name == "link.txt":
        odd.symlink_to(place.draw.choice((folder, folder / "nowhere")))
    elif odd.name == "endless.txt":
        odd.symlink_to("/dev/zero")


def sessions_damaged(place: Place) -> Iterator[str]:
    """A session with one of its files damaged or gone; what reads it answers, and spoils nothing else."""
    with place.empty_folder() as folder:
        session = folder / "checkpoints/session_0"
        whole = place.draw.choice((place.trained, place.half_trained))
        shutil.copytree(whole / "checkpoints/session_0", session)
        important = [session / f"{name}.safetensors" for name in ("best", "last")]
        victims = [path for path in sorted(session.rglob("*")) if path.is_file()]
        victim = place.draw.choice([*victims, *(important * (len(victims) // 4))])
        if place.draw.random() < 0.1:
            victim.unlink()
        else:
            victim.write_bytes(damaged(victim.read_bytes(), place.draw))
        before = files(session)
        readers = (
            (EXPORT, "--session", 0),
            (EXPORT, "--session", 0, "--precision", "fp32"),
            (TRAIN, "--resume", 0),
            (TRAIN, "--from", 0, "--corpus", SMALL_SONGS, "--epochs", 0.1),
        )
        only_resuming_reads = victim.name == "last.safetensors"
        module, *words = place.draw.choice(readers[2:3] if only_resuming_reads else readers)
        ended = yield from answered(Call(module, words, folder))
        resumed = words[0] == "--resume"
        if ended.code != DONE or not resumed:
            after, spared = files(session), {victim.name, *_CHANGED_BY_READING}
            for name in before:
                if before[name] != after.get(name) and Path(name).name not in spared and PART not in name:
                    yield f"{words}: {name} was spoilt, beside the damaged {victim.name}"
        elif victim.name != "config.json" and weights(session) != weights(place.session):
            yield f"other weights than without the damage to {victim.name}"


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
