"""kill -9 at any moment, then --resume: as if nothing had happened."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from train.session import Session

ROOT = Path(__file__).parents[2]
KILLS = 4
ARGUMENTS = [
    *("--preset", "tiny", "--hidden-size", "32", "--layers", "2", "--dropout", "0.2", "--epochs", "30"),
    *("--validations-per-epoch", "1", "--device", "cpu", "--precision", "fp32", "--seed", "3"),
]


def start(folder: Path, *arguments: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
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


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)


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


@pytest.mark.skipif(os.name == "nt", reason="kills otherwise")
def test_killed_at_random_moments_a_run_ends_with_the_same_weights_and_metrics(
    tmp_path: Path, small_corpus_path: Path
) -> None:
    whole = start(tmp_path, "--corpus", small_corpus_path, *ARGUMENTS)
    finish(whole)
    draw = random.Random(1)
    process = start(tmp_path, "--corpus", small_corpus_path, *ARGUMENTS)
    folder = tmp_path / "checkpoints/session_1"
    last = folder / "last.safetensors"
    wait_for(folder)
    interrupted = 0
    for kill in range(KILLS):
        if kill:  # the first kill comes before the first checkpoint, the others soon after some later one
            before = written_at(last)
            while process.poll() is None and written_at(last) in (0, before):
                time.sleep(0.002)
            time.sleep(draw.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        interrupted += process.returncode == -signal.SIGKILL
        process = start(tmp_path, "--resume", 1)
    said = finish(process)
    assert interrupted >= 2
    assert "next: python -m export --session 1" in said
    uninterrupted, killed = (Session.open(tmp_path / "checkpoints", number) for number in (0, 1))
    assert metrics(killed) == metrics(uninterrupted)
    assert len(metrics(killed)) > 10
    expected = uninterrupted.load_best().weights
    assert all(torch.equal(weight, expected[name]) for name, weight in killed.load_best().weights.items())
    states = [session.load_last() for session in (uninterrupted, killed)]
    first, second = (plain(asdict(state)) for state in states)
    assert first == second
    assert not list(killed.folder.glob(".*"))


@pytest.mark.skipif(not hasattr(signal, "SIGTERM") or os.name == "nt", reason="signals work otherwise there")
@pytest.mark.parametrize("sent", ["SIGTERM", "SIGHUP"])
def test_a_shutdown_or_a_closed_terminal_saves_first(
    tmp_path: Path, small_corpus_path: Path, sent: str
) -> None:
    previous = signal.signal(getattr(signal, sent), signal.SIG_DFL)  # these tests may run under nohup
    try:
        process = start(tmp_path, "--corpus", small_corpus_path, "--preset", "tiny", "--epochs", 3000)
    finally:
        signal.signal(getattr(signal, sent), previous)
    wait_for(tmp_path / "checkpoints/session_0/last.safetensors")
    for _ in range(3):  # as terminals and shutdowns do
        process.send_signal(getattr(signal, sent))
        time.sleep(0.001)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, sent)
    assert said.rstrip().endswith("stopped and saved. Go on with: python -m train --resume 0")


@pytest.mark.skipif(os.name == "nt", reason="signals work otherwise there")
def test_under_nohup_a_closed_terminal_is_nothing(tmp_path: Path, small_corpus_path: Path) -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the child has it from us
    try:
        process = start(tmp_path, "--corpus", small_corpus_path, "--preset", "tiny", "--epochs", 20)
    finally:
        signal.signal(signal.SIGHUP, previous)
    wait_for(tmp_path / "checkpoints/session_0/last.safetensors")
    process.send_signal(signal.SIGHUP)
    assert "next: python -m export --session 0" in finish(process)


def test_two_trainings_started_together_get_different_sessions(
    tmp_path: Path, small_corpus_path: Path
) -> None:
    both = [start(tmp_path, "--corpus", small_corpus_path, "--preset", "tiny") for _ in range(2)]
    for process in both:
        finish(process)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["session_0", "session_1"]
    assert all((tmp_path / "checkpoints" / name / "best.safetensors").exists() for name in names)
