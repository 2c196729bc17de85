"""How long a song takes from Return to its last line, start-up included.

    python -m benchmarks.start_to_finish

Runs whole processes in turn and prints medians: `lyricgen-run` with the bundled model, nothing but
`import torch`, and PyTorch writing as many characters: it loads weights as many as those of `base` (random
ones, for 100 characters), takes a step, the softmax and torch.multinomial, one character at a time, on one
thread. It does so twice: as it is, and with oneDNN switched off, which prepares the LSTM's weights anew
for each character.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer

import lyricgen
from benchmarks import columns, median_seconds, run
from benchmarks.random_networks import random_network

HIDDEN_SIZE = 512
OUTPUTS = 100

SONG, IMPORT, TORCH = "lyricgen-run", "import torch", "the same with PyTorch"
TORCH_ALONE = f"{TORCH}, without oneDNN"

TORCH_SONG = """
import sys
import torch

path, characters, onednn = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "onednn"
torch.set_num_threads(1)
torch.backends.mkldnn.set_flags(onednn)
weights = torch.load(path, weights_only=True)
outputs, hidden_size = weights["output.weight"].shape
inputs = weights["lstm.weight_ih_l0"].shape[1]
model = torch.nn.ModuleDict(
    {"lstm": torch.nn.LSTM(inputs, hidden_size, 2), "output": torch.nn.Linear(hidden_size, outputs)}
)
model.load_state_dict(weights)
with torch.inference_mode():
    one_hot, state, text = torch.eye(inputs), None, []
    for _ in range(characters):
        hidden, state = model["lstm"](one_hot[text[-1] if text else 0].reshape(1, 1, -1), state)
        shares = torch.softmax(model["output"](hidden[0, 0]) / 0.75, 0)
        text.append(int(torch.multinomial(shares, 1)))
print("".join(chr(32 + unit % 90) for unit in text))
"""


def main(
    characters: Annotated[int, typer.Option(help="Of the song.", min=1)] = 1000,
    runs: Annotated[int, typer.Option(help="How often each way is measured.", min=1)] = 11,
) -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as folder:
        weights_path = Path(folder) / "weights.pt"
        _card, network = random_network(HIDDEN_SIZE, OUTPUTS - 1)
        torch.save(network.state_dict(), weights_path)
        by_torch = ["-c", TORCH_SONG, weights_path, characters]
        model = lyricgen.load()
        songs = (
            model.generate(seed=n, form="free", max_length=characters, exact_length=True)
            for n in itertools.count(1)
        )
        seed = next(song.seed for song in songs if song.finished == "length")  # it does not end before
        song = [
            "-m",
            "lyricgen",
            "--form",
            "free",
            "--seed",
            seed,
            "--max-length",
            characters,
            "--exact-length",
        ]
        commands: dict[str, list[object]] = {
            SONG: song,
            IMPORT: ["-c", "import torch"],
            TORCH: [*by_torch, "onednn"],
            TORCH_ALONE: [*by_torch, "alone"],
        }
        ways = {name: partial(write, name, words, characters) for name, words in commands.items()}
        seconds = median_seconds(ways, runs)
    row = columns(40, 9, 18)
    row("", "seconds", "lyricgen takes")
    for name, taken in seconds.items():
        row(name, f"{taken:.2f}", f"{seconds[SONG] / taken:.2f} ×")


def write(name: str, words: Sequence[object], characters: int) -> int:
    """Run Python with these words; it should write one song of so many characters.

    Raises:
        LyricgenError: it wrote another number.
    """
    command = [sys.executable, *map(str, words)]
    outcome = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8")  # noqa: S603
    if name != IMPORT and len(outcome.stdout) != characters + 1:
        raise lyricgen.LyricgenError(f"{name}: wrote {len(outcome.stdout) - 1} characters, not {characters}")
    return 1


if __name__ == "__main__":
    run(main)
