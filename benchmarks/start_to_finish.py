"""How long a song takes from Return to its last line, start-up included.

    python -m benchmarks.start_to_finish

Runs `lyricgen-run` (bundled model, 1000 characters) and `python -c "import torch"` in turn as whole
processes and prints medians and their ratio: a song here, against nothing but loading PyTorch.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 11
SONG = [sys.executable, "-m", "lyricgen", "--seed", "1", "--max-length", "1000"]
TORCH = [sys.executable, "-c", "import torch"]


def main() -> None:
    """Print one line."""
    seconds: dict[str, list[float]] = {"song": [], "torch": []}
    for run in range(RUNS + 1):
        for name, command in (("song", SONG), ("torch", TORCH)):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603
            if run:  # the first one fills caches
                seconds[name].append(time.perf_counter() - start)
    song, torch = (statistics.median(seconds[name]) for name in ("song", "torch"))
    print(f"a song of 1000 characters: {song:.2f} s; import torch: {torch:.2f} s; ratio {song / torch:.2f}")


if __name__ == "__main__":
    main()
