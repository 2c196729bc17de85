"""Interrupted or killed at any moment, then --resume: as if nothing had happened."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from tests.conftest import Runner
from train.progress import TrainingDisplay
from train.session import Session

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals work otherwise there")
ROOT = Path(__file__).parents[2]
KILLS = 4
TINY = ("--preset", "tiny", "--hidden-size", 8)
ARGUMENTS = [
    *("--preset", "tiny", "--hidden-size", "32", "--layers", "2", "--dropout", "0.2", "--epochs", "30"),
    *("--validations-per-epoch", "1", "--device", "cpu", "--precision", "fp32", "--seed", "3"),
]


@pytest.fixture
def at_the_first_validation(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Make something happen after the first validation of a run."""
    show = TrainingDisplay.on_validation

    def happens(act: Callable[[], None]) -> None:
        def first(display: TrainingDisplay, *arguments: object, **named: object) -> None:
            monkeypatch.setattr(TrainingDisplay, "on_validation", show)
            show(display, *arguments, **named)  # type: ignore[arg-type]
            act()

        monkeypatch.setattr(TrainingDisplay, "on_validation", first)

    return happens


@pytest.mark.parametrize(("sent", "times"), [("SIGINT", 1), ("SIGTERM", 3), ("SIGHUP", 3)])
def test_an_interrupted_run_saves_and_resumes_as_it_says(
    train: Runner,
    small_corpus_path: Path,
    at_the_first_validation: Callable[[Callable[[], None]], None],
    sent: str,
    times: int,
) -> None:
    """Closed terminals and shutdowns send several signals."""
    number = getattr(signal, sent)
    previous = signal.getsignal(number)
    signal.signal(number, signal.default_int_handler)  # these tests may run under nohup
    at_the_first_validation(lambda: [signal.raise_signal(number) for _ in range(times)] and None)
    try:
        outcome = train("--corpus", small_corpus_path, *TINY)
    finally:
        signal.signal(number, previous)
    assert outcome.code == 128 + number
    last = outcome.out.rstrip().splitlines()[-1]
    assert last == "stopped and saved. Go on with: python -m train --resume 0"
    before = metrics(Session.open(Path("checkpoints"), 0))
    outcome = train("--resume", 0)
    assert outcome.code == 0
    assert "\nresumed     at " in outcome.out
    after = metrics(Session.open(Path("checkpoints"), 0))
    assert after[: len(before)] == before
    assert len(after) > len(before)


def test_under_nohup_a_closed_terminal_is_nothing(
    train: Runner,
    small_corpus_path: Path,
    at_the_first_validation: Callable[[Callable[[], None]], None],
) -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    at_the_first_validation(lambda: signal.raise_signal(signal.SIGHUP))
    try:
        assert "next: python -m export --session 0" in train("--corpus", small_corpus_path, *TINY).out
    finally:
        signal.signal(signal.SIGHUP, previous)


def start(folder: Path, *arguments: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    return subprocess.Popen(
        [sys.executable, "-m", "train", *map(str, arguments)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> str:
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said


def metrics(session: Session) -> list[list[str]]:
    """The lines of metrics.csv without the time."""
    with (session.folder / "metrics.csv").open() as file:
        return [row[:-1] for row in csv.reader(file)]


def written_at(path: Path) -> int:
    """Return when, in nanoseconds; 0 if never."""
    return path.stat().st_mtime_ns if path.exists() else 0


def plain(state: object) -> object:
    """A checkpoint with numbers in place of tensors, and without the time."""
    if isinstance(state, torch.Tensor):
        return state.tolist()
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items() if key != "elapsed_seconds"}
    return [plain(value) for value in state] if isinstance(state, list) else state


@pytest.mark.slow
def test_killed_at_random_moments_a_run_ends_with_the_same_weights_and_metrics(
    tmp_path: Path, small_corpus_path: Path
) -> None:
    finish(start(tmp_path, "--corpus", small_corpus_path, *ARGUMENTS))
    draw = random.Random(1)
    process = start(tmp_path, "--corpus", small_corpus_path, *ARGUMENTS)
    last = tmp_path / "checkpoints/session_1/last.safetensors"
    interrupted = 0
    for _ in range(KILLS):  # each soon after some checkpoint
        before = written_at(last)
        while process.poll() is None and written_at(last) in (0, before):
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        interrupted += process.returncode == -signal.SIGKILL
        process = start(tmp_path, "--resume", 1)
    assert "next: python -m export --session 1" in finish(process)
    assert interrupted >= 2
    uninterrupted, killed = (Session.open(tmp_path / "checkpoints", number) for number in (0, 1))
    assert metrics(killed) == metrics(uninterrupted)
    assert len(metrics(killed)) > 10
    expected = uninterrupted.load_best().weights
    assert all(torch.equal(weight, expected[name]) for name, weight in killed.load_best().weights.items())
    first, second = (plain(asdict(session.load_last())) for session in (uninterrupted, killed))
    assert first == second
    assert not list(killed.folder.glob(".*"))


@pytest.mark.slow
def test_two_trainings_started_together_get_different_sessions(
    tmp_path: Path, small_corpus_path: Path
) -> None:
    for process in [start(tmp_path, "--corpus", small_corpus_path, *TINY) for _ in range(2)]:
        finish(process)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["session_0", "session_1"]
    assert all((tmp_path / "checkpoints" / name / "best.safetensors").exists() for name in names)
