"""Which of many songs are the best."""

import pytest

from lyricgen.generator import Finished, Song
from lyricgen.song.choice import best_songs
from lyricgen.song.song_line import SongLine
from lyricgen.terminal import run as run_command
from tests.conftest import Apps

GOOD = ("The moon is low,", "The stars are bright.")


def song(
    index: int, bits: float, *texts: str, finished: Finished = "eos", fits: bool = True, rhymes: bool = True
) -> Song:
    lines = tuple(SongLine(text, fits=fits, rhymes=rhymes, bits=20.0) for text in texts or GOOD)
    return Song("\n".join(texts or GOOD), finished, 1, index, bits, composed=lines)


@pytest.mark.parametrize(
    "worse",
    [
        song(1, 1.1),
        song(1, 1.0, fits=False),
        song(1, 1.0, rhymes=False),
        song(1, 1.0, finished="length"),
        song(1, 1.0, "The moon is low,", "The stars are bright,"),
        song(1, 1.0, "The moon is low.", "The moon is low."),
        song(1, 1.0, '"The moon is low,', "The stars are bright."),
    ],
    ids=["unlikely", "syllables", "rhyme", "cut", "open sentence", "repeated", "open quote"],
)
def test_a_song_is_better_than_a_worse_one(worse: Song) -> None:
    better = song(2, 1.0)
    assert best_songs([worse, better], 2) == [better, worse]


def test_of_songs_that_are_worn_the_first_comes_first() -> None:
    usual = [song(n, 1.0) for n in range(3)]
    worn, very = song(3, 0.8), song(4, 0.3)
    assert [one.index for one in best_songs([very, *usual, worn], 3)] == [3, 4, 0]


def test_the_best_are_shown_with_what_writes_them_again(run: Apps) -> None:
    outcome = run(run_command.app, "lyricgen-run")(
        *("--samples", 4, "--best", 2, "--form", "couplets", "--candidates", 4, "--seed", 7)
    )
    assert outcome.code == 0
    assert outcome.out.count("\n\n\n") == 1
    first, second = (line for line in outcome.err.splitlines() if line.startswith("song "))
    again = run(run_command.app, "lyricgen-run")(
        "--form", "couplets", "--candidates", 4, *first.split(": ")[1].split()
    )
    assert outcome.out.startswith(again.out)
    assert first != second


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--samples 2 --best 3", "--best must be a whole number from 1 to 2, not 3"),
        ("--samples 2 --best 1 --output x", "--best cannot be used with --output, which keeps every song"),
    ],
)
def test_what_does_not_go_with_the_best_is_an_error(run: Apps, typed: str, said: str) -> None:
    run(run_command.app, "lyricgen-run")(*typed.split()).assert_one_line_error(2, said)
