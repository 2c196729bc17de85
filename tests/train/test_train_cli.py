import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Apps, Runner
from train import cli
from train.cli import configure
from train.config import PRESETS
from train.progress import SteadyConsole, TrainingDisplay

ROOT = Path(__file__).parents[2]
MAIN = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from train.cli import main; main()"


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
    assert "read        12 rows of small_songs.csv" in outcome.out
    assert "11 songs to train on, 1 held out" in outcome.out
    assert "1 × 64 LSTM" in outcome.out
    assert "bits/char" in outcome.out
    assert lines[-1] == "next: python -m export --session 0"
    log = (tmp_path / "checkpoints/session_0/train.log").read_text()
    assert [line for line in log.splitlines() if line] == lines


def test_options_go_over_the_preset() -> None:
    config = configure(
        PRESETS["seed"], {"hidden_size": 32, "epochs": 1.5, "text_column": "lyrics", "seed": 0}
    )
    assert (config.model.hidden_size, config.model.layers, config.epochs) == (32, 2, 1.5)
    assert config.corpus.text_column == "lyrics"
    assert config.slots == PRESETS["seed"].slots


def test_no_corpus_says_where_to_get_it_and_what_to_type_without_it(train: Runner) -> None:
    outcome = train()
    outcome.assert_one_line_error(1, "songdata.csv: no such file", "https://www.kaggle.com/", cli.TRY_WITHOUT)


def test_what_to_type_without_a_corpus_works(tmp_path: Path) -> None:
    words = cli.TRY_WITHOUT.split()
    assert words[:3] == ["python", "-m", "train"]
    words[words.index("--corpus") + 1] = str(ROOT / words[words.index("--corpus") + 1])
    process = subprocess.run(
        [sys.executable, "-c", MAIN, *words[3:]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stderr) == (0, "")
    last_row = (tmp_path / "checkpoints/session_0/metrics.csv").read_text().splitlines()[-1]
    assert float(last_row.split(",")[5]) < 4.0  # held out; it learned something


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
        (["--preset", "huge"], "--preset must be one of tiny, seed, base, large, not huge"),
        (["--encoding", "klingon"], "--encoding must be an encoding that Python knows, not klingon"),
        (["--encoding", "base64"], "--encoding must be an encoding that Python knows"),
        (["--patience", "-1"], "--patience must be a whole number from 0"),
        (["--auxiliary-weight", "-1"], "--auxiliary-weight must be between 0 and 10"),
        (["--style-dropout", "2"], "--style-dropout must be between 0 and 1"),
        (
            ["--from", "0", "--hidden-size", "64"],
            "--hidden-size must be left out with --from (a fine-tuned model keeps its parent's), not 64",
        ),
        (["--from", "0", "--preset", "tiny"], "--preset must be left out with --from"),
        (["--from", "0", "--resume", "0"], "--from must be left out with --resume"),
        (["--epochs", "0"], "--epochs must be between 1e-06 and 10000, not 0.0"),
        (["--epochs", "nan"], "--epochs must be between"),
        (["--hidden-size", "-4"], "--hidden-size must be a whole number from 1 to 8192, not -4"),
        (["--dropout", "1.5"], "--dropout must be between"),
        (["--slots", "many"], "--slots"),
        (["--device", "tpu"], "--device must be one of auto, cpu, cuda, not tpu"),
        (["--precision", "fp8"], "--precision must be one of auto, fp32, bf16, not fp8"),
        (["--resume", "0", "--epochs", "9"], "--epochs must be left out with --resume"),
        (["--resume", "0", "--preset", "tiny"], "--preset must be left out with --resume"),
        (["--resume", "0", "--licence", "mine"], "--licence must be left out with --resume"),
        (["--slots", "2.5"], "--slots"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(train: Runner, arguments: list[str], part: str) -> None:
    train(*arguments).assert_one_line_error(2, part)


def test_cuda_without_cuda_leaves_no_session(
    train: Runner, small_corpus_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    outcome = train("--corpus", small_corpus_path, "--device", "cuda")
    outcome.assert_one_line_error(2, "--device must be auto or cpu on this machine")
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.skipif(os.name == "nt", reason="signals work otherwise there")
def test_an_interrupted_run_resumes_as_it_says(tmp_path: Path, small_corpus_path: Path) -> None:
    command = [sys.executable, "-c", MAIN, "--corpus", str(small_corpus_path), "--epochs", "3000"]
    with subprocess.Popen(
        [*command, "--preset", "tiny"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 130
    said = [line for line in rest.splitlines() if line][-1]
    assert said == "stopped and saved. Go on with: python -m train --resume 0"
    before = (tmp_path / "checkpoints/session_0/metrics.csv").read_text().splitlines()
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "--resume", "0"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("epoch"):
                break
        process.kill()
    assert any(line.startswith("resumed     at ") for line in lines)
    after = (tmp_path / "checkpoints/session_0/metrics.csv").read_text().splitlines()
    assert after[: len(before)] == before
    assert len(after) > len(before)


def test_a_closed_pipe_does_not_end_a_training(tmp_path: Path, small_corpus_path: Path) -> None:
    words = ["--corpus", str(small_corpus_path), "--preset", "tiny", "--epochs", "20"]
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, *words], cwd=tmp_path, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
    assert process.returncode == 0
    assert "next: python -m export" in (tmp_path / "checkpoints/session_0/train.log").read_text()


def test_the_bar_shows_speed_bits_and_time_left(tmp_path: Path) -> None:
    text = io.StringIO()
    console = SteadyConsole(file=text, force_terminal=True, width=120)
    display = TrainingDisplay(console, tmp_path / "log")
    with display.bar(1000, 0):
        for done in range(100, 600, 100):
            display.advanced(done, 2.345)
            display._bar.refresh()
            time.sleep(0.01)
    assert re.search(r"50%.* [\d,]+ characters/s.*2\.345 bits/char.*left", text.getvalue())


def test_values_that_count_as_nothing_in_python_are_wishes_too(
    train: Runner, small_corpus_path: Path, tmp_path: Path
) -> None:
    train("--corpus", small_corpus_path, "--preset", "tiny", "--dropout", 0, "--patience", 0, "--no-titles")
    facts = json.loads((tmp_path / "checkpoints/session_0/config.json").read_text())
    assert (facts["config"]["patience"], facts["config"]["corpus"]["titles"]) == (0, False)
    assert facts["title_line"] is False


def test_resuming_with_another_corpus_is_refused_by_its_hash(
    train: Runner, small_corpus_path: Path, tmp_path: Path
) -> None:
    train("--corpus", small_corpus_path, "--preset", "tiny")
    outcome = train("--resume", 0, "--corpus", small_corpus_path)
    assert outcome.code == 0
    changed = tmp_path / "small_songs.csv"
    changed.write_bytes(small_corpus_path.read_bytes() + b"x,y,,z\n")
    outcome = train("--resume", 0, "--corpus", changed)
    outcome.assert_one_line_error(1, "was begun with another small_songs.csv", "their hashes differ")


def test_an_empty_path_is_not_this_folder(train: Runner, tmp_path: Path) -> None:
    (tmp_path / "private.txt").write_text("a diary")
    train("--corpus", "").assert_one_line_error(2, "--corpus", "cannot be empty")


@pytest.mark.parametrize(
    "words", [["--text-column", "lyrics"], ["--style-column", "artist"], ["--no-titles"]]
)
def test_a_folder_has_no_columns(train: Runner, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "songs").mkdir()
    outcome = train("--corpus", tmp_path / "songs", *words)
    outcome.assert_one_line_error(2, f"{words[0]} must be left out with a folder of .txt files")
    assert "True" not in outcome.err


def test_fine_tuning_without_songs_asks_for_them(train: Runner) -> None:
    outcome = train("--from", 0)
    outcome.assert_one_line_error(1, "songdata.csv: no such file. Name your songs", "--corpus PATH")


def test_a_folder_of_texts_teaches_a_trained_session(
    train: Runner, small_corpus_path: Path, tmp_path: Path
) -> None:
    train("--corpus", small_corpus_path, "--preset", "tiny", "--epochs", 3)
    folder = tmp_path / "my_songs"
    folder.mkdir()
    rng = random.Random(0)
    for n in range(10):
        words = " ".join("".join(rng.choices("abcdeost", k=4)) for _ in range(30))
        (folder / f"{n}.txt").write_text(f"A song of mine, number {n} Ω\n\n{words}\n")
    outcome = train("--from", 0, "--corpus", folder, "--epochs", 5)
    assert outcome.code == 0, outcome.err
    assert "begun from  session_0, trained on small_songs.csv (licence: unknown)" in outcome.out
    assert "Ω" in outcome.out
    first, *_, last = (line for line in outcome.out.splitlines() if line.startswith("epoch"))
    assert "training      –" in first
    assert float(last.split("held out ")[1].split()[0]) < float(first.split("held out ")[1].split()[0])
    assert outcome.out.splitlines()[-1] == "next: python -m export --session 1"


def test_resuming_no_session_is_one_line(train: Runner) -> None:
    train("--resume", 7).assert_one_line_error(1, "session_7: no such session")


def test_resuming_a_finished_session_names_the_next_command(train: Runner, small_corpus_path: Path) -> None:
    train("--corpus", small_corpus_path, "--preset", "tiny")
    outcome = train("--resume", 0)
    assert outcome.code == 0
    assert "it was finished, nothing to do" in outcome.out
    assert "next: python -m export --session 0" in outcome.out


def test_a_file_in_the_place_of_the_checkpoints_is_named(
    train: Runner, small_corpus_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "checkpoints").write_text("mine")
    outcome = train("--corpus", small_corpus_path, "--preset", "tiny")
    outcome.assert_one_line_error(1, "checkpoints: cannot write here: it is no folder, but a file")


def test_the_songs_of_a_parent_are_compared_where_they_are_at_hand(
    train: Runner, small_corpus_path: Path, tmp_path: Path
) -> None:
    words = ("--corpus", small_corpus_path, "--epochs", 1)
    assert train(*words, "--preset", "tiny", "--hidden-size", 8).code == 0
    again = train("--from", 0, *words, "--held-out-share", 0.5, "--seed", 5)
    assert "trained on 11 of these songs" in again.out
    assert "11 songs to train on, 1 held out" in again.out
    assert "beware" not in again.out
    shutil.rmtree(tmp_path / "checkpoints/session_0/songs")
    assert "beware      not all that it learned from is here" in train("--from", 0, *words).out
