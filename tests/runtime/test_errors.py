import pickle
from pathlib import Path

import pytest

import lyricgen
from lyricgen.errors import LyricgenError

GOLDEN = lyricgen.GoldenSong(0, 0.75, 2000, 812, "cd" * 32)
ERRORS = [
    LyricgenError("wrong"),
    lyricgen.ModelNotFoundError(Path("model.onnx")),
    lyricgen.ModelFormatError(Path("model.onnx"), "file size", "at most 1 byte", 2),
    lyricgen.UnknownCharacterError(["x", "y"], [1, 2], "prompt"),
    lyricgen.DraftError(3, "makes no sense"),
    lyricgen.OptionError("temperature", -1, "a number"),
    lyricgen.NonFiniteLogitsError(3),
    lyricgen.OrtError("no memory"),
    lyricgen.SelfTestError(Path("model.onnx"), GOLDEN, GOLDEN),
]


def test_every_error_is_tried_here() -> None:
    public = {name for name in lyricgen.__all__ if name.endswith("Error")}
    assert {type(error).__name__ for error in ERRORS} == public


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_from_another_process(error: LyricgenError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (str(error), vars(error))


def test_what_onnxruntime_says_is_one_short_line_that_no_terminal_obeys() -> None:
    said = str(lyricgen.OrtError("two\nlines \x1b[2J\u202e" + "a" * 10_000))
    assert said.startswith("two lines \\x1b[2J\\u202eaaa")
    assert len(said) < 550


def test_a_long_value_is_shown_in_short() -> None:
    assert len(str(lyricgen.OptionError("title", "a" * 100_000, "one line of text"))) < 300
