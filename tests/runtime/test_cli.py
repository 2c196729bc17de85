import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from typer.main import get_command

import lyricgen
from lyricgen.engine import machine_code
from lyricgen.generator import Model
from lyricgen.terminal import output
from lyricgen.terminal import run as cli
from lyricgen.terminal.output import BETWEEN_SONGS
from tests.conftest import Apps, Outcome, Runner
from tests.make_fake_model import FAKE_STYLED_MODEL_PATH, biased_model_path, biases

MAIN = "from lyricgen.__main__ import main; main()"


@pytest.fixture
def write(run: Apps, fake_model_path: Path) -> Runner:
    """lyricgen-run on the fake model."""

    def with_fake_model(*arguments: object) -> Outcome:
        return run(cli.app, "lyricgen-run")("--model", fake_model_path, *arguments)

    return with_fake_model


def started(*arguments: object) -> subprocess.Popen[str]:
    """lyricgen-run as a process of its own."""
    words = [sys.executable, "-c", MAIN, *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_only_the_song_goes_to_stdout(write: Runner, fake_model: Model) -> None:
    outcome = write("--seed", 1)
    assert outcome.code == 0
    assert outcome.out == fake_model.generate(seed=1).text + "\n"
    assert outcome.err == "seed 1\n"


def test_samples_are_the_seeds_songs_in_order(write: Runner, fake_model: Model) -> None:
    songs = [fake_model.generate(seed=2, index=index).text + "\n" for index in range(3)]
    assert write("--seed", 2, "--samples", 3).out == BETWEEN_SONGS.join(songs)


@pytest.mark.parametrize(
    ("typed", "options"),
    [
        (
            "--temperature 0.2 --prompt abc --max-length 30",
            {"temperature": 0.2, "prompt": "abc", "max_length": 30},
        ),
        ("--style FOLK --title 'a b' --prompt c", {"style": "Folk", "title": "a b", "prompt": "c"}),
        ("--title ' '", {"title": None}),
        (r"--prompt 'ab\n\nc'", {"prompt": "ab\n\nc"}),
        (
            "--top-k 3 --top-p 0.9 --min-p 0.01 --max-length 200 --exact-length",
            {"top_k": 3, "top_p": 0.9, "min_p": 0.01, "max_length": 200, "exact_length": True},
        ),
    ],
)
def test_all_options_reach_the_model(run: Apps, typed: str, options: lyricgen.SongOptions) -> None:
    words = ["--model", FAKE_STYLED_MODEL_PATH, "--seed", 3, *shlex.split(typed), "--samples", 2]
    songs = lyricgen.load(FAKE_STYLED_MODEL_PATH).songs(range(2), seed=3, **options)
    assert run(cli.app, "lyricgen-run")(*words).out == BETWEEN_SONGS.join(f"{song}\n" for song in songs)


def test_info_shows_the_card_of_a_model(run: Apps) -> None:
    outcome = run(cli.app, "lyricgen-run")("--info", "--model", FAKE_STYLED_MODEL_PATH)
    song = lyricgen.load(FAKE_STYLED_MODEL_PATH).card.golden_song
    assert (outcome.code, outcome.err) == (0, "")
    facts = dict(re.split("  +", line.strip(), maxsplit=1) for line in outcome.out.splitlines())
    assert "".join(line.strip() for line in outcome.out.splitlines()[1:]).startswith(
        f"folder                 {FAKE_STYLED_MODEL_PATH.parent}"
    )
    assert facts["file"] == f"{FAKE_STYLED_MODEL_PATH.name}, 5.8 kB"
    assert facts["characters"] == "9: ' a b c d e é"
    assert facts["styles"] == "Folk, hymn"
    assert facts["fine-tuned from"] == "session_9, trained on other numbers"
    assert facts["bits per character"] == "not measured"
    assert facts["golden song"] == f"seed {song.seed}, {song.characters:,} characters"


def test_info_shows_the_bundled_model_with_its_measured_quality(run: Apps) -> None:
    outcome = run(cli.app, "lyricgen-run")("--info")
    card = lyricgen.load().card
    assert card.held_out is not None
    assert "".join(outcome.out.split()).startswith("".join(card.about.split()) + "filebundled.onnx,3.9MB")
    assert f"\nbits per character     {card.held_out.int8_bits_per_character:.4f} (PyTorch " in outcome.out
    assert f"  {card.held_out.symbols:,} symbols of session_0, held out\n" in outcome.out
    assert "ballad, folk, hymn, nursery, opera, parlour, poem\ntitles                 yes\n" in outcome.out
    known = "".join(one for one in card.vocabulary.characters if not one.isspace())
    assert f"characters{len(known) + 2}:{known}styles" in "".join(outcome.out.split())


def test_info_of_a_model_trained_from_scratch_names_no_other(run: Apps, fake_model_path: Path) -> None:
    assert lyricgen.load(fake_model_path).card.provenance.base_model == ""
    assert "fine-tuned" not in run(cli.app, "lyricgen-run")("--info", "--model", fake_model_path).out


def with_property(key: str, value: str, folder: Path) -> Path:
    """A copy of the fake model with another string property."""
    model = onnx.load(FAKE_STYLED_MODEL_PATH)
    next(p for p in model.metadata_props if p.key == f"lyricgen.{key}").value = value
    path = folder / "hostile.onnx"
    onnx.save(model, path)
    return path


def test_info_shows_no_character_that_a_terminal_would_obey(run: Apps, tmp_path: Path) -> None:
    provenance = lyricgen.load(FAKE_STYLED_MODEL_PATH).card.to_json()["provenance"]
    keys = ("session", "corpus", "corpus_licence", "base_model")
    hostile = provenance | dict.fromkeys(keys, "\x1b[2J\x07\u202e\x9b\nno \ud800 ♪")
    path = with_property("provenance", json.dumps(hostile), tmp_path)
    outcome = run(cli.app, "lyricgen-run")("--info", "--model", path)
    assert outcome.code == 0
    assert outcome.out.count("\\x1b[2J\\x07\\u202e") == len(keys)
    assert outcome.out.replace("\n", "").isprintable()


def test_whether_a_model_can_be_read_is_found_out_by_reading(
    run: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_arguments, **_keywords: False)
    assert run(cli.app, "lyricgen-run")("--info", "--model", FAKE_STYLED_MODEL_PATH).code == 0


def test_info_as_json_is_all_that_the_file_says(run: Apps) -> None:
    outcome = run(cli.app, "lyricgen-run")("--info", "--format", "json", "--model", FAKE_STYLED_MODEL_PATH)
    shown = json.loads(outcome.out)
    assert outcome.out.isascii()
    assert shown.pop("file") == str(FAKE_STYLED_MODEL_PATH)
    assert shown.pop("size_bytes") == FAKE_STYLED_MODEL_PATH.stat().st_size
    assert shown == lyricgen.load(FAKE_STYLED_MODEL_PATH).card.to_json()


def test_the_self_test_says_in_one_line_that_the_golden_song_came_out(run: Apps) -> None:
    outcome = run(cli.app, "lyricgen-run")("--self-test", "--model", FAKE_STYLED_MODEL_PATH)
    characters = lyricgen.load(FAKE_STYLED_MODEL_PATH).card.golden_song.characters
    passed = f"self-test passed: the golden song, {characters:,} characters, is the same here\n"
    assert (outcome.code, outcome.out.startswith(passed), outcome.err) == (0, True, "")
    assert re.fullmatch(r"onnxruntime \S+ through its \w+ \w+\n", outcome.out.removeprefix(passed))


def test_damaged_weights_are_noticed(run: Apps, tmp_path: Path) -> None:
    model = onnx.load(FAKE_STYLED_MODEL_PATH)
    biases = next(tensor for tensor in model.graph.initializer if tensor.name == "output_biases")
    biases.raw_data = bytes([biases.raw_data[0] ^ 1]) + biases.raw_data[1:]
    onnx.save(model, tmp_path / "damaged.onnx")
    outcome = run(cli.app, "lyricgen-run")("--model", tmp_path / "damaged.onnx")
    outcome.assert_one_line_error(1, "damaged.onnx: damaged on its way (copy it again): sha256")


def test_songs_that_are_there_say_how_to_get_more(write: Runner, tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    wish = ("--samples", 2, "--output", f"{tmp_path}/songs/")
    write("--seed", 4, *wish)
    expected = "2 of 2 songs are there already; --first 2 writes more songs of this seed"
    assert expected in write("--seed", 4, *wish).err


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("--te", ["--temperature"]),
        ("--style b", ["ballad"]),
        (f"--model {FAKE_STYLED_MODEL_PATH} --style h", ["hymn"]),
        ("--model /none --style f", []),
        ("--format j", ["jsonl", "json"]),
    ],
)
def test_the_shell_completes_options_and_their_values(typed: str, offered: list[str]) -> None:
    words = f"lyricgen-run {typed}"
    environment = {
        "_LYRICGEN_RUN_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    code = "import sys; sys.argv[0] = 'lyricgen-run'; from lyricgen.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == offered


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_costs_no_song(tmp_path: Path, fake_model_path: Path, closed: str) -> None:
    words = f"{sys.executable} -m lyricgen --model {fake_model_path} --seed 1 --output songs.txt {closed}"
    subprocess.run(["sh", "-c", words], cwd=tmp_path, check=True)
    assert (tmp_path / "songs.txt").read_text("utf-8")


def test_songs_for_a_closed_stdout_are_an_error(fake_model_path: Path) -> None:
    command = f"{sys.executable} -m lyricgen --model {fake_model_path} --seed 1 >&-"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: standard output: ")


def test_the_self_test_fails_if_another_song_comes_out(run: Apps, tmp_path: Path) -> None:
    golden = lyricgen.load(FAKE_STYLED_MODEL_PATH).card.to_json()["golden_song"]
    path = with_property("golden_song", json.dumps(golden | {"sha256": "ab" * 32}), tmp_path)
    outcome = run(cli.app, "lyricgen-run")("--self-test", "--model", path)
    outcome.assert_one_line_error(1, "self-test failed", "expected", "sha256 abababababababab…, found")


def test_an_error_shows_no_character_that_a_terminal_would_obey(run: Apps, tmp_path: Path) -> None:
    path = with_property("precision", json.dumps("\x1b[2J\u202e"), tmp_path)
    outcome = run(cli.app, "lyricgen-run")("--model", path)
    outcome.assert_one_line_error(1, r"lyricgen.precision: expected int8 or fp32, found \x1b[2J\u202e")


def test_output_gets_what_stdout_would(write: Runner, tmp_path: Path) -> None:
    path = tmp_path / "songs.txt"
    printed = write("--seed", 4, "--samples", 2).out
    outcome = write("--seed", 4, "--samples", 2, "--output", path)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"seed 4\n2 songs in {path}\n")
    assert path.read_text("utf-8") == printed
    assert list(tmp_path.iterdir()) == [path]
    again = write("--seed", 4, "--samples", 2, "--output", path)
    assert again.err.splitlines()[1] == f"{path} is there already; its songs will be replaced"


def test_songs_are_utf_8_wherever_they_go(fake_model_path: Path, fake_model: Model) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    command = [sys.executable, "-c", MAIN, "--model", str(fake_model_path), "--seed", "1"]
    out = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    assert out.decode("utf-8") == fake_model.generate(seed=1).text + "\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(fake_model_path: Path) -> None:
    command = [sys.executable, "-c", MAIN, "--model", str(fake_model_path), "--seed", "1"]
    with Path("/dev/full").open("wb") as full:
        outcome = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert outcome.returncode == 1
    assert outcome.stderr.splitlines() == ["seed 1", "error: standard output: No space left on device"]


def test_lines_arrive_while_the_song_is_written(tmp_path: Path) -> None:
    """The first line of a song that goes on for millions of characters."""
    path = biased_model_path(tmp_path, biases(a=30, newline=30))
    with started("--model", path, "--max-length", 10_000_000) as process:
        assert process.stdout is not None
        assert process.stdout.readline() != ""
        assert process.poll() is None
        process.kill()


def test_version_needs_no_model(run: Apps) -> None:
    outcome = run(cli.app, "lyricgen-run")("--version")
    assert (outcome.code, outcome.out) == (0, f"lyricgen {lyricgen.__version__}\n")


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("--temperature -1", "--temperature must be a number from 0 to 100, not -1.0"),
        ("--temperature nan", "--temperature must be a finite number from 0 to 100, not nan"),
        ("--temperature warm", "--temperature must be a number, not 'warm'"),
        ("--samples=1.5", "--samples must be a whole number, not '1.5'"),
        ("--samples 0", "--samples must be a whole number from 1 to 9223372036854775807, not 0"),
        ("--max-length 0", "--max-length must be a whole number from 1 to 10000000, not 0"),
        ("--seed -1", "--seed must be a whole number"),
        ("--title ab", "--title cannot be used with this model, whose songs have no titles"),
        ("--style folk", "--style cannot be used with this model, which has no styles"),
        (f"--model {FAKE_STYLED_MODEL_PATH} --style rock", "--style must be one of Folk, hymn, not rock"),
        (f"--model {FAKE_STYLED_MODEL_PATH} --title 'a\nb'", r"--title must be one line of text, not 'a\nb'"),
        ("--output ''", "--output must be the name of a file or, with a slash at its end, of a folder"),
        ("--output -", "--output must be the name of a file"),
        ("--model ''", "--model"),
        ("--first -1", "--first must be a whole number from 0"),
        (f"--first {2**64}", "--first must be a whole number from 0"),
        ("--top-p 0", "--top-p must be a number above 0, up to 1, not 0.0"),
        ("--samples 2 --threads 0", "--threads must be a whole number from 1 to 1024, not 0"),
        ("--nonsense", "--nonsense"),
        ("song", "song"),
        ("--prompt abc --max-length 2", "at least the prompt's 3 characters"),
        ("--format json", "--format must be text or jsonl, unless --info is given, not json"),
        ("--format jsonl --info", "--format must be text or json where --info is given, not jsonl"),
        ("--format yaml --info", "--format must be text, jsonl or, with --info, json, not yaml"),
        ("--info --seed 5", "--seed cannot be used with --info, which writes no song"),
        ("--info --output x", "--output cannot be used with --info"),
        ("--self-test --samples 1", "--samples cannot be used with --self-test"),
        ("--self-test --info", "--self-test cannot be used with --info"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(write: Runner, typed: str, part: str) -> None:
    write(*shlex.split(typed)).assert_one_line_error(2, part)


def test_a_model_that_cannot_be_read_is_one_line_and_exit_1(run: Apps, tmp_path: Path) -> None:
    command, path = run(cli.app, "lyricgen-run"), tmp_path / "song.txt"
    for words in ([], ["--info"], ["--self-test"]):
        command("--model", path, *words).assert_one_line_error(
            1, "song.txt: no such model file", "python -m export"
        )
    path.write_text("not a model\nat all")
    command("--model", path).assert_one_line_error(1, "song.txt: not a model that can be read")


def test_an_unknown_character_in_the_prompt_is_one_line_and_exit_1(write: Runner) -> None:
    write("--prompt", "a\u2603b").assert_one_line_error(1, "never seen '\u2603' at position 2 in the prompt")


@pytest.mark.parametrize("output", ["no/such/folder/songs.txt", "no/such/"])
def test_an_impossible_output_is_found_before_writing(write: Runner, tmp_path: Path, output: str) -> None:
    write("--output", f"{tmp_path}/{output}").assert_one_line_error(1, "there is no folder")


def test_a_closed_pipe_is_no_error(fake_model_path: Path) -> None:
    process = started("--model", fake_model_path, "--samples", 2000, "--seed", 1)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    with process:
        assert process.stderr.read() == "seed 1\n"
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
from lyricgen.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["typer", "numpy"])
def test_ctrl_c_while_modules_are_imported_exits_130(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT, module], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_ctrl_c_before_the_command_is_made_exits_130(write: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_app: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("typer.main.get_command", interrupt)
    outcome = write("--seed", 1)
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")


@pytest.mark.skipif(os.name == "nt", reason="signals work otherwise there")
def test_ctrl_c_exits_130_and_leaves_whole_songs(
    fake_model_path: Path, fake_model: Model, tmp_path: Path
) -> None:
    words, journal = (
        ["--model", fake_model_path, "--seed", 5, "--samples", 10**9],
        tmp_path / "songs.txt.part",
    )
    process = started(*words, "--output", tmp_path / "songs.txt")
    with process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("seed ")
        while not journal.exists() or journal.read_bytes().count(b"\n") < 20:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert re.fullmatch(
            r"interrupted; [\d,]+ of 1,000,000,000 songs are kept: "
            r"the same command, with --seed 5, goes on\n",
            process.stderr.read(),
        )
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == [journal]
    *lines, end = journal.read_bytes().split(b"\n")
    assert end == b""
    for song in map(json.loads, (lines[1], lines[19], lines[-1])):
        assert song["text"] == fake_model.generate(seed=5, index=song["index"]).text


@pytest.mark.skipif(os.name == "nt", reason="signals work otherwise there")
def test_ctrl_c_says_how_many_songs_went_to_stdout(fake_model_path: Path) -> None:
    with started("--model", fake_model_path, "--seed", 5, "--samples", 10**9, "--format", "jsonl") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("{")
        process.send_signal(signal.SIGINT)
        lines = 1 + len(process.stdout.read().splitlines())
        said = process.stderr.read().splitlines()
    assert process.returncode == 130
    advice = "with --output, no finished song is lost, and the same command goes on"
    found = re.fullmatch(rf"interrupted; ([\d,]+) of 1,000,000,000 songs were written \({advice}\)", said[-1])
    assert found
    assert lines - int(found[1].replace(",", "")) in (0, 1)  # one may have been on its way


def test_an_interruption_before_the_first_song_says_that_nothing_is_kept(
    write: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_song: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(output, "to_line", interrupt)
    outcome = write("--samples", 2, "--seed", 9, "--output", tmp_path / "songs.txt")
    assert (outcome.code, list(tmp_path.iterdir())) == (130, [])
    same = "the same command, with --seed 9, writes the same"
    assert outcome.err.splitlines() == ["seed 9", f"interrupted; no song was finished yet: {same}"]


def test_the_same_command_goes_on_after_an_interruption(
    write: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No seed is typed: that of the interrupted run is found."""
    path, line, kept_songs = tmp_path / "songs.txt", output.to_line, []

    def interrupt(song: lyricgen.Song) -> str:
        if len(kept_songs) == 4:
            raise KeyboardInterrupt
        kept_songs.append(song)
        return line(song)

    words = ["--samples", 10, "--output", path, "--max-length", 50]
    with monkeypatch.context() as patch:
        patch.setattr(output, "to_line", interrupt)
        first = write(*words)
    assert first.code == 130
    seed = first.err.split()[1]
    kept = f"interrupted; 4 of 10 songs are kept: the same command, with --seed {seed}, goes on"
    assert first.err.splitlines() == [f"seed {seed}", kept]
    assert not path.exists()
    again = write(*words)
    assert again.err.splitlines()[:2] == [f"seed {seed}", "4 of 10 songs are there already"]
    assert again.err.splitlines()[-1] == f"10 songs in {path}"
    assert path.read_text("utf-8") == write(*words[:2], *words[4:], "--seed", seed).out


def test_another_wish_for_the_same_output_is_one_line(write: Runner, tmp_path: Path) -> None:
    path = tmp_path / "songs"
    path.mkdir()
    assert write("--samples", 2, "--seed", 1, "--output", path).code == 0
    again = write("--samples", 2, "--seed", 1, "--top-k", 5, "--output", path)
    again.assert_one_line_error(1, "order.json: belongs to other songs (top_k 0, not 5)")


def test_a_wrong_option_makes_no_folder(write: Runner, tmp_path: Path) -> None:
    assert write("--style", "folk", "--output", f"{tmp_path}/songs/").code == 2
    assert list(tmp_path.iterdir()) == []


def test_shards_in_one_folder_are_the_songs_of_one_run(write: Runner, tmp_path: Path) -> None:
    words = ["--seed", 3, "--output", f"{tmp_path}/songs/"]
    for first in (0, 4, 8):
        assert write(*words, "--first", first, "--samples", 4).code == 0
    assert write(*words, "--samples", 12).err.startswith("seed 3\n12 of 12 songs are there already; ")
    songs = [(tmp_path / "songs" / f"song_{index:06}.txt").read_text("utf-8") for index in range(12)]
    assert BETWEEN_SONGS.join(songs) == write("--seed", 3, "--samples", 12, "--threads", 2).out


def test_jsonl_has_a_line_for_each_song(write: Runner, fake_model: Model) -> None:
    words = ["--seed", 3, "--first", 5, "--samples", 4, "--max-length", 60]
    lines = write(*words, "--format", "jsonl").out.splitlines()
    for line, song in zip(lines, fake_model.songs(range(5, 9), seed=3, max_length=60), strict=True):
        assert line == output.to_line(song)
        assert json.loads(line)["text"] == song.text


def test_how_many_songs_were_cut_is_said_once(write: Runner) -> None:
    outcome = write("--seed", 1, "--samples", 30, "--max-length", 5)
    cut = sum(len(song) == 5 for song in outcome.out.split("\n"))
    assert cut > 0
    assert re.fullmatch(r"seed 1\n\d+ of 30 songs were cut at --max-length\n", outcome.err)


def test_the_first_song_says_why_it_takes_longer(
    write: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_code, "folders", lambda: [tmp_path / "cache"])
    said = write("--seed", 1).err.splitlines()
    assert said == [
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
        "--samples 30 --max-length 5 --output songs.txt",
        "--samples 30 --output songs/",
        "--model none.onnx",
        "--temperature warm",
        "--format jsonl --info --seed 7",
        "--style rock",
        "--prompt '☃☃☃☃ ☃☃☃☃ ☃☃☃☃'",
        "--title 'The Harbour' --prompt 'Come home, the tide is in tonight' --max-length 70 --top-k 7",
        "--prompt 'Come home' --max-length 40 --style folk --top-p 0.99 --min-p 0.001 --exact-length",
    ],
)
def test_no_line_is_wider_than_a_terminal(tmp_path: Path, typed: str) -> None:
    (tmp_path / "model.onnx").write_bytes(FAKE_STYLED_MODEL_PATH.read_bytes())
    lines = in_a_terminal(*shlex.split(typed), folder=tmp_path)
    assert max(map(len, lines)) <= 80
    if typed == "--help":
        offered = {option for parameter in get_command(cli.app).params for option in parameter.opts}
        assert offered <= set(" ".join(lines).split())


def test_a_terminal_shows_how_many_songs_are_written(fake_model_path: Path, tmp_path: Path) -> None:
    words = ["--model", fake_model_path, "--seed", 1, "--output", "songs"]
    assert "50/50" in "".join(in_a_terminal(*words, "--samples", 50, folder=tmp_path))
    assert in_a_terminal(*words, folder=tmp_path)[0] == "seed 1"


def test_a_terminal_is_told_the_command_that_writes_the_song_again(run: Apps) -> None:
    options = [
        "--title",
        "a b'c",
        "--prompt",
        r"c\nd",
        "--style",
        "folk",
        "--max-length",
        "50",
        "--first",
        "3",
    ]
    shown = in_a_terminal("--model", FAKE_STYLED_MODEL_PATH, *options)
    said, last = shown.index("to write this song again:"), "to keep twenty: --samples 20 --output songs/"
    assert shown[-1] == last
    command = shlex.split("\n".join(shown[said + 1 : -1]).replace("\\\n", ""))
    seed = shown[0].removeprefix("seed ")
    assert (command[0], command[-4:]) == ("lyricgen-run", ["--seed", seed, "--first", "3"])
    song = run(cli.app, "lyricgen-run")(*command[1:]).out
    assert song.startswith("a b'c\n\nc\nd")
    assert song.splitlines() == shown[1 : 1 + len(song.splitlines())]
    assert "to write this song again:" not in in_a_terminal("--model", FAKE_STYLED_MODEL_PATH, "--seed", 1)


def test_a_prompt_that_begins_the_title_is_said_to(run: Apps) -> None:
    command = run(cli.app, "lyricgen-run")
    said = "the prompt begins the title; with --title, it begins the lyrics\n"
    words = ["--model", FAKE_STYLED_MODEL_PATH, "--seed", 1]
    assert said in command(*words, "--prompt", "ab").err
    assert said not in command(*words, "--prompt", r"ab\n\nc").err
    assert said not in command(*words, "--prompt", "ab", "--title", "c").err


@pytest.mark.skipif(os.name == "nt", reason="pipes and devices are otherwise there")
@pytest.mark.parametrize("stderr", ["broken", "full"])
@pytest.mark.parametrize(
    ("words", "code"),
    [([], 0), (["--output", "songs"], 0), (["--temperature", -1], 2), (["--model", "none"], 1)],
)
def test_what_nobody_hears_costs_nothing(
    fake_model_path: Path, fake_model: Model, tmp_path: Path, stderr: str, words: list[object], code: int
) -> None:
    if stderr == "broken":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open("/dev/full", os.O_WRONLY)
    options = ["--model", fake_model_path, "--seed", 1, "--samples", 3, "--max-length", 5, *words]
    command = [sys.executable, "-c", MAIN, *map(str, options)]
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=writing, check=False)
    os.close(writing)
    assert done.returncode == code
    songs = [fake_model.generate(seed=1, index=n, max_length=5).text + "\n" for n in range(3)]
    written = (tmp_path / "songs").read_bytes() if "--output" in words else done.stdout
    assert written == (BETWEEN_SONGS.join(songs).encode() if code == 0 else b"")


@pytest.mark.skipif(sys.platform == "darwin" or os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_no_text_is_shown_escaped(fake_model_path: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"so\xff\x1b]0;x\x07")
    process = started("--model", fake_model_path, "--seed", 1, "--output", tmp_path / name)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.splitlines()[-1]) == (0, rf"1 song in {tmp_path}/so\udcff\x1b]0;x\x07")
    assert (tmp_path / name).exists()


@pytest.mark.skipif(os.name == "nt", reason="signals are otherwise there")
def test_ctrl_c_while_the_loop_is_compiled_ends_it(fake_model_path: Path, tmp_path: Path) -> None:
    elsewhere = "from lyricgen.engine import machine_code as m; "
    elsewhere += f"m.folders = lambda: [m.Path({str(tmp_path)!r})]; "
    words = ["--model", fake_model_path, "--seed", 1, "--output", tmp_path / "songs"]
    command = [sys.executable, "-c", elsewhere + MAIN, *map(str, words)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "compiling for this CPU, which takes some seconds the first time\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")
    assert list(tmp_path.iterdir()) == []


def test_a_defect_shows_its_own_traceback(write: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def defective(*_: object) -> None:
        raise ArithmeticError("a defect of ours")

    monkeypatch.setattr(cli, "_write", defective)
    with pytest.raises(ArithmeticError, match="a defect of ours"):
        write("--seed", 1)


@pytest.mark.skipif(os.name == "nt", reason="signals are otherwise there")
@pytest.mark.parametrize("words", ["--version", "--temperature -1"])
def test_ctrl_c_does_not_disturb_the_end_of_python(words: str) -> None:
    at_exit = "import atexit, signal; atexit.register(lambda: signal.raise_signal(signal.SIGINT)); "
    command = [sys.executable, "-c", at_exit + MAIN, *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if words == "--version" else 2)
    assert "Traceback" not in done.stderr
