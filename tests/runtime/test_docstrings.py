"""The examples in docstrings run, and every public name that needs one has one."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import lyricgen
from lyricgen import options

FOLDER = Path(lyricgen.__file__).parent
WITH_EXAMPLES = [path for path in sorted(FOLDER.rglob("*.py")) if ">>> " in path.read_text("utf-8")]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_of_a_module_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if path.parent.name == "studio":
        pytest.importorskip("starlette")  # of an extra
    monkeypatch.setattr(options, "CANDIDATES", 8)  # songs with a form are written faster
    name = ".".join(("lyricgen", *path.relative_to(FOLDER).with_suffix("").parts))
    result = doctest.testmod(import_module(name), globs={})  # they import what they use
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    "name",
    [
        *("Model", "ModelCard", "OptionError", "Song", "SongOptions", "SongStream", "UnknownCharacterError"),
        *("Vocabulary", "load", "self_test", "Model.generate", "Model.songs", "Model.stream"),
    ],
)
def test_a_public_name_has_an_example(name: str) -> None:
    thing: object = lyricgen
    for part in name.split("."):
        thing = getattr(thing, part)
    assert len(doctest.DocTestParser().get_examples(thing.__doc__ or "")) >= 2
