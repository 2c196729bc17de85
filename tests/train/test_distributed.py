import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lyricgen.errors import LyricgenError, OptionError
from tests.conftest import Runner
from train.distributed import World, joined
from train.session import Session

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
needs_distributed = pytest.mark.skipif(not torch.distributed.is_available(), reason="this PyTorch cannot")


def test_slots_are_shared_out_evenly_or_not_at_all() -> None:
    assert [World(rank, 3, CPU).columns(6) for rank in range(3)] == [slice(0, 2), slice(2, 4), slice(4, 6)]
    with pytest.raises(OptionError, match="slots must be a multiple of the 3 processes, not 7"):
        World(0, 3, CPU).columns(7)


THREADS_LEFT = "threads of the group left"
TRAIN = f"""
import atexit, pathlib
from train import cli

def tell():
    names = [path.read_text() for path in pathlib.Path("/proc/self/task").glob("*/comm")]
    if any("gloo" in name for name in names):
        print({THREADS_LEFT!r}, names)

atexit.register(tell)
cli.main()
"""


def start(folder: Path, *arguments: object) -> "subprocess.Popen[str]":
    """Start python -m train in two processes, which tell of threads that could crash them at their end."""
    (folder / "run.py").write_text(TRAIN)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "run.py", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def torchrun(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def tiny(corpus_path: Path, *others: object) -> tuple[object, ...]:
    """The arguments of a training that takes seconds."""
    return ("--corpus", corpus_path, "--preset", "tiny", "--device", "cpu", "--precision", "fp32", *others)


def metrics(session: Session) -> list[dict[str, str]]:
    with (session.folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@needs_distributed
def test_two_processes_leave_one_session_as_good_as_that_of_one(
    train: Runner, tmp_path: Path, small_corpus_path: Path
) -> None:
    arguments = tiny(small_corpus_path, "--epochs", 4, "--auxiliary-weight", 0.05)
    arguments += ("--validations-per-epoch", 0.5)
    outcome = torchrun(tmp_path, *arguments)
    assert outcome.returncode == 0, outcome.stderr
    assert THREADS_LEFT not in outcome.stdout
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["session_0"]
    assert outcome.stdout.count("next: python -m export --session 0") == 1
    assert "2 processes" in outcome.stdout
    assert train(*arguments).code == 0
    shared, single = (Session.open(tmp_path / "checkpoints", number) for number in (0, 1))
    for left, right in zip(metrics(shared), metrics(single), strict=True):
        assert (left["step"], left["characters"]) == (right["step"], right["characters"])
        for name in ("training_bits_per_character", "held_out_bits_per_character"):
            assert float(left[name]) == pytest.approx(float(right[name]), abs=0.02)
    state = shared.load_last()
    assert state is not None
    assert state.tensors["hidden"].shape == (1, 16, 64)


@pytest.mark.slow
@needs_distributed
def test_an_error_of_the_first_process_ends_them_all(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    outcome = torchrun(tmp_path, "--corpus", "bad.csv", "--device", "cpu")
    assert outcome.returncode != 0
    assert outcome.stderr.count("error: bad.csv: ") == 1


@pytest.mark.slow
@needs_distributed
def test_two_processes_stop_together_and_go_on_as_if_nothing_had_been(
    tmp_path: Path, small_corpus_path: Path
) -> None:
    arguments = tiny(small_corpus_path, "--epochs", 24, "--dropout", 0.1, "--layers", 2)
    assert torchrun(tmp_path, *arguments).returncode == 0
    process = start(tmp_path, *arguments)
    last = tmp_path / "checkpoints/session_1/last.safetensors"
    deadline = time.monotonic() + 60
    while not last.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert "stopped and saved. Go on with: python -m train --resume 1" in said
    assert THREADS_LEFT not in said
    resumed = torchrun(tmp_path, "--resume", 1)
    assert resumed.returncode == 0, resumed.stderr
    assert "resumed " in resumed.stdout
    whole, cut = (Session.open(tmp_path / "checkpoints", number) for number in (0, 1))
    without_time = [[{**row, "elapsed_seconds": ""} for row in metrics(session)] for session in (whole, cut)]
    assert without_time[0] == without_time[1]
    weights = whole.load_best().weights
    assert all(torch.equal(weight, weights[name]) for name, weight in cut.load_best().weights.items())


@pytest.mark.parametrize(
    "variables",
    [{"WORLD_SIZE": ""}, {"WORLD_SIZE": "two"}, {"WORLD_SIZE": "2", "RANK": "-1"}, {"WORLD_SIZE": "2"}],
)
def test_an_environment_that_torchrun_did_not_make_is_an_error(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LyricgenError, match="not as torchrun sets it"), joined("cpu"):
        pass


def test_a_process_alone_is_the_first_whatever_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with joined("cpu") as world:
        assert (world.is_first, world.columns(16)) == (True, slice(0, 16))
