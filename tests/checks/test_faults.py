"""The fault campaign in its short form, and that it notices what breaks a promise."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("the campaign needs Linux", allow_module_level=True)

from checks.faults import running
from checks.faults.campaign import Tally, campaign
from checks.faults.kinds import KINDS, Share
from checks.faults.place import Place
from checks.faults.process import DONE, INTERRUPTED, Ended, broken
from lyricgen.terminal import output
from lyricgen.terminal import run as cli

CASES = 20


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, random.Random(1))


def test_a_few_of_each_kind_break_no_promise() -> None:
    said: list[str] = []
    tallies = campaign(KINDS, CASES, seed=2, first=0, say=said.append)
    assert said == []
    assert [tally.name for tally in tallies] == [share.name for share in KINDS]
    assert all(tally.tried == tally.survived >= 1 for tally in tallies)
    assert sum(tally.tried for tally in tallies) >= CASES


def test_a_case_is_the_same_again() -> None:
    drawn: list[list[float]] = []

    def kind(place: Place) -> Iterator[str]:
        drawn.append([place.draw.random() for _ in range(3)])
        yield "broken" if len(drawn) % 2 else ""

    campaign([Share("kind", kind, 1)], 3, seed=5, first=0, say=lambda _: None)
    said: list[str] = []
    (tally,) = campaign([Share("kind", kind, 1)], 1, seed=5, first=2, say=said.append)
    assert drawn[3] == drawn[2] != drawn[1]
    assert tally == Tally("kind", 1, 0, tally.seconds)
    assert said[0].endswith('again: python -m checks.faults --kind "kind" --seed 5 --first 2 --cases 1')


@pytest.mark.parametrize(
    ("ended", "what"),
    [
        (Ended(0, "song\n", "seed 1\n"), []),
        (Ended(1, "", "error: no room\n"), []),
        (Ended(70, "", ""), ["exit code 70, not one of [0, 1, 2]"]),
        (Ended(-11, "", ""), ["exit code -11, not one of [0, 1, 2]"]),
        (Ended(1, "", "Traceback (most recent call last):"), ["a traceback", "0 lines of error"]),
        (Ended(2, "a song", "error: --x\n"), ["output in spite of a wrong option"]),
        (Ended(1, "", "error: a\nerror: b\n"), ["2 lines of error"]),
        (Ended(0, "", "error: a\n"), ["an error, and exit code 0"]),
        (Ended(0, "\x1b[2J", ""), [r"'\x1b' for the terminal"]),
    ],
)
def test_what_no_command_may_do_is_noticed(ended: Ended, what: list[str]) -> None:
    assert list(broken(ended)) == what


def test_other_exit_codes_may_be_expected() -> None:
    assert list(broken(Ended(INTERRUPTED, "", ""), frozenset({INTERRUPTED}))) == []
    assert list(broken(Ended(DONE, "", ""), frozenset({INTERRUPTED}))) != []


def test_a_defect_is_noticed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def defective(*_: object) -> None:
        raise ValueError("a defect of ours")

    monkeypatch.setattr(cli, "_write", defective)
    problems = [problem for _ in range(8) for problem in running.options_of_run(place)]
    assert any("a traceback" in problem for problem in problems)


def test_half_a_file_under_its_final_name_is_noticed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(path: Path, content: Iterator[bytes]) -> None:
        path.write_bytes(next(content))
        raise OSError(28, "No space left on device")

    assert place.songs
    monkeypatch.setattr(output, "write_atomically", careless)
    problems = {problem for _ in range(4) for problem in running.songs_on_a_full_disk(place)}
    assert "something half written under the final name" in problems


def test_a_lost_song_is_noticed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    songs = place.songs
    monkeypatch.setitem(
        place.__dict__, "songs", {name: content + b"another" for name, content in songs.items()}
    )
    assert "other songs than without the interruption" in set(running.songs_killed(place))
