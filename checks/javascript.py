"""Whether the script in examples/ writes in JavaScript the songs that lyricgen writes in Python.

    npm install --ignore-scripts --prefix examples
    python -m checks.javascript
    python -m checks.javascript --model exported_models/session_0_fp32.onnx

Each of onnxruntime's JavaScript packages that is installed in examples/ writes the same songs. In fp32 all
must be the same, in int8 those of onnxruntime-node. Those of onnxruntime-web may differ in int8: the last
bits of its sigmoid and tanh are others, and rounding the hidden state makes such a bit decisive now and then.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

import lyricgen
from checks import CheckError, run

EXAMPLES = Path(__file__).parents[1] / "examples"
PACKAGES = ("onnxruntime-node", "onnxruntime-web")
SONGS = 10
SEED = 7


def main(
    model: Annotated[Path | None, typer.Option(help="Model file.", show_default="the bundled model")] = None,
) -> None:
    """Compare songs written by onnxruntime's JavaScript packages with those of Python."""
    if shutil.which("node") is None:
        raise CheckError("Node.js is not installed: nothing was checked; see https://nodejs.org")
    installed = [name for name in PACKAGES if (EXAMPLES / "node_modules" / name).exists()]
    if not installed:
        advice = "npm install --ignore-scripts --prefix examples"
        raise CheckError(f"neither {' nor '.join(PACKAGES)} is installed: nothing was checked; {advice}")
    opened = lyricgen.load(model)
    expected = [song.text for song in opened.songs(range(SONGS), form="free", seed=SEED)]
    precision, failed = opened.card.precision, []
    for name in installed:
        found = write_songs(opened.path, name)
        same = sum(one == other for one, other in zip(found, expected, strict=True))
        print(f"{name}, {precision}: {same} of {SONGS} songs are the same", flush=True)
        if same < SONGS and (name, precision) != ("onnxruntime-web", "int8"):
            failed.append(name)
    if failed:
        raise CheckError(f"{' and '.join(failed)}: other songs than in Python")
    print("pass")


def write_songs(model_path: Path, package: str) -> list[str]:
    """Write the songs with the script in examples/ and one of the packages; return their texts.

    Raises:
        CheckError: the script failed.
    """
    options = ["--seed", SEED, "--samples", SONGS, "--format", "jsonl", "--package", package]
    command = ["node", EXAMPLES / "write_songs.mjs", model_path, *options]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise CheckError(f"{package}: {(done.stderr.splitlines() or ['no word'])[-1]}")
    return [json.loads(line)["text"] for line in done.stdout.splitlines()]


if __name__ == "__main__":
    run(main)
