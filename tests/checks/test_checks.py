"""The checks themselves need qemu and Node.js; here, that they work and that they can fail."""

import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

import checks
import lyricgen
from checks import CheckError, cpus, javascript, reference
from lyricgen.engine.step_model import ModelFile
from tests.make_fake_model import FAKE_INT8_MODEL_PATH, FAKE_MODEL_PATH, FAKE_STYLED_MODEL_PATH

ROOT = Path(__file__).parents[2]
NAMES = sorted(module.name for module in pkgutil.iter_modules(checks.__path__))
MODELS = [FAKE_MODEL_PATH, FAKE_INT8_MODEL_PATH, FAKE_STYLED_MODEL_PATH]


def run(name: str, *arguments: object, path: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"checks.{name}", *map(str, arguments)]
    environment = None if path is None else {"PATH": path}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120, env=environment
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_check_is_a_command_and_says_so(name: str) -> None:
    module = importlib.import_module(f"checks.{name}")
    assert f"python -m checks.{name}" in (module.__doc__ or "")


@pytest.mark.parametrize("path", MODELS)
def test_the_reference_evaluator_agrees(path: Path) -> None:
    outcome = run("reference", "--model", path, "--steps", 20)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.endswith("\npass\n")


@pytest.mark.parametrize("path", MODELS)
@pytest.mark.parametrize("name", ["table", "output_weights", "output_biases"])
def test_the_reference_evaluator_would_notice_a_wrong_weight(path: Path, name: str, tmp_path: Path) -> None:
    file = ModelFile(path)
    found = reference.run_runtime(file, 20)
    model = onnx.load(path)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    weights = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array((weights + weights * 0.05).round(6).astype(weights.dtype), name))
    wrong_path = tmp_path / "wrong.onnx"
    onnx.save(model, wrong_path)
    wrong = reference.run_reference(wrong_path, found)
    with pytest.raises(CheckError, match="expected at most"):
        reference.check(reference.compare(found, wrong, file.card.precision))


def test_a_golden_song_is_hashed_with_its_scores() -> None:
    one, other = (cpus.write(path) for path in (FAKE_MODEL_PATH, FAKE_INT8_MODEL_PATH))
    assert one.golden
    assert other.golden
    assert one.text == lyricgen.load(FAKE_MODEL_PATH).card.golden_song.sha256
    assert one.scores != other.scores
    assert cpus.write(FAKE_MODEL_PATH) == one


def test_other_scores_or_another_text_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    here = [cpus.write(FAKE_MODEL_PATH)]
    others = {
        "scores": replace(here[0], scores="ab" * 32),
        "text": replace(here[0], text="cd" * 32, golden=False),
    }
    assert cpus.report("a CPU", [FAKE_MODEL_PATH], here, here)
    assert "different" not in capsys.readouterr().out
    for name, other in others.items():
        assert not cpus.report("a CPU", [FAKE_MODEL_PATH], [other], here)
        assert re.search(rf"{name} \w+ different", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("name", "words"), [("cpus", "qemu-x86_64 is not installed"), ("javascript", "Node.js is not installed")]
)
def test_a_missing_program_is_one_line(name: str, words: str) -> None:
    outcome = run(name, path="")
    assert outcome.returncode == 1
    assert outcome.stderr.startswith(f"error: {words}")
    assert outcome.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("node") and (javascript.EXAMPLES / "node_modules").exists()),
    reason="needs packages of npm",
)
def test_javascript_writes_the_songs_of_python() -> None:
    outcome = run("javascript")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
