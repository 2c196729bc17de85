import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks

ROOT = Path(__file__).parent.parent
NAMES = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_can_be_imported(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    assert module.__doc__
    assert not hasattr(module, "main") or f"python -m benchmarks.{name}" in module.__doc__


def test_a_missing_corpus_is_one_line() -> None:
    outcome = run("fine_tuning", "--corpus", "nothing.csv")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert outcome.stderr == "error: nothing.csv: no such file\n"


def test_memory_is_measured_on_two_sizes() -> None:
    outcome = run("memory", "--megabytes", 2, "--small-megabytes", 1)
    assert outcome.returncode == 0, outcome.stderr
    small, large, difference = outcome.stdout.splitlines()
    peaks = [float(line.split("peak ")[1].split()[0]) for line in (small, large)]
    assert all(0.2 < peak < 2 for peak in peaks)
    assert float(difference.split()[1]) == pytest.approx(peaks[1] - peaks[0], abs=0.011)
