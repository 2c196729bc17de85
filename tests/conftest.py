"""What several tests need: paths, the fake model, and a way to run a command and see what it says."""

import importlib.util
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

import lyricgen
from lyricgen.engine import machine_code
from lyricgen.terminal import command

# The tests' networks are tiny: more threads only wait for each other, above all on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests send Ctrl-C to commands; of a shell that runs these in the background they would inherit to ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS_FOLDER = Path(__file__).parent
DATA_FOLDER = TESTS_FOLDER / "data"

NEEDS_TORCH = ["benchmarks", "checks", "export", "train", "test_docs.py"]
"""Tests of what is not in the wheel. Those in `runtime` need the extra `test` and no torch."""

collect_ignore = [] if importlib.util.find_spec("torch") else NEEDS_TORCH
if not importlib.util.find_spec("starlette"):
    collect_ignore = [*collect_ignore, "studio"]


def pytest_report_header() -> list[str]:
    """Say what is tested: the wheel or the folder, and whether all of it."""
    some = " torch is not installed: only the runtime's tests are run." if collect_ignore else ""
    return [f"lyricgen: {Path(lyricgen.__file__).parent}.{some}"]


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def assert_one_line_error(self, code: int, *parts: str) -> None:
        """One line on stderr with all of `parts`, nothing on stdout, no traceback."""
        assert self.code == code
        assert self.out == ""
        lines = self.err.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("error: ")
        for part in parts:
            assert part in lines[0]


Runner = Callable[..., Outcome]
"""Runs one command with the arguments given."""
Apps = Callable[[typer.Typer, str], Runner]
"""Makes the runner of an app."""


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Apps:
    """Run a typer app as its entry point would, with the given arguments."""

    def of(app: typer.Typer, name: str) -> Runner:
        def run_with(*arguments: object) -> Outcome:
            code = command.run(app, name, [str(argument) for argument in arguments])
            captured = capfd.readouterr()
            return Outcome(code, captured.out, captured.err)

        return run_with

    return of


@pytest.fixture(autouse=True, scope="session")
def _compiled() -> None:
    """In a new environment, too, no test but those of compiling meets the words on compiling."""
    machine_code.advance()


@pytest.fixture(scope="session")
def fake_model_path() -> Path:
    return DATA_FOLDER / "fake_model.onnx"


@pytest.fixture(scope="session")
def fake_model(fake_model_path: Path) -> lyricgen.Model:
    return lyricgen.load(fake_model_path)


@pytest.fixture(scope="session")
def small_corpus_path() -> Path:
    return DATA_FOLDER / "small_songs.csv"
