import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lyricgen.errors import LyricgenError
from lyricgen.files import write_atomically, write_new
from lyricgen.generator import Song
from lyricgen.terminal.output import BETWEEN_SONGS, JSONL, TEXT, open_output, recorded_seed, to_line

ORDER: dict[str, Any] = {
    "seed": 7,
    "temperature": 0.75,
    "title": None,
    "max_length": 6000,
    "model": "ab" * 32,
}
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


def keep(path: Path, output_format: str = TEXT, order: dict[str, Any] = ORDER, stop: int = 99) -> list[int]:
    """Add what is missing, up to song `stop`; return the indexes that were missing."""
    with open_output(path, output_format, order, INDEXES) as output:
        missing = list(output.missing)
        for index in missing:
            if index == stop:
                return missing
            output.add(SONGS[index])
        output.finish()
    return missing


@pytest.mark.parametrize("output_format", [TEXT, JSONL])
def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path, output_format: str) -> None:
    path = tmp_path / "songs"
    keep(path, output_format, stop=3)
    assert [other.name for other in tmp_path.iterdir()] == ["songs.part"]
    assert keep(path, output_format) == [3]
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == FINAL[output_format]


@pytest.mark.parametrize("output_format", [TEXT, JSONL])
def test_songs_are_kept_in_any_order_and_stand_in_theirs(tmp_path: Path, output_format: str) -> None:
    path = tmp_path / "songs"
    with open_output(path, output_format, ORDER, INDEXES) as output:
        output.add(SONGS[3])
        output.add(SONGS[1])
    with open_output(path, output_format, ORDER, INDEXES) as output:
        assert list(output.missing) == [0, 2]
        output.add(SONGS[2])
        output.add(SONGS[0])
        assert list(output.missing) == []
        output.finish()
    assert path.read_bytes() == FINAL[output_format]


@pytest.mark.parametrize("indexes", [[1, 1], [4]], ids=["twice", "not asked for"])
def test_a_journal_with_a_wrong_song_is_damaged(tmp_path: Path, indexes: list[int]) -> None:
    keep(tmp_path / "songs", stop=1)
    with (tmp_path / "songs.part").open("ab") as file:
        for index in indexes:
            file.write(to_line(replace(SONGS[0], index=index)).encode() + b"\n")
    with pytest.raises(LyricgenError, match=r"songs\.part: is damaged, or no journal"):
        keep(tmp_path / "songs")


def test_a_line_of_json_is_the_song() -> None:
    assert json.loads(to_line(SONGS[0])) == {
        "text": "One line\nand another",
        "seed": 7,
        "index": 0,
        "finished": "eos",
        "characters": 20,
        "bits_per_character": 1.2346,
    }
    assert json.loads(to_line(SONGS[1]))["bits_per_character"] is None
    assert all("\n" not in to_line(song) for song in SONGS)


@pytest.mark.parametrize("output_format", [TEXT, JSONL])
def test_a_journal_cut_off_anywhere_goes_on(tmp_path: Path, output_format: str) -> None:
    """What a kill or a power cut may leave: every beginning of the journal."""
    path, journal = tmp_path / "songs", tmp_path / "songs.part"
    keep(path, output_format, stop=3)
    whole = journal.read_bytes()
    for length in range(len(whole)):
        journal.write_bytes(whole[:length])
        kept = max(whole[:length].count(b"\n") - 1, 0)
        assert keep(path, output_format) == list(INDEXES)[kept:]
        assert path.read_bytes() == FINAL[output_format]
        assert not journal.exists()
        path.unlink()


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


def test_songs_of_another_order_are_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "songs"
    keep(path, stop=2)
    before = (tmp_path / "songs.part").read_bytes()
    for order in ({**ORDER, "temperature": 0.8}, {**ORDER, "new": 1}):
        with pytest.raises(
            LyricgenError,
            match=r"songs\.part: belongs to other songs \((temperature 0\.75, not 0\.8|new null, not 1)\)",
        ):
            keep(path, order=order)
    with pytest.raises(LyricgenError, match='format "text", not "jsonl"'):
        keep(path, JSONL)
    with pytest.raises(LyricgenError, match="samples 4, not 5"):
        open_output(path, TEXT, ORDER, range(5))
    with pytest.raises(LyricgenError, match="first 0, not 1"):
        open_output(path, TEXT, ORDER, range(1, 5))
    assert (tmp_path / "songs.part").read_bytes() == before


HOSTILE = [
    b"not json\n",
    b"[]\n",
    b"{}\n",
    b"null\n",
    b'{"order": []}\n',
    b'{"order": {"seed": 7}}\n',
    b"[" * 100_000 + b"\n",
    b'{"order": ' + b"9" * 10_000 + b"}\n",
    b"\xff\xfe\n",
    b'{"order": {"\\u001b[2J": 1}}\n',
]


@pytest.mark.parametrize("header", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_journal_is_one_line(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "songs.part").write_bytes(header)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "order.json").write_bytes(header)
    assert recorded_seed(tmp_path / "songs") in (None, 7)
    for path in (tmp_path / "songs", folder):
        with pytest.raises(LyricgenError, match=r"damaged|belongs to other songs") as caught:
            keep(path)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[]",
        b"",
        b"[" * 100_000,
        b'{"index": 1, "text": "a"}',
        to_line(SONGS[0]).encode(),
        to_line(replace(SONGS[1], seed=8)).encode(),
        to_line(SONGS[1]).encode().replace(b'""', b"5"),
        to_line(SONGS[1]).encode().replace(b'""', b'"\\ud800"'),
        to_line(SONGS[1]).encode().replace(b'"characters": 0', b'"characters": 1'),
        to_line(SONGS[1]).encode().replace(b"null", b"NaN"),
        to_line(SONGS[1]).encode().replace(b"null", b"1e999"),
        to_line(SONGS[1]).encode().replace(b"}", b', "more": 1}'),
    ],
    ids=range(13),
)
def test_a_journal_damaged_in_the_middle_is_not_gone_on_with(tmp_path: Path, line: bytes) -> None:
    path, journal = tmp_path / "songs", tmp_path / "songs.part"
    keep(path, stop=3)
    header, first, _, third = journal.read_bytes().splitlines(keepends=True)[:4]
    journal.write_bytes(header + first + line + b"\n" + third)
    with pytest.raises(LyricgenError, match=r"songs\.part: is damaged, or no journal"):
        keep(path)
    assert not path.exists()


def test_a_journal_with_more_songs_than_asked_for_is_damaged(tmp_path: Path) -> None:
    keep(tmp_path / "songs", stop=3)
    with (tmp_path / "songs.part").open("ab") as file:
        file.write(to_line(SONGS[3]).encode() + b"\n" + b"more")
    with pytest.raises(LyricgenError, match=r"songs\.part: is damaged, or no journal"):
        keep(tmp_path / "songs")


@pytest.mark.parametrize(
    "content", [b"half a download", b"line\n", b'{"lyricgen": ', b"\0" * 2**22], ids=range(4)
)
def test_a_part_of_somebody_elses_is_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "songs.part").write_bytes(content)
    with pytest.raises(LyricgenError, match=r"songs\.part: is damaged, or no journal"):
        keep(tmp_path / "songs")
    assert (tmp_path / "songs.part").read_bytes() == content


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_a_pipe_in_the_place_of_a_journal_is_not_waited_on(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(tmp_path / "songs.part")
    os.mkfifo(folder / "order.json")
    for path in (tmp_path / "songs", folder):
        assert recorded_seed(path) is None
        with pytest.raises(LyricgenError, match=r"(songs\.part|order\.json): is damaged"):
            keep(path)


def test_the_first_option_that_differs_is_named(tmp_path: Path) -> None:
    keep(tmp_path / "songs", stop=2)
    with pytest.raises(LyricgenError, match=r"\(temperature 0\.75, not 1\.5\)"):
        keep(tmp_path / "songs", order={**ORDER, "title": "x", "model": "cd", "temperature": 1.5})


def test_an_interruption_before_the_first_song_leaves_nothing(tmp_path: Path) -> None:
    keep(tmp_path / "songs", stop=0)
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "songs"
    path.write_text("older")
    keep(path, stop=3)
    assert path.read_text() == "older"
    keep(path)
    assert path.read_bytes() == FINAL[TEXT]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "songs"
    link.symlink_to(tmp_path / "there" / "real")
    keep(link)
    assert link.is_symlink()
    assert (tmp_path / "there" / "real").read_bytes() == FINAL[TEXT]


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks there")
def test_two_runs_do_not_write_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "songs"
    with open_output(path, TEXT, ORDER, INDEXES) as output:
        output.add(SONGS[0])
        with pytest.raises(LyricgenError, match="another run is writing to it"):
            open_output(path, TEXT, ORDER, INDEXES)
    assert keep(path) == [1, 2, 3]


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks there")
def test_a_file_system_without_locks_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*_arguments: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", without)
    keep(tmp_path / "songs")
    assert (tmp_path / "songs").read_bytes() == FINAL[TEXT]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
@pytest.mark.parametrize("output_format", [TEXT, JSONL])
def test_a_pipe_gets_the_songs_as_they_come(tmp_path: Path, output_format: str) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    keep(path, output_format)
    reader.join()
    assert read == [FINAL[output_format]]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device_is_named() -> None:
    with pytest.raises(LyricgenError, match="/dev/full: cannot be written: No space left"):
        keep(Path("/dev/full"))


def test_processes_of_one_number_on_two_machines_do_not_mix_their_files(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"one "
        write_atomically(tmp_path / "other", b"another")
        yield b"file"

    write_atomically(tmp_path / "file", parts())
    assert (tmp_path / "file").read_bytes() == b"one file"
    assert (tmp_path / "other").read_bytes() == b"another"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failure_halfway_leaves_the_older_file(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"new"
        raise LyricgenError("stop")

    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(LyricgenError, match="stop"):
        write_atomically(tmp_path / "file", parts())
    assert (tmp_path / "file").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


TO_STDOUT = """
from pathlib import Path
from lyricgen.files import write_atomically
from tests.runtime.test_output import keep
write_atomically(Path("/dev/stdout"), [b"two ", b"parts"])
keep(Path("/dev/stdout"))
"""


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs /dev/stdout")
def test_stdout_that_is_a_pipe_can_be_the_output() -> None:
    done = subprocess.run([sys.executable, "-c", TO_STDOUT], capture_output=True, check=True)
    assert done.stdout == b"two parts" + FINAL[TEXT]


@pytest.mark.skipif(os.name == "nt", reason="has no descriptors in its file names")
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_an_open_file_is_written_on_and_not_replaced(tmp_path: Path, name: str) -> None:
    path = tmp_path / "songs.txt"
    path.write_bytes(b"before\n")
    program = f"from pathlib import Path; from tests.runtime.test_output import keep; keep(Path({name!r}))"
    with path.open("ab") as file:
        subprocess.run([sys.executable, "-c", program], stdout=file, check=True)
        subprocess.run([sys.executable, "-c", "print('after')"], stdout=file, check=True)
    assert path.read_bytes().replace(b"\r", b"") == b"before\n" + FINAL[TEXT] + b"after\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="has no descriptors in its file names")
def test_a_closed_descriptor_is_named() -> None:
    with pytest.raises(LyricgenError, match="/dev/fd/987654: cannot be written"):
        keep(Path("/dev/fd/987654"))


def test_many_songs_take_no_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        with open_output(tmp_path / "songs", TEXT, ORDER, range(1000)) as output:
            for index in output.missing:
                output.add(Song("a" * 10_000, "eos", 7, index, 1.5))
            output.finish()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "songs").stat().st_size > 10_000_000
    assert most < 1_000_000


FILL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, "tests")
from tests.runtime.test_output import keep
resource.setrlimit(resource.RLIMIT_FSIZE, (450, 450))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
keep(Path(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits there")
def test_a_full_disk_costs_no_song_that_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "songs"
    command = [sys.executable, "-c", FILL_DISK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "LyricgenError: " in done.stderr
    assert "songs.part: cannot be written: File too large" in done.stderr
    missing = keep(path)
    assert 0 < len(missing) < 4
    assert path.read_bytes() == FINAL[TEXT]


KILLED = """
import os, signal, sys
from pathlib import Path
from lyricgen.terminal.output import open_output
from tests.runtime.test_output import INDEXES, ORDER, SONGS
with open_output(Path(sys.argv[1]), "text", ORDER, INDEXES) as output:
    for song in SONGS[:2]:
        output.add(song)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_a_kill_costs_no_song_that_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "songs"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert keep(path) == [2, 3]
    assert path.read_bytes() == FINAL[TEXT]


@pytest.mark.parametrize("output_format", [TEXT, JSONL])
def test_a_folder_has_a_file_for_each_song(tmp_path: Path, output_format: str) -> None:
    keep(tmp_path, output_format, stop=2)
    assert keep(tmp_path, output_format) == [2, 3]
    suffix = {TEXT: "txt", JSONL: "jsonl"}[output_format]
    names = [f"song_00000{index}.{suffix}" for index in INDEXES]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["order.json", *names]
    for song, name in zip(SONGS, names, strict=True):
        expected = song.text if output_format == TEXT else to_line(song)
        assert (tmp_path / name).read_bytes().decode() == expected + "\n"


def test_songs_missing_in_the_middle_of_a_folder_are_written_again(tmp_path: Path) -> None:
    keep(tmp_path)
    (tmp_path / "song_000001.txt").unlink()
    assert keep(tmp_path) == [1]
    assert keep(tmp_path) == []


def test_shards_share_a_folder(tmp_path: Path) -> None:
    for indexes in (range(2), range(2, 4)):
        with open_output(tmp_path, TEXT, ORDER, indexes) as output:
            for index in output.missing:
                output.add(SONGS[index])
    assert keep(tmp_path) == []


def test_a_shard_that_lost_the_race_for_a_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_after_another(path: Path, content: bytes) -> None:
        write_atomically(path, content.replace(b'"seed": 7', b'"seed": 9'))
        write_new(path, content)

    monkeypatch.setattr("lyricgen.terminal.output.write_new", write_after_another)
    with pytest.raises(LyricgenError, match=r"\(seed 9, not 7\)"):
        keep(tmp_path)


@pytest.mark.parametrize("links", [True, False])
def test_of_many_runs_that_begin_a_folder_together_one_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    def no_links(*_paths: Path) -> None:
        raise PermissionError("Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        assert begin_together(folder, runs=8) == [recorded_seed(folder)]
        assert [path.name for path in folder.iterdir()] == ["order.json"]


def begin_together(folder: Path, runs: int) -> list[int]:
    """Begin a folder of songs in threads, each of another seed; return the seeds that were let in."""
    together, began = threading.Barrier(runs), list[int]()

    def begin(seed: int) -> None:
        together.wait()
        with contextlib.suppress(LyricgenError):
            open_output(folder, TEXT, {**ORDER, "seed": seed}, INDEXES)
            began.append(seed)

    threads = [threading.Thread(target=begin, args=[seed]) for seed in range(runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return began


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links are followed here")
def test_a_link_in_the_place_of_a_journal_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.touch()
    (tmp_path / "songs.part").symlink_to(precious)
    with pytest.raises(LyricgenError, match=r"songs\.part: cannot be written"):
        keep(tmp_path / "songs")
    assert precious.read_bytes() == b""


def test_a_huge_line_in_a_journal_takes_little_memory(tmp_path: Path) -> None:
    keep(tmp_path / "songs", stop=1)
    with (tmp_path / "songs.part").open("ab") as file:
        file.write(b"[" + b"{}," * 10**7)
    tracemalloc.start()
    with pytest.raises(LyricgenError, match="is damaged"):
        keep(tmp_path / "songs")
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_a_file_that_is_read_only_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "songs"
    path.write_bytes(b"precious")
    path.chmod(0o444)
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda tried, mode: tried != path and real(tried, mode)
    )  # for root, too
    with pytest.raises(LyricgenError, match="cannot be written: it is there, and read-only"):
        keep(path)


def test_a_large_index_has_its_name(tmp_path: Path) -> None:
    with open_output(tmp_path, TEXT, ORDER, range(2**64 - 1, 2**64)) as output:
        output.add(replace(SONGS[0], index=2**64 - 1))
    assert (tmp_path / f"song_{2**64 - 1}.txt").exists()


def test_a_folder_of_another_order_is_not_written_to(tmp_path: Path) -> None:
    keep(tmp_path)
    with pytest.raises(LyricgenError, match=r"order\.json: belongs to other songs \(seed 7, not 8\)"):
        keep(tmp_path, order={**ORDER, "seed": 8})


def test_a_folder_of_songs_without_an_order_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "song_000000.txt").write_text("mine")
    with pytest.raises(LyricgenError, match=r"has songs, but no order\.json that says which"):
        keep(tmp_path)
    assert (tmp_path / "song_000000.txt").read_text() == "mine"


def test_nothing_is_written_where_it_is_forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_arguments, **_keywords: False)
    for path in (tmp_path, tmp_path / "songs"):
        with pytest.raises(LyricgenError, match="cannot be written: no permission"):
            keep(path)
    assert list(tmp_path.iterdir()) == []
