"""Whether models write their golden songs on other CPUs too, the same to the last bit of every score.

    python -m checks.cpus
    python -m checks.cpus exported_models/session_3.onnx exported_models/session_3_fp32.onnx
    python -m checks.cpus --cpu SandyBridge

onnxruntime, numpy and numba each choose their code by what the CPU can do. The CPUs are emulated, one
process for each, by qemu-x86_64 (`qemu-x86_64 -cpu help` lists them). What qemu does not emulate the CPU
lacks: qemu 7.2 has AVX2 and fused multiply-add (FMA), but not AVX-512, and so its Skylake-Server is all
but its Haswell. SandyBridge has neither AVX2 nor FMA.

A text is compared with the hash in the model's card, the scores with those of this CPU.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from checks import CheckError, run
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.generator import BUNDLED_MODEL_PATH, Model
from lyricgen.vocabulary import SOS

QEMU = "qemu-x86_64"
CPUS = ("Haswell-v4", "Skylake-Server-v5")
_SHOWN = 12
"""Hexadecimal digits of a hash that are shown."""


@dataclass(frozen=True)
class Written:
    """A golden song as one CPU wrote it."""

    text: str
    """SHA-256 of the text in UTF-8."""
    scores: str
    """SHA-256 of the float32 logits of all steps through it, one after the other."""
    golden: bool
    """Whether the text is that of the model's card."""


class CpuError(CheckError):
    """The songs could not be written on a CPU."""


def main(
    models: Annotated[list[Path] | None, typer.Argument(help="Model files; the bundled one if none.")] = None,
    cpu: Annotated[
        list[str] | None, typer.Option(help=f"Emulate this CPU; {' and '.join(CPUS)} if none.")
    ] = None,
    *,
    child: Annotated[bool, typer.Option("--child", hidden=True)] = False,
) -> None:
    """Write golden songs here and on emulated CPUs; print whether they are the same."""
    paths = models or [BUNDLED_MODEL_PATH]
    if child:
        print(json.dumps([asdict(write(path)) for path in paths]))
        return
    if shutil.which(QEMU) is None:
        raise CheckError(f"{QEMU} is not installed; on Debian: apt install qemu-user")
    here, failed = _written_on([], paths), []
    if not report("this CPU", paths, here, here):
        failed.append("this CPU")
    for name in cpu or CPUS:
        if lacking := _not_emulated(name):
            print(f"{name:17}  emulated without {', '.join(lacking)}", flush=True)
        try:
            if not report(name, paths, _written_on([QEMU, "-cpu", name], paths), here):
                failed.append(name)
        except CpuError as error:
            print(f"{name:17}  could not be run: {error}", flush=True)
            failed.append(name)
    if failed:
        raise CheckError(f"not the same on {', '.join(failed)}")
    print("pass")


def write(path: Path) -> Written:
    """Write the golden song of a model on the CPU that we run on."""
    file = ModelFile(path)
    golden = file.card.golden_song
    song = Model(file).generate(
        form="free", seed=golden.seed, temperature=golden.temperature, max_length=golden.max_length
    )
    text, scores, model = hashlib.sha256(song.text.encode()).hexdigest(), hashlib.sha256(), StepModel(file)
    for token in [SOS, *file.card.vocabulary.encode(song.text)]:
        model.token[0] = token
        model.step()
        scores.update(model.logits.tobytes())
    return Written(text, scores.hexdigest(), text == golden.sha256)


def _not_emulated(cpu: str) -> list[str]:
    """Return the vector instructions that the CPU has and its emulation lacks, as the emulator names them."""
    words = [QEMU, "-cpu", cpu, sys.executable, "-c", ""]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stderr  # noqa: S603
    return sorted(set(re.findall(r"\.(avx\w*|fma)\b", said)))


def _written_on(emulator: Sequence[str], paths: Sequence[Path]) -> list[Written]:
    """Write the golden songs in a process of its own, in an emulator if there are words for one."""
    command = [*emulator, sys.executable, "-m", "checks.cpus", "--child", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if f"{QEMU}: warning" not in line]
        raise CpuError(said[-1].removeprefix("error: ") if said else f"exit code {done.returncode}")
    return [Written(**fields) for fields in json.loads(done.stdout)]


def report(cpu: str, paths: Sequence[Path], found: Sequence[Written], here: Sequence[Written]) -> bool:
    """Print what a CPU wrote; return whether all of it is the same."""
    width = max(len(path.name) for path in paths)
    for path, one, expected in zip(paths, found, here, strict=True):
        words = ["same" if same else "different" for same in (one.golden, one.scores == expected.scores)]
        text, scores = f"text {one.text[:_SHOWN]} {words[0]}", f"scores {one.scores[:_SHOWN]} {words[1]}"
        print(f"{cpu:17}  {path.name:{width}}  {text:27}  {scores}", flush=True)
    return all(one.golden for one in found) and list(found) == list(here)


if __name__ == "__main__":
    run(main)
