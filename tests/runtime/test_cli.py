"""lyricgen-run, as it is typed: what it writes, what it says, how it ends."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO
from unittest.mock import Mock

import onnx
import pytest
from typer.main import get_command

import lyricgen
from lyricgen.engine import machine_code
from lyricgen.generator import Model
from lyricgen.options import SongOptions
from lyricgen.terminal import output
from lyricgen.terminal import run as cli
from lyricgen.terminal.output import BETWEEN_SONGS
from tests.conftest import Apps, Runner
from tests.make_fake_model import (
    FAKE_MODEL_PATH,
    FAKE_STYLED_MODEL_PATH,
    biased_model_path,
    biases,
    suggesting_model_path,
)
from tests.runtime.conftest import MAIN, python

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals, pipes and devices are otherwise there")
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture
def command(run: Apps) -> Runner:
    return run(cli.app, "lyricgen-run")


@pytest.fixture
def write(command: Runner) -> Runner:
    """lyricgen-run on the fake model."""
    return partial(command, "--model", FAKE_MODEL_PATH)


@pytest.fixture
def styled(command: Runner) -> Runner:
    """lyricgen-run on the one with styles and titles."""
    return partial(command, "--model", FAKE_STYLED_MODEL_PATH)


@contextlib.contextmanager
def started(*arguments: object, before: str = "") -> Iterator[tuple[subprocess.Popen[str], IO[str], IO[str]]]:
    """lyricgen-run on the fake model as a process that goes on, its stdout and its stderr."""
    words = [sys.executable, "-c", before + MAIN, "--model", str(FAKE_MODEL_PATH), *map(str, arguments)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        yield process, process.stdout, process.stderr


def test_only_the_song_goes_to_stdout(write: Runner, fake_model: Model) -> None:
    outcome = write("--seed", 1)
    assert (outcome.code, outcome.err) == (0, "seed 1\n")
    assert outcome.out == fake_model.generate(seed=1).text + "\n"


@pytest.mark.parametrize(
    ("typed", "options"),
    [
        (
            "--temperature 0.2 --prompt abc --max-length 30",
            {"temperature": 0.2, "prompt": "abc", "max_length": 30},
        ),
        ("--style FOLK --title 'a b' --prompt c", {"style": "Folk", "title": "a b", "prompt": "c"}),
        (r"--prompt 'ab\n\nc'", {"prompt": "ab\n\nc"}),
        (
            "--top-k 3 --top-p 0.9 --min-p 0.01 --max-length 200 --exact-length",
            {"top_k": 3, "top_p": 0.9, "min_p": 0.01, "max_length": 200, "exact_length": True},
        ),
    ],
)
def test_all_options_arrive(styled: Runner, styled_model: Model, typed: str, options: SongOptions) -> None:
    asked: SongOptions = {**options, "seed": 3}
    songs = styled_model.songs(range(2), **asked)
    found = styled("--seed", 3, *shlex.split(typed), "--samples", 2)
    assert found.out == BETWEEN_SONGS.join(f"{song}\n" for song in songs)


def test_info_shows_the_card_of_a_model(styled: Runner, styled_model: Model, write: Runner) -> None:
    outcome, song = styled("--info"), styled_model.card.golden_song
    assert (outcome.code, outcome.err) == (0, "")
    facts = dict(re.split("  +", line.strip(), maxsplit=1) for line in outcome.out.splitlines())
    assert f"folder{FAKE_STYLED_MODEL_PATH.parent}" in "".join(outcome.out.split())
    assert facts["file"] == f"{FAKE_STYLED_MODEL_PATH.name}, 6.0 kB"
    assert facts["characters"] == "9: ' a b c d e é"
    assert facts["styles"] == "Folk, hymn"
    assert facts["fine-tuned from"] == "session_9, trained on other numbers"
    assert "fine-tuned" not in write("--info").out  # it was trained from scratch
    assert facts["bits per character"] == "not measured"
    assert facts["golden song"] == f"seed {song.seed}, {song.characters:,} characters"


def test_info_breaks_no_name_of_a_folder_in_two(command: Runner, tmp_path: Path) -> None:
    (folder := tmp_path / ("a" * 40) / ("b" * 40)).mkdir(parents=True)
    (folder / "model.onnx").write_bytes(FAKE_MODEL_PATH.read_bytes())
    shown = command("--info", "--model", folder / "model.onnx").out
    assert "a" * 40 in shown
    assert "b" * 40 in shown


def test_info_shows_the_bundled_model_with_its_measured_quality(command: Runner) -> None:
    shown, card = command("--info").out, lyricgen.load().card
    assert card.held_out is not None
    assert "".join(shown.split()).startswith("".join(card.about.split()) + "filebundled.onnx,5.5MB")
    assert f"\nbits per character     {card.held_out.int8_bits_per_character:.4f} (PyTorch " in shown
    assert f"  {card.held_out.symbols:,} symbols of session_0, held out\n" in shown
    styles, suggested = ",".join(card.vocabulary.styles), ",".join(card.suggested_styles)
    assert f"styles{styles}suggestedstyles{suggested}titlesyes" in "".join(shown.split())
    known = "".join(one for one in card.vocabulary.characters if not one.isspace())
    assert f"characters{len(known) + 2}:{known}styles" in "".join(shown.split())


def with_property(key: str, value: object, folder: Path) -> Path:
    """A copy of the fake model with another property."""
    model = onnx.load(FAKE_STYLED_MODEL_PATH)
    next(p for p in model.metadata_props if p.key == f"lyricgen.{key}").value = json.dumps(value)
    path = folder / "changed.onnx"
    onnx.save(model, path)
    return path


def test_info_shows_no_control_characters(command: Runner, styled_model: Model, tmp_path: Path) -> None:
    keys = ("session", "corpus", "corpus_licence", "base_model")
    hostile = dict.fromkeys(keys, "\x1b[2J\x07\u202e\x9b\nno \ud800 ♪")
    path = with_property("provenance", styled_model.card.to_json()["provenance"] | hostile, tmp_path)
    outcome = command("--info", "--model", path)
    assert outcome.code == 0
    assert outcome.out.count("\\x1b[2J\\x07\\u202e") == len(keys)
    assert outcome.out.replace("\n", "").isprintable()


def test_info_as_json(styled: Runner, styled_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is all that the file says, but of the lines it knows only how many."""
    monkeypatch.setattr("os.access", Mock(return_value=False))  # whether it can be read is tried by reading
    outcome = styled("--info", "--format", "json")
    facts = {"file": str(FAKE_STYLED_MODEL_PATH), "size_bytes": FAKE_STYLED_MODEL_PATH.stat().st_size}
    assert outcome.out.isascii()
    assert json.loads(outcome.out) == {**facts, **styled_model.card.to_json(), "known_lines": 0}


def test_the_self_test_writes_the_golden_song(styled: Runner, styled_model: Model, tmp_path: Path) -> None:
    outcome, golden = styled("--self-test"), styled_model.card.to_json()["golden_song"]
    passed = f"self-test passed: the golden song, {golden['characters']:,} characters, is the same here\n"
    assert (outcome.code, outcome.out.startswith(passed), outcome.err) == (0, True, "")
    assert re.fullmatch(r"onnxruntime \S+ through its \w+ \w+\n", outcome.out.removeprefix(passed))
    path = with_property("golden_song", golden | {"sha256": "ab" * 32}, tmp_path)
    failed = styled("--self-test", "--model", path)
    failed.assert_one_line_error(1, "self-test failed", "expected", "sha256 abababababababab…, found")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("--te", ["--temperature"]),
        ("--style b", ["ballad", "blues"]),
        (f"--model {FAKE_STYLED_MODEL_PATH} --style h", ["hymn"]),
        ("--model /none --style f", []),
        ("--format j", ["jsonl", "json"]),
    ],
)
def test_the_shell_completes_options_and_their_values(typed: str, offered: list[str]) -> None:
    words = {"COMP_WORDS": f"lyricgen-run {typed}", "COMP_CWORD": str(len(typed.split()))}
    done = python(MAIN, env={**os.environ, **words, "_LYRICGEN_RUN_COMPLETE": "complete_bash"})
    assert done.stdout.split() == offered


@POSIX
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--output songs.txt <&-", None),
        ("--output songs.txt >&-", None),
        ("--output songs.txt 2>&-", None),
        (">&-", "error: standard output: "),
        pytest.param(">/dev/full", "error: standard output: No space left on device", marks=FULL),
    ],
)
def test_a_closed_stream_is_an_error_if_songs_are_lost(tmp_path: Path, typed: str, said: str | None) -> None:
    words = ["sh", "-c", f"{sys.executable} -m lyricgen --model {FAKE_MODEL_PATH} --seed 1 {typed}"]
    done = subprocess.run(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == (0 if said is None else 1)
    if said is None:
        assert (tmp_path / "songs.txt").read_text("utf-8")
    else:
        assert re.fullmatch(f"seed 1\n{said}.*\n", done.stderr)


@pytest.mark.parametrize("kind", ["text", "jsonl"])
def test_output_gets_what_stdout_would(write: Runner, fake_model: Model, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "songs.txt"
    words = ["--seed", 4, "--first", 5, "--samples", 2, "--format", kind]
    songs = list(fake_model.songs(range(5, 7), seed=4))
    printed = "".join(output.in_form(song, kind, n) for n, song in enumerate(songs))
    assert write(*words).out == printed
    outcome = write(*words, "--output", path)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"seed 4\n2 songs in {path}\n")
    assert path.read_text("utf-8") == printed
    assert list(tmp_path.iterdir()) == [path]
    again = write(*words, "--output", path)
    assert again.err.splitlines()[1] == f"{path} is there already; its songs will be replaced"


def test_songs_are_utf_8_wherever_they_go(fake_model: Model) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    song = fake_model.generate(seed=1).text + "\n"
    assert "é" in song
    assert python(MAIN, "--model", FAKE_MODEL_PATH, "--seed", 1, env=environment).stdout == song


def test_lines_arrive_while_the_song_is_written(tmp_path: Path) -> None:
    """The first line of a song that goes on for millions of characters."""
    path = biased_model_path(tmp_path, biases(a=30, newline=30))
    with started("--model", path, "--max-length", 10_000_000) as (process, out, _):
        assert out.readline() != ""
        assert process.poll() is None
        process.kill()


def test_version_needs_no_model(command: Runner) -> None:
    outcome = command("--version", "--model", "none")
    assert (outcome.code, outcome.out) == (0, f"lyricgen {lyricgen.__version__}\n")


@pytest.mark.parametrize(
    ("code", "typed", "part"),
    [
        (2, "--temperature -1", "--temperature must be a number from 0 to 100, not -1.0"),
        (2, "--temperature warm", "--temperature must be a number, not 'warm'"),
        (2, "--samples=1.5", "--samples must be a whole number, not '1.5'"),
        (2, "--samples 0", "--samples must be a whole number from 1 to 9223372036854775807, not 0"),
        (2, "--max-length 0", "--max-length must be a whole number from 1 to 10000000, not 0"),
        (2, "--title ab", "--title cannot be used with this model"),
        (2, "--output ''", "--output must be the name of a file or, with a slash at its end, of a folder"),
        (2, "--output -", "--output must be the name of a file"),
        (2, "--output songs/ --style folk", "--style cannot be used with this model"),
        (2, "--model ''", "--model"),
        (2, "--first -1", "--first must be a whole number from 0"),
        (2, f"--first {2**64}", "--first must be a whole number from 0"),
        (2, "--samples 2 --threads 0", "--threads must be a whole number from 1 to 1024, not 0"),
        (2, "--nonsense", "--nonsense"),
        (2, "song", "song"),
        (2, "--format json", "--format must be text or jsonl, unless --info is given, not json"),
        (2, "--format jsonl --info", "--format must be text or json where --info is given, not jsonl"),
        (2, "--format yaml --info", "--format must be text, jsonl or, with --info, json, not yaml"),
        (2, "--info --seed 5", "--seed cannot be used with --info, which writes no song"),
        (2, "--info --output x", "--output cannot be used with --info"),
        (2, "--self-test --samples 1", "--samples cannot be used with --self-test"),
        (2, "--self-test --info", "--self-test cannot be used with --info"),
        (1, "--prompt a☃b", "never seen '☃' at position 2 in the prompt"),
        (1, "--output no/such/folder/songs.txt", "there is no folder"),
        (1, "--output no/such/", "there is no folder"),
        (1, "--model none.onnx", "none.onnx: no such model file"),
        (1, "--model none.onnx --info", "none.onnx: no such model file"),
        (1, "--model none.onnx --self-test", "none.onnx: no such model file"),
        (1, "--model text.onnx", "text.onnx: not a model that can be read"),
    ],
)
def test_what_is_wrong_is_one_line_and_makes_no_file(
    write: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, typed: str, part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.onnx").write_text("not a model\nat all")
    write(*shlex.split(typed)).assert_one_line_error(code, part)
    assert list(tmp_path.iterdir()) == [tmp_path / "text.onnx"]


def test_a_title_with_a_typed_line_end_is_refused(styled: Runner) -> None:
    styled("--title", r"a\nb").assert_one_line_error(2, r"--title must be one line of text, not 'a\nb'")


def test_a_closed_pipe_is_no_error() -> None:
    with started("--samples", 2000, "--seed", 1) as (process, out, err):
        out.readline()
        out.close()
        assert err.read() == "seed 1\n"
    assert process.returncode == 0


INTERRUPTED_IMPORT = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
            try:
                for _ in range(10**7):
                    pass
            except BaseException:
                raise ImportError("as numpy has it") from None

sys.meta_path.insert(0, Interrupting())
sys.argv, argv = sys.argv[:1], sys.argv
"""


@POSIX
@pytest.mark.parametrize("module", ["typer", "numpy"])
def test_ctrl_c_while_modules_are_imported_exits_130(module: str) -> None:
    done = python(INTERRUPTED_IMPORT + MAIN, module)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_ctrl_c_before_the_command_is_made_exits_130(write: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.main.get_command", Mock(side_effect=KeyboardInterrupt))
    outcome = write("--seed", 1)
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")


def test_a_defect_shows_its_own_traceback(write: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lyricgen.generator.load", Mock(side_effect=ArithmeticError("a defect of ours")))
    with pytest.raises(ArithmeticError, match="a defect of ours"):
        write("--seed", 1)


@POSIX
def test_ctrl_c_exits_130_and_leaves_whole_songs(fake_model: Model, tmp_path: Path) -> None:
    path, journal = tmp_path / "songs.txt", tmp_path / "songs.txt.part"
    with started("--seed", 5, "--samples", 10**9, "--output", path) as (process, _, err):
        assert err.readline().startswith("seed ")
        while not journal.exists() or journal.read_bytes().count(b"\n") < 20:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        kept = "of 1,000,000,000 songs are kept: the same command, with --seed 5, goes on"
        assert re.fullmatch(rf"interrupted; [\d,]+ {kept}\n", err.read())
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == [journal]
    *lines, end = journal.read_bytes().split(b"\n")
    assert end == b""
    for song in map(json.loads, (lines[1], lines[19], lines[-1])):
        assert song["text"] == fake_model.generate(seed=5, index=song["index"]).text


@POSIX
def test_ctrl_c_says_how_many_songs_went_to_stdout() -> None:
    with started("--seed", 5, "--samples", 10**9, "--format", "jsonl") as (process, out, err):
        assert out.readline().startswith("{")
        process.send_signal(signal.SIGINT)
        lines, said = 1 + len(out.read().splitlines()), err.read().splitlines()
    assert process.returncode == 130
    advice = "with --output, no finished song is lost, and the same command goes on"
    found = re.fullmatch(rf"interrupted; ([\d,]+) of 1,000,000,000 songs were written \({advice}\)", said[-1])
    assert found
    assert lines - int(found[1].replace(",", "")) in (0, 1)  # one may have been on its way


@POSIX
def test_ctrl_c_while_the_loop_is_compiled_ends_it(tmp_path: Path) -> None:
    elsewhere = "from lyricgen.engine import machine_code as m; "
    elsewhere += f"m.folders = lambda: [m.Path({str(tmp_path)!r})]; "
    with started("--seed", 1, "--output", tmp_path / "songs", before=elsewhere) as (process, _, err):
        assert err.readline() == "compiling for this CPU, which takes some seconds the first time\n"
        process.send_signal(signal.SIGINT)
        assert err.read() == ""
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


@POSIX
@pytest.mark.parametrize(("words", "code"), [("--version", 0), ("--temperature=-1", 2)])
def test_ctrl_c_does_not_disturb_the_end_of_python(words: str, code: int) -> None:
    at_exit = "import atexit, signal; atexit.register(lambda: signal.raise_signal(signal.SIGINT)); "
    done = python(at_exit + MAIN, words)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_early_ctrl_c_keeps_nothing(write: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "to_line", Mock(side_effect=KeyboardInterrupt))
    outcome = write("--samples", 2, "--seed", 9, "--output", tmp_path / "songs.txt")
    assert (outcome.code, list(tmp_path.iterdir())) == (130, [])
    same = "the same command, with --seed 9, writes the same"
    assert outcome.err.splitlines() == ["seed 9", f"interrupted; no song was finished yet: {same}"]


def test_the_same_command_goes_on(write: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No seed is typed: that of the interrupted run is found."""
    path, line = tmp_path / "songs.txt", output.to_line

    def interrupt(song: lyricgen.Song) -> str:
        if interrupted.call_count > 4:
            raise KeyboardInterrupt
        return line(song)

    words = ["--samples", 10, "--max-length", 50]
    with monkeypatch.context() as patch:
        interrupted = Mock(side_effect=interrupt)
        patch.setattr(output, "to_line", interrupted)
        first = write(*words, "--output", path)
    seed = first.err.split()[1]
    kept = f"interrupted; 4 of 10 songs are kept: the same command, with --seed {seed}, goes on"
    assert (first.code, first.err.splitlines()) == (130, [f"seed {seed}", kept])
    assert not path.exists()
    again = write(*words, "--output", path).err.splitlines()
    assert again[:2] == [f"seed {seed}", "4 of 10 songs are there already"]
    assert again[-1] == f"10 songs in {path}"
    assert path.read_text("utf-8") == write(*words, "--seed", seed).out


def test_shards_in_one_folder_are_the_songs_of_one_run(write: Runner, tmp_path: Path) -> None:
    words = ["--seed", 3, "--output", f"{tmp_path}/songs/"]
    for first in (0, 4, 8):
        assert write(*words, "--first", first, "--samples", 4).code == 0
    all_there = "seed 3\n12 of 12 songs are there already; --first 12 writes more songs of this seed\n"
    assert write(*words, "--samples", 12).err.startswith(all_there)
    songs = [(tmp_path / "songs" / f"song_{index:06}.txt").read_text("utf-8") for index in range(12)]
    assert BETWEEN_SONGS.join(songs) == write("--seed", 3, "--samples", 12, "--threads", 2).out
    others = write(*words, "--samples", 12, "--prompt", "a")
    others.assert_one_line_error(1, 'order.json: belongs to other songs (prompt "", not "a")')


def test_how_many_songs_were_cut_is_said_once(write: Runner) -> None:
    outcome = write("--seed", 1, "--samples", 30, "--max-length", 5, "--exact-length", "--format", "jsonl")
    cut = sum(json.loads(line)["finished"] == "length" for line in outcome.out.splitlines())
    assert cut > 0
    assert outcome.err == f"seed 1\n{cut} of 30 songs were cut at --max-length\n"


def test_compiling_is_announced(write: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_code, "folders", lambda: [tmp_path / "cache"])
    assert write("--seed", 1).err.splitlines() == [
        "compiling for this CPU, which takes some seconds the first time",
        f"the compiled code could not be kept in {tmp_path}/cache; the next run compiles again",
        "seed 1",
    ]


def in_a_terminal(*arguments: object, folder: Path | None = None) -> list[str]:
    """The lines that lyricgen-run shows in a terminal of 80 columns; the paths it names are in `folder`."""
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    words = [sys.executable, "-c", MAIN, *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(words, stdout=theirs, stderr=theirs, cwd=folder, env=environment)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal that was closed ends
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    process.wait()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    return [line.rpartition("\r")[2] for line in plain.replace("\r\n", "\n").splitlines()]


@pytest.mark.parametrize(
    "typed",
    [
        "--help",
        "--version",
        "--self-test",
        "--info",
        "--info --model model.onnx",
        "--form free --samples 30 --max-length 5 --output songs.txt",
        "--form free --samples 30 --output songs/",
        "--forms",
        "--rhyme AABB --stanzas 1 --candidates 4",
        "--model none.onnx",
        "--temperature warm",
        "--format jsonl --info --seed 7",
        "--style rock",
        "--prompt '☃☃☃☃ ☃☃☃☃ ☃☃☃☃'",
        "--title 'The Harbour' --prompt 'Come home, the tide is in tonight' --max-length 70 --form free",
        "--prompt 'Come home' --max-length 40 --style folk --top-p 0.99 --exact-length --form free",
    ],
)
def test_no_line_is_wider_than_a_terminal(tmp_path: Path, typed: str) -> None:
    (tmp_path / "model.onnx").write_bytes(FAKE_STYLED_MODEL_PATH.read_bytes())
    lines = in_a_terminal(*shlex.split(typed), folder=tmp_path)
    assert max(map(len, lines)) <= 80
    assert ("30/30" in "".join(lines)) == ("--samples 30" in typed)  # how many songs are written
    if typed == "--help":
        offered = {option for parameter in get_command(cli.app).params for option in parameter.opts}
        assert offered <= set(" ".join(lines).split())


def test_a_terminal_is_told_the_command_that_writes_the_song_again(command: Runner) -> None:
    typed = r"""--title "a b'c" --prompt 'c\nd' --style folk --max-length 50 --first 3"""
    shown = in_a_terminal("--model", FAKE_STYLED_MODEL_PATH, *shlex.split(typed))
    said, last = shown.index("to write this song again:"), "to keep twenty: --samples 20 --output songs/"
    assert shown[-1] == last
    words = shlex.split("\n".join(shown[said + 1 : -1]).replace("\\\n", ""))
    seed = shown[0].removeprefix("seed ")
    assert (words[0], words[-4:]) == ("lyricgen-run", ["--seed", seed, "--first", "3"])
    song = command(*words[1:]).out
    assert song.startswith("a b'c\n\nc\nd")
    assert song.splitlines() == shown[1 : 1 + len(song.splitlines())]
    assert "to write this song again:" not in in_a_terminal("--model", FAKE_STYLED_MODEL_PATH, "--seed", 1)


@pytest.mark.parametrize(
    ("typed", "said"), [("", "seed 3, style hymn"), ("--style Folk", "seed 3"), ("--samples 2", "seed 3")]
)
def test_the_style_that_a_model_suggests_is_shown(
    command: Runner, tmp_path: Path, typed: str, said: str
) -> None:
    path = suggesting_model_path(tmp_path, "Folk", "hymn")
    assert command("--model", path, "--seed", 3, *typed.split()).err.splitlines()[0] == said
    shown = re.sub("  +", " ", command("--model", path, "--info").out)
    assert "\nsuggested styles Folk, hymn\n" in shown


def test_a_prompt_that_begins_the_title_is_said_to(styled: Runner) -> None:
    said = "the prompt begins the title; with --title, it begins the lyrics\n"
    assert said in styled("--prompt", "ab").err
    assert said not in styled("--prompt", r"ab\n\nc").err
    assert said not in styled("--prompt", "ab", "--title", "c").err


@POSIX
@pytest.mark.parametrize("stderr", ["broken", "full"])
@pytest.mark.parametrize(
    ("words", "code"),
    [([], 0), (["--output", "songs"], 0), (["--temperature", -1], 2), (["--model", "none"], 1)],
)
def test_what_nobody_hears_costs_nothing(
    fake_model: Model, tmp_path: Path, stderr: str, words: list[object], code: int
) -> None:
    if stderr == "broken":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open("/dev/full", os.O_WRONLY)
    options = ["--model", FAKE_MODEL_PATH, "--seed", 1, "--samples", 3, "--max-length", 5, *words]
    done = python(MAIN, *options, cwd=tmp_path, stderr=writing)
    os.close(writing)
    assert done.returncode == code
    songs = BETWEEN_SONGS.join(f"{song}\n" for song in fake_model.songs(range(3), seed=1, max_length=5))
    written = (tmp_path / "songs").read_text("utf-8") if "--output" in words else done.stdout
    assert written == (songs if code == 0 else "")


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are Unicode there")
def test_a_name_that_is_no_text_is_shown_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(b"so\xff\n\x1b]0;x\x07")
    done = python(MAIN, "--model", FAKE_MODEL_PATH, "--seed", 1, "--output", tmp_path / name)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == rf"1 song in {tmp_path}/so\udcff\n\x1b]0;x\x07"
    assert (tmp_path / name).exists()
