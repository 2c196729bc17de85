"""The examples in docstrings run, and every public name that needs one has one."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import lyricgen

WITH_EXAMPLES = {"model_file.card", "errors", "generator", "golden", "options", "vocabulary"}
"""Modules of the runtime that the public names come from."""


@pytest.mark.parametrize("name", sorted(WITH_EXAMPLES))
def test_the_examples_of_a_module_run(name: str) -> None:
    result = doctest.testmod(import_module(f"lyricgen.{name}"), globs={})  # they import what they use
    assert result.attempted > 0
    assert result.failed == 0


def test_no_example_is_left_out() -> None:
    folder = Path(lyricgen.__file__).parent
    paths = [path for path in folder.rglob("*.py") if ">>> " in path.read_text("utf-8")]
    assert {".".join(path.relative_to(folder).with_suffix("").parts) for path in paths} == WITH_EXAMPLES


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
