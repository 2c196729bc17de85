import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Apps, Runner
from train import cli
from train.cli import configure
from train.config import PRESETS

ROOT = Path(__file__).parent.parent


@pytest.fixture
def train(run: Apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """python -m train in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return run(cli.app, "python -m train")


def test_a_run_says_what_it_read_how_it_went_and_what_comes_next(
    train: Runner, small_corpus_path: Path, tmp_path: Path
) -> None:
    outcome = train("--corpus", small_corpus_path, "--preset", "tiny", "--licence", "ours")
    assert outcome.code == 0
    lines = [line for line in outcome.out.splitlines() if line]
    assert lines[0] == "checkpoints/session_0"
    assert "small_songs.csv: 11 songs to train on" in outcome.out
    assert "1 × 64 LSTM" in outcome.out
    assert "bits/char" in outcome.out
    assert lines[-1] == "next: python -m export --session 0"
    log = (tmp_path / "checkpoints/session_0/train.log").read_text()
    assert [line for line in log.splitlines() if line] == lines


def test_options_go_over_the_preset() -> None:
    config = configure("seed", {"hidden_size": 32, "epochs": 1.5})
    assert (config.model.hidden_size, config.model.layers, config.epochs) == (32, 2, 1.5)
    assert config.slots == PRESETS["seed"].slots


def test_no_corpus_says_where_to_get_it_and_what_to_type_without_it(train: Runner) -> None:
    outcome = train()
    outcome.assert_one_line_error(1, "songdata.csv: no such file", "https://www.kaggle.com/", cli.TRY_WITHOUT)


def test_what_to_type_without_a_corpus_works(tmp_path: Path) -> None:
    words = cli.TRY_WITHOUT.split()
    assert words[:3] == ["python", "-m", "train"]
    words[words.index("--corpus") + 1] = str(ROOT / words[words.index("--corpus") + 1])
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from train.cli import main; main()"
    process = subprocess.run(
        [sys.executable, "-c", script, *words[3:]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert (tmp_path / "checkpoints/session_0/best.safetensors").is_file()


@pytest.mark.parametrize(
    ("content", "part"),
    [("", "the file is empty"), ("a,b\nc,d\n", "needs a column named text"), ("text\n", "found 0")],
)
def test_an_unusable_corpus_is_one_line_and_leaves_no_session(
    train: Runner, tmp_path: Path, content: str, part: str
) -> None:
    (tmp_path / "bad.csv").write_text(content)
    train("--corpus", "bad.csv").assert_one_line_error(1, "bad.csv", part)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--preset", "huge"], "--preset must be one of tiny, seed, base, not huge"),
        (["--epochs", "0"], "--epochs must be between"),
        (["--epochs", "nan"], "--epochs must be between"),
        (["--hidden-size", "-4"], "--hidden-size must be between 1 and 8192, not -4"),
        (["--dropout", "1.5"], "--dropout must be between"),
        (["--slots", "many"], "--slots"),
        (["--device", "tpu"], "--device must be one of auto, cpu, cuda, not tpu"),
        (["--precision", "fp8"], "--precision must be one of auto, fp32, bf16, not fp8"),
        (["--resume", "0", "--epochs", "9"], "--resume must be alone or with --device"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(train: Runner, arguments: list[str], part: str) -> None:
    train(*arguments).assert_one_line_error(2, part)


def test_resuming_no_session_is_one_line(train: Runner) -> None:
    train("--resume", 7).assert_one_line_error(1, "session_7: no such session")


def test_resuming_a_finished_session_names_the_next_command(train: Runner, small_corpus_path: Path) -> None:
    train("--corpus", small_corpus_path, "--preset", "tiny")
    outcome = train("--resume", 0)
    assert outcome.code == 0
    assert "next: python -m export --session 0" in outcome.out
