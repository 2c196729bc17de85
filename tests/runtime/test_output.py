"""No finished song is lost, and the same request goes on: in a file, a folder and a pipe."""

import errno
import json
import os
import signal
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from lyricgen.errors import LyricgenError
from lyricgen.files import write_atomically, write_new
from lyricgen.generator import Song
from lyricgen.terminal.output import BETWEEN_SONGS, JSONL, in_form, open_output, recorded_seed, to_line
from lyricgen.terminal.song_options import TEXT
from tests.runtime.conftest import python

Request = dict[str, Any]
REQUEST: Request = {"seed": 7, "temperature": 0.75, "title": None, "model": "ab" * 32}
SONGS = [
    Song("One line\nand another", "eos", 7, 0, 1.23456),
    Song("", "eos", 7, 1, None),
    Song('"é" \u2028 \x85 \\ \t\n\nend', "length", 7, 2, 2.0),
    Song("last", "eos", 7, 3, 0.5),
]
INDEXES = range(4)
FINAL = {
    TEXT: (BETWEEN_SONGS.join(song.text + "\n" for song in SONGS)).encode(),
    JSONL: "".join(to_line(song) + "\n" for song in SONGS).encode(),
}
POSIX = pytest.mark.skipif(os.name == "nt", reason="pipes, locks, signals and limits are otherwise there")
FORMATS = pytest.mark.parametrize("output_format", [TEXT, JSONL])


def keep(path: Path, output_format: str = TEXT, stop: int = 99) -> list[int]:
    """Add what is missing, up to an interruption at song `stop`; return the indexes that were missing."""
    with suppress(KeyboardInterrupt), open_output(path, output_format, REQUEST, INDEXES) as output:
        missing = list(output.missing)
        for index in missing:
            if index == stop:
                raise KeyboardInterrupt
            output.add(SONGS[index])
    return missing


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@FORMATS
def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path, output_format: str) -> None:
    """Songs are kept in any order, and stand in theirs."""
    path = tmp_path / "songs"
    path.write_text("older")
    keep(path, output_format, stop=1)
    assert contents(tmp_path).keys() == {"songs", "songs.part"}
    assert path.read_text() == "older"
    with open_output(path, output_format, REQUEST, INDEXES) as output:
        for index in (3, 1, 2):
            output.add(SONGS[index])
    assert contents(tmp_path) == {"songs": FINAL[output_format]}


def test_a_line_of_json_is_the_song() -> None:
    facts = '"seed": 7, "index": 0, "style": null, "finished": "eos", "characters": 20'
    facts += ', "bits_per_character": 1.2346'
    assert to_line(SONGS[0]) == r'{"text": "One line\nand another", ' + facts + "}"
    assert json.loads(to_line(SONGS[1]))["bits_per_character"] is None
    assert all("\n" not in to_line(song) for song in SONGS)


def test_a_journal_cut_off_anywhere_behind_its_first_line_goes_on(tmp_path: Path) -> None:
    """What a kill or a power cut may leave."""
    path, journal = tmp_path / "songs", tmp_path / "songs.part"
    keep(path, stop=3)
    whole = journal.read_bytes()
    for length in [0, *range(whole.index(b"\n") + 1, len(whole))]:
        journal.write_bytes(whole[:length])
        kept = max(whole[:length].count(b"\n") - 1, 0)
        assert keep(path, stop=3) == list(INDEXES)[kept:]
        assert keep(path) == [3]
        assert contents(tmp_path) == {"songs": FINAL[TEXT]}


def test_the_seed_of_an_interrupted_run_is_found(tmp_path: Path) -> None:
    path = tmp_path / "songs"
    assert recorded_seed(path) is None
    keep(path, stop=2)
    assert recorded_seed(path) == 7
    keep(path)
    assert recorded_seed(path) is None
    keep(tmp_path)
    assert recorded_seed(tmp_path) == 7


@pytest.mark.parametrize("seed", ["7", -1, 2**64, True, None, [], 1e3])
def test_a_seed_that_is_none_is_not_taken(tmp_path: Path, seed: object) -> None:
    (tmp_path / "songs.part").write_text(json.dumps({"order": {"seed": seed}}) + "\n")
    assert recorded_seed(tmp_path / "songs") is None


@pytest.mark.parametrize(
    ("change", "output_format", "indexes", "difference"),
    [
        ({"temperature": 1.5, "model": "cd"}, TEXT, INDEXES, "temperature 0.75, not 1.5"),
        ({"new": 1}, TEXT, INDEXES, "new null, not 1"),
        ({"seed": 8}, TEXT, INDEXES, "seed 7, not 8"),
        ({}, JSONL, INDEXES, 'format "text", not "jsonl"'),
        ({}, TEXT, range(5), "samples 4, not 5"),
        ({}, TEXT, range(1, 5), "first 0, not 1"),
    ],
)
@pytest.mark.parametrize("place", ["songs", "."])
def test_what_belongs_to_other_songs_is_left_alone(
    tmp_path: Path, change: Request, output_format: str, indexes: range, difference: str, place: str
) -> None:
    path = tmp_path / place
    keep(path, stop=2)
    before = contents(tmp_path)
    opened = open_output(path, output_format, {**REQUEST, **change}, indexes)
    if path == tmp_path and indexes != INDEXES:  # several runs may share a folder
        with opened:
            return
    with pytest.raises(LyricgenError) as caught, opened:
        pass
    other = "use another folder" if path == tmp_path else "remove it, or choose another --output"
    assert f"belongs to other songs ({difference}): ask for those, or {other}" in str(caught.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "content",
    [
        *(b"not json\n", b"null\n", b"half a download", b'{"order": []}\n', b'{"order": {"seed": 7}}\n'),
        *(b"[" * 100_000 + b"\n", b'{"order": ' + b"9" * 10_000 + b"}\n", b"\xff\xfe\n"),
        b'{"order": {"\\u001b[2J": 1}}\n',
    ],
    ids=range(9),
)
def test_what_somebody_else_wrote_is_one_line_and_left_alone(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for path, journal in ((tmp_path / "songs", tmp_path / "songs.part"), (folder, folder / "order.json")):
        journal.write_bytes(content)
        assert recorded_seed(path) in (None, 7)
        with pytest.raises(LyricgenError, match=r"damaged|belongs to other songs") as caught:
            keep(path)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 500
        assert journal.read_bytes() == content


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"",
        b"[" * 100_000,
        b'{"index": 1, "text": "a"}',
        to_line(SONGS[0]).encode(),
        to_line(replace(SONGS[1], index=4)).encode(),
        to_line(replace(SONGS[1], seed=8)).encode(),
        to_line(SONGS[1]).encode().replace(b'""', b"5"),
        to_line(SONGS[1]).encode().replace(b'"characters": 0', b'"characters": 1'),
        to_line(SONGS[1]).encode().replace(b"null", b"NaN"),
        to_line(SONGS[1]).encode().replace(b"}", b', "more": 1}'),
    ],
    ids=range(11),
)
def test_a_journal_damaged_in_the_middle_is_not_gone_on_with(tmp_path: Path, line: bytes) -> None:
    path, journal = tmp_path / "songs", tmp_path / "songs.part"
    keep(path, stop=3)
    header, first, _, third = journal.read_bytes().splitlines(keepends=True)[:4]
    journal.write_bytes(header + first + line + b"\n" + third)
    with pytest.raises(LyricgenError, match=r"songs\.part: is damaged, or no journal"):
        keep(path)
    assert contents(tmp_path) == {"songs.part": header + first + line + b"\n" + third}


@POSIX
def test_a_link_to_the_file_is_followed_and_none_to_its_journal(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "songs"
    link.symlink_to(tmp_path / "there" / "real")
    keep(link)
    assert link.is_symlink()
    assert (tmp_path / "there" / "real").read_bytes() == FINAL[TEXT]
    (tmp_path / "precious").touch()
    (tmp_path / "more.part").symlink_to(tmp_path / "precious")
    with pytest.raises(LyricgenError, match=r"more\.part: cannot be written"):
        keep(tmp_path / "more")
    assert (tmp_path / "precious").read_bytes() == b""


@POSIX
def test_a_pipe_in_place_of_the_journal_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "songs.part")
    with pytest.raises(LyricgenError, match=r"songs\.part: cannot be written: Illegal seek"):
        keep(tmp_path / "songs")


@POSIX
def test_a_file_in_a_removed_working_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "removed").mkdir()
    monkeypatch.chdir(tmp_path / "removed")
    (tmp_path / "removed").rmdir()
    for ask in (keep, recorded_seed):
        with pytest.raises(LyricgenError, match=r"^x\.txt: cannot be written: "):
            ask(Path("x.txt"))


@POSIX
def test_two_runs_do_not_write_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "songs"
    with suppress(KeyboardInterrupt), open_output(path, TEXT, REQUEST, INDEXES) as output:
        output.add(SONGS[0])
        with pytest.raises(LyricgenError, match="another run is writing to it"):
            keep(path)
        raise KeyboardInterrupt
    assert keep(path) == [1, 2, 3]


@POSIX
def test_a_file_system_without_locks_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = Mock(side_effect=OSError(errno.EOPNOTSUPP, "Operation not supported"))
    monkeypatch.setattr("fcntl.flock", without)
    keep(tmp_path / "songs")
    assert contents(tmp_path) == {"songs": FINAL[TEXT]}


@POSIX
@FORMATS
def test_a_pipe_gets_the_songs_as_they_come(tmp_path: Path, output_format: str) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(path.read_bytes)
        keep(path, output_format)
    assert (read.result(), list(tmp_path.iterdir())) == (FINAL[output_format], [path])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("name", "problem"), [("/dev/full", "No space left"), ("/dev/fd/987654", "Bad file")]
)
def test_a_device_that_takes_nothing_is_named(name: str, problem: str) -> None:
    with pytest.raises(LyricgenError, match=f"{name}: cannot be written: {problem}"):
        keep(Path(name))


KEEP = """
import sys
from pathlib import Path
from lyricgen.files import write_atomically
from tests.runtime.test_output import keep
keep(Path(sys.argv[1]))
"""


@POSIX
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_an_open_file_is_written_on_and_not_replaced(tmp_path: Path, name: str) -> None:
    path = tmp_path / "songs.txt"
    path.write_bytes(b"before\n")
    with path.open("ab") as file:
        python(KEEP, name, stdout=file, check=True)
    assert contents(tmp_path) == {"songs.txt": b"before\n" + FINAL[TEXT]}
    done = python(KEEP + 'write_atomically(Path("/dev/stdout"), [b"two ", b"parts"])', name)
    assert done.stdout.encode() == FINAL[TEXT] + b"two parts"


def test_many_songs_take_no_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        with open_output(tmp_path / "songs", TEXT, REQUEST, range(1000)) as output:
            for index in output.missing:
                output.add(Song("a" * 10_000, "eos", 7, index, 1.5))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "songs").stat().st_size > 10_000_000
    assert most < 1_000_000


STOPPED = """
import os, resource, signal, sys
from pathlib import Path
from lyricgen.terminal.output import open_output
from tests.runtime.test_output import INDEXES, REQUEST, SONGS
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with open_output(Path(sys.argv[1]), "text", REQUEST, INDEXES) as output:
    for song in SONGS[:2]:
        output.add(song)
    if sys.argv[2] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    size = os.stat(sys.argv[1] + ".part").st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, size + 20))
    output.add(SONGS[2])
"""


@POSIX
@pytest.mark.parametrize(
    ("how", "said"), [("kill", ""), ("full", "songs.part: cannot be written: File too large")]
)
def test_a_kill_and_a_full_disk_cost_no_song_that_was_kept(tmp_path: Path, how: str, said: str) -> None:
    path = tmp_path / "songs"
    done = python(STOPPED, path, how)
    assert done.returncode == (-signal.SIGKILL if how == "kill" else 1)
    assert said in done.stderr
    assert keep(path) == [2, 3]
    assert path.read_bytes() == FINAL[TEXT]


@FORMATS
def test_a_folder_has_a_file_for_each_song(tmp_path: Path, output_format: str) -> None:
    keep(tmp_path, output_format, stop=2)
    assert keep(tmp_path, output_format) == [2, 3]
    suffix = {TEXT: "txt", JSONL: "jsonl"}[output_format]
    songs = {f"song_00000{song.index}.{suffix}": in_form(song, output_format, 0).encode() for song in SONGS}
    found = contents(tmp_path)
    assert found.pop("order.json")
    assert found == songs
    (tmp_path / f"song_000001.{suffix}").unlink()
    assert keep(tmp_path, output_format) == [1]
    assert keep(tmp_path, output_format) == []


def test_a_folder_that_an_older_version_began_goes_on_to_the_last_index(tmp_path: Path) -> None:
    older = {"lyricgen_songs": 1, "order": REQUEST, "format": TEXT}
    (tmp_path / "order.json").write_text(json.dumps(older) + "\n")
    (tmp_path / "song_000001.txt").write_text("\n")
    assert keep(tmp_path) == [0, 2, 3]
    with open_output(tmp_path, TEXT, REQUEST, range(2**64 - 1, 2**64)) as output:
        output.add(replace(SONGS[0], index=2**64 - 1))
    assert f"song_{2**64 - 1}.txt" in contents(tmp_path)


@pytest.mark.parametrize("links", ["links", "no links"])
def test_one_run_decides_about_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: str) -> None:
    if links == "no links":
        monkeypatch.setattr(os, "link", Mock(side_effect=PermissionError("Operation not permitted")))
    together = threading.Barrier(8)

    def begin(folder: Path, seed: int) -> list[int]:
        together.wait()
        with suppress(LyricgenError), open_output(folder, TEXT, {**REQUEST, "seed": seed}, INDEXES):
            return [seed]
        return []

    for attempt in range(20):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        with ThreadPoolExecutor(8) as pool:
            began = [seed for seeds in pool.map(partial(begin, folder), range(8)) for seed in seeds]
        assert began == [recorded_seed(folder)]
        assert contents(folder).keys() == {"order.json"}


def test_a_folder_of_songs_without_a_request_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "song_000000.txt").write_text("mine")
    with pytest.raises(LyricgenError, match=r"has songs, but no order\.json that says which"):
        keep(tmp_path)
    assert contents(tmp_path) == {"song_000000.txt": b"mine"}


def test_nothing_is_written_where_it_is_forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    precious, real = tmp_path / "precious", os.access
    precious.write_bytes(b"precious")
    monkeypatch.setattr(os, "access", lambda path, mode: path != precious and real(path, mode))  # root, too
    with pytest.raises(LyricgenError, match="cannot be written: it is there, and read-only"):
        keep(precious)
    monkeypatch.setattr(os, "access", Mock(return_value=False))
    for path in (tmp_path, tmp_path / "songs"):
        with pytest.raises(LyricgenError, match="cannot be written: no permission"):
            keep(path)
    assert contents(tmp_path) == {"precious": b"precious"}


def test_a_file_in_the_making_has_a_name_of_its_own_and_leaves_none_behind(tmp_path: Path) -> None:
    """Processes of one number on two machines do not mix their files; a failure leaves the older file."""

    def parts() -> Iterator[bytes]:
        yield b"one "
        write_atomically(tmp_path / "other", b"another")
        yield b"file"

    def failing() -> Iterator[bytes]:
        yield b"new"
        raise LyricgenError("stop")

    write_atomically(tmp_path / "file", parts())
    with pytest.raises(LyricgenError, match="stop"):
        write_atomically(tmp_path / "file", failing())
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "file", b"newer")
    assert contents(tmp_path) == {"file": b"one file", "other": b"another"}
