"""A signal in a training, then --resume: as if nothing had happened. Kills are among `checks.faults`."""

import csv
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Runner
from train.config import PRESETS
from train.corpus.load import load_corpus
from train.progress import TrainingDisplay
from train.session import Session

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals work otherwise there")
TINY = ("--preset", "tiny", "--hidden-size", 8)


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

    def send() -> None:
        for _ in range(times):
            signal.raise_signal(number)

    at_the_first_validation(send)
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


def metrics(session: Session) -> list[list[str]]:
    """The lines of metrics.csv without the time."""
    with (session.folder / "metrics.csv").open() as file:
        return [row[:-1] for row in csv.reader(file)]


def test_sessions_begun_together_are_different_ones(tmp_path: Path, small_corpus_path: Path) -> None:
    config = PRESETS["tiny"]
    corpus = load_corpus(small_corpus_path, config.corpus)
    with ThreadPoolExecutor(8) as pool:
        sessions = list(pool.map(lambda _: Session.create(tmp_path, config, corpus), range(8)))
    assert sorted(session.number for session in sessions) == list(range(8))
    assert [Session.open(tmp_path, number).config for number in range(8)] == [config] * 8
