"""The fault campaign in its short form, and that it notices broken promises."""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("the campaign needs Linux", allow_module_level=True)

from checks.faults import case as case_module
from checks.faults import songs
from checks.faults.__main__ import FAULTS, Fault, campaign
from checks.faults.case import JSONL, TEXT, Case, Fixtures
from checks.faults.damage import offered
from checks.faults.process import DONE, INTERRUPTED, RUN, Command, Result


@pytest.fixture
def case(tmp_path: Path) -> Case:
    folder = tmp_path / "case"
    folder.mkdir()
    return Case(folder, Random(1), Fixtures(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(("names", "cases"), [(FAULTS, len(FAULTS)), (["training killed"], 4)])
def test_the_faults_break_no_promise(
    names: list[str], cases: int, capsys: pytest.CaptureFixture[str]
) -> None:
    tries = campaign({name: FAULTS[name] for name in names}, cases, seed=2)
    assert capsys.readouterr().out == ""
    assert (set(tries.fault), tries.survived.sum()) == (set(names), cases)


@pytest.mark.parametrize("fault", [songs.songs_on_a_full_disk, songs.pipe_closed, songs.journals_damaged])
def test_quick_faults_break_no_promise(case: Case, fault: Fault) -> None:
    assert list(fault(case)) == []


def test_a_case_is_the_same_again(capsys: pytest.CaptureFixture[str]) -> None:
    drawn: list[float] = []

    def fault(case: Case) -> Iterator[str]:
        drawn.append(case.random.random())
        yield "broken"

    campaign({"a fault": fault}, 3, seed=5)
    again = r'again: python -m checks.faults --fault "a fault" --seed 5 --first 2 --cases 1'
    assert again in capsys.readouterr().out
    tries = campaign({"a fault": fault}, 1, seed=5, first=2)
    assert drawn[3] == drawn[2] != drawn[1]
    assert list(tries.survived) == [False]


@pytest.mark.parametrize(
    ("result", "problems"),
    [
        (Result(0, "song\n", "seed 1\n"), []),
        (Result(1, "", "error: no room\n"), []),
        (Result(70, "", ""), ["exit code 70"]),
        (Result(-11, "", ""), ["exit code -11"]),
        (Result(1, "", "Traceback (most recent call last):"), ["a traceback", "0 lines of error"]),
        (Result(2, "a song", "error: --x\n"), ["output in spite of a wrong option"]),
        (Result(1, "", "error: a\nerror: b\n"), ["2 lines of error"]),
        (Result(0, "", "error: a\n"), ["exit code 0 with an error"]),
        (Result(0, "", "RuntimeWarning: a"), ["a warning of Python's"]),
        (Result(0, "\x1b[2J", ""), [r"'\\x1b' for the terminal"]),
    ],
)
def test_what_no_command_may_do_is_noticed(result: Result, problems: list[str]) -> None:
    found = list(result.broken())
    assert len(found) == len(problems)
    assert all(re.match(problem, what) for problem, what in zip(problems, found, strict=True))


def test_other_exit_codes_may_be_expected() -> None:
    assert list(Result(INTERRUPTED, "", "").broken(frozenset({INTERRUPTED}))) == []
    assert list(Result(DONE, "", "").broken(frozenset({INTERRUPTED}))) != []


def test_half_a_file_under_its_final_name_is_noticed(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    for work in (TEXT, JSONL):
        case.fixtures.undisturbed(work)

    def careless(command: Command) -> Result:
        (command.folder / "songs").write_bytes(b"half")
        return Result(1, "", "error: no space left\n")

    monkeypatch.setattr(case_module, "result_of", careless)
    assert "something half written under the final name" in list(songs.songs_on_a_full_disk(case))


def test_a_lost_song_is_noticed(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = Fixtures.undisturbed
    monkeypatch.setattr(
        Fixtures, "undisturbed", lambda *arguments: replace(undisturbed(*arguments), left=b"one more")
    )
    assert "something else than without the fault" in list(songs.songs_stopped(case))


def test_options_are_those_of_the_help() -> None:
    found = offered(RUN)
    assert found["--temperature"]
    assert found["--model"]
    assert not found["--info"]
    assert "--install-completion" not in found
