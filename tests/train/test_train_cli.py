import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.conftest import Runner
from train.callbacks import Validation
from train.config import PRESETS
from train.progress import SteadyConsole, TrainingDisplay

ROOT = Path(__file__).parents[2]
MAIN = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from train.cli import main; main()"


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
    assert "scores are bits per character" in outcome.out
    assert lines[-1] == "next: python -m export --session 0"
    log = (tmp_path / "checkpoints/session_0/train.log").read_text()
    assert [line for line in log.splitlines() if line] == lines


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--corpus", "my.csv"), ("my.csv: no such file. Name your songs", "--corpus PATH")),
        (("--from", 0), ("songdata.csv: no such file. Name your songs", "--corpus PATH")),
        (("--resume", 7), ("session_7: no such session",)),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(
    train: Runner, words: tuple[object, ...], parts: tuple[str, ...]
) -> None:
    train(*words).assert_one_line_error(1, *parts)


def test_weights_of_styles_decide_what_an_epoch_is(train: Runner, small_corpus_path: Path) -> None:
    options = (
        "--corpus",
        small_corpus_path,
        "--preset",
        "tiny",
        "--style-column",
        "artist",
        "--held-out-share",
        0.3,
    )
    read = []
    for weights in ("", "lyricgen=3"):
        more = ("--style-weights", weights) if weights else ()
        last = [line for line in train(*options, *more).out.splitlines() if line.startswith("epoch")][-1]
        read.append(int(re.sub(r"\D", "", last.split("chars")[0].split()[-1])))
    assert read[1] == pytest.approx(3 * read[0], rel=0.1)
    train(*options, "--style-weights", "jazz=3").assert_one_line_error(2, "--style-weights", "jazz")
    train(*options, "--style-weights", "jazz").assert_one_line_error(2, "--style-weights", "poem=0.5,pop=3")


@pytest.mark.slow
def test_without_a_corpus_it_reads_the_songs_of_its_own(train: Runner, tmp_path: Path) -> None:
    outcome = train("--preset", "tiny", "--epochs", 0.2)
    assert outcome.code == 0, outcome.err
    assert "there is no songdata.csv here: reading modern_songs.csv.xz" in outcome.out
    assert "read        3,502 rows of modern_songs.csv.xz" in outcome.out
    facts = json.loads((tmp_path / "checkpoints/session_0/config.json").read_text())["corpus"]
    assert facts["licence"].startswith("CC0 1.0")
    assert {"country", "pop", "rap"} <= facts["styles"].keys()
    last_row = (tmp_path / "checkpoints/session_0/metrics.csv").read_text().splitlines()[-1]
    assert float(last_row.split(",")[5]) < 4.5  # held out; it learned something


@pytest.mark.parametrize(
    ("content", "words", "code", "part"),
    [
        ("a,b\nc,d\n", (), 1, "bad.csv: needs a column named text"),
        ("text\n", (), 1, "found 0"),
        ("text\na\nb\n", ("--device", "cuda"), 2, "--device must be auto or cpu on this machine"),
    ],
)
def test_what_cannot_be_trained_is_one_line_and_leaves_no_session(
    train: Runner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    words: tuple[str, ...],
    code: int,
    part: str,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (tmp_path / "bad.csv").write_text(content)
    train("--corpus", "bad.csv", *words).assert_one_line_error(code, part)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--preset", "huge"], "--preset must be one of tiny, seed, base, large, not huge"),
        (["--encoding", "klingon"], "--encoding must be an encoding that Python knows, not klingon"),
        (["--patience", "-1"], "--patience must be a whole number from 0"),
        (["--from", "0", "--hidden-size", "64"], "--hidden-size cannot be used with --from: a fine-tuned"),
        (["--from", "0", "--resume", "0"], "--from cannot be used with --resume"),
        (["--epochs", "nan"], "--epochs must be a finite number"),
        (["--hidden-size", "-4"], "--hidden-size must be a whole number from 1 to 8192, not -4"),
        (["--device", "tpu"], "--device must be auto or cpu or cuda, not tpu"),
        (["--precision", "fp8"], "--precision must be auto or fp32 or bf16, not fp8"),
        (["--resume", "0", "--epochs", "9"], "--epochs cannot be used with --resume"),
        (["--slots", "2.5"], "--slots"),
        (["--corpus", ""], "a path cannot be empty"),
        *(
            (["--corpus", ".", *words], f"{words[0]} cannot be used with a folder of .txt files")
            for words in (["--text-column", "lyrics"], ["--style-column", "artist"], ["--no-titles"])
        ),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(train: Runner, arguments: list[str], part: str) -> None:
    train(*arguments).assert_one_line_error(2, part)


def test_a_display_that_nobody_reads_still_writes_its_log(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with suppress(BrokenPipeError), open(writer, "w") as pipe:  # noqa: PTH123 (it complains once more at its end)
        display = TrainingDisplay(SteadyConsole(file=pipe), tmp_path / "log")
        display.say("one")
        display.say("two")
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


@pytest.mark.slow
def test_a_closed_pipe_does_not_end_a_training(tmp_path: Path, small_corpus_path: Path) -> None:
    words = ["--corpus", str(small_corpus_path), "--preset", "tiny", "--hidden-size", "8"]
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, *words], cwd=tmp_path, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
    assert process.returncode == 0
    assert "next: python -m export" in (tmp_path / "checkpoints/session_0/train.log").read_text()


@pytest.mark.skipif(os.name == "nt", reason="no pseudo terminals there")
def test_every_line_fits_a_terminal_of_80_columns(tmp_path: Path, small_corpus_path: Path) -> None:
    import pty

    terminal, end = pty.openpty()
    words = ["--corpus", str(small_corpus_path), "--preset", "tiny", "--hidden-size", "8"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, *words], cwd=tmp_path, stdout=end, stderr=end, env=environment
    ) as process:
        os.close(end)
        said = b""
        with suppress(OSError):  # which is how the end of the process looks on Linux
            while piece := os.read(terminal, 4096):
                said += piece
    os.close(terminal)
    assert process.returncode == 0
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", said.decode())
    lines = re.split(r"[\r\n]+", text)
    assert any(line.startswith("epoch") for line in lines)
    assert [line for line in lines if cell_len(line) > 80] == []


def test_long_facts_are_wrapped_beside_their_label(tmp_path: Path) -> None:
    text = io.StringIO()
    display = TrainingDisplay(SteadyConsole(file=text, width=200), tmp_path / "log")
    display.say("歌 " * 60, "styles")
    display.on_validation(Validation(10**6, 10**9, 999.99, 0.1, 5.5, 5.25, 360_000.0), best=True)
    lines = text.getvalue().splitlines()
    assert lines[0].startswith("styles      歌 歌")
    assert lines[1].startswith("            歌")
    assert lines[-1].endswith("100:00:00  best")
    assert max(map(cell_len, lines)) <= 80
    assert (tmp_path / "log").read_text().splitlines() == lines


def test_the_bar_shows_speed_bits_and_time_left(tmp_path: Path) -> None:
    text = io.StringIO()
    console = SteadyConsole(file=text, force_terminal=True, width=120)
    display = TrainingDisplay(console, tmp_path / "log")
    with display.bar(1000, 0):
        for done in range(100, 600, 100):
            display.on_progress(done, 2.345)
            display._bar.refresh()
    assert re.search(r"50%.* [\d,]+ characters/s.*2\.345 bits/char.*left", text.getvalue())


def test_options_go_over_the_preset_also_those_that_count_as_false_in_python(
    train: Runner, small_corpus_path: Path, tmp_path: Path
) -> None:
    words = ("--dropout", 0, "--patience", 0, "--no-titles", "--hidden-size", 32, "--epochs", 1.5)
    train("--corpus", small_corpus_path, "--preset", "tiny", *words)
    facts = json.loads((tmp_path / "checkpoints/session_0/config.json").read_text())
    config = facts["config"]
    assert (config["patience"], config["corpus"]["titles"], config["epochs"]) == (0, False, 1.5)
    assert (config["model"]["hidden_size"], config["slots"]) == (32, PRESETS["tiny"].slots)
    assert facts["title_line"] is False


def test_a_finished_session_resumes_with_nothing_to_do_and_never_with_another_corpus(
    train: Runner, small_corpus_path: Path, tmp_path: Path
) -> None:
    train("--corpus", small_corpus_path, "--preset", "tiny")
    outcome = train("--resume", 0, "--corpus", small_corpus_path)
    assert outcome.code == 0
    assert "it was finished, nothing to do" in " ".join(outcome.out.split())
    assert "next: python -m export --session 0" in outcome.out
    changed = tmp_path / "small_songs.csv"
    changed.write_bytes(small_corpus_path.read_bytes() + b"x,y,,z\n")
    outcome = train("--resume", 0, "--corpus", changed)
    outcome.assert_one_line_error(1, "was begun with another small_songs.csv", "their hashes differ")


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
    assert (
        "beware      some songs that the first model was trained on are not here"
        in train("--from", 0, *words).out
    )
