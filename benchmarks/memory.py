"""How much memory a large corpus needs: peak RAM of a training on 1 GB against one on 10 MB.

    python -m benchmarks.memory
    python -m benchmarks.memory --megabytes 200

Writes two CSVs of random songs, runs `python -m train` on each as a whole process (reading, finding
duplicates, encoding, then equally many steps of training), and prints the peaks and their difference.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import run
from benchmarks.songs import write_random_csv
from lyricgen.errors import LyricgenError

SYMBOLS = 2_000_000
ROOT = Path(__file__).parent.parent


def main(
    megabytes: Annotated[int, typer.Option(help="Size of the large corpus.")] = 1000,
    small_megabytes: Annotated[int, typer.Option(help="Size of the small one.")] = 10,
) -> None:
    """Print one line for each corpus, and the difference."""
    peaks = []
    for size in (small_megabytes, megabytes):
        with tempfile.TemporaryDirectory(dir=".") as folder:
            path = Path(folder) / "songs.csv"
            write_random_csv(path, size * 10**6)
            seconds, peak = _train(path, epochs=SYMBOLS / (size * 10**6))
        peaks.append(peak)
        print(f"{size:6,} MB: {seconds:6.0f} s, peak {peak / 1e9:.2f} GB", flush=True)
    print(f"difference: {(peaks[1] - peaks[0]) / 1e9:.2f} GB")


def _train(path: Path, epochs: float) -> tuple[float, int]:
    """Train on a CSV; return seconds and the peak of resident memory in bytes."""
    command = [sys.executable, "-m", "train", "--corpus", path.name, "--preset", "tiny"]
    command += ["--epochs", f"{epochs:.6f}", "--held-out-share", "0.001"]
    start = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=path.parent, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise LyricgenError(f"training on {path.name} ended with exit code {process.returncode}")
    return time.monotonic() - start, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    run(main)
