"""What several tests of the runtime need."""

import subprocess
import sys
from typing import Any

import pytest

import lyricgen
from lyricgen.terminal import commands
from tests.conftest import Apps, Runner
from tests.make_fake_model import FAKE_STYLED_MODEL_PATH

MAIN = "from lyricgen.__main__ import main; main()"
"""The code of lyricgen-run."""


def python(code: str, *arguments: object, **keywords: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
    """Run code in a process of its own; the keywords are those of `subprocess.run`."""
    words = [sys.executable, "-c", code, *map(str, arguments)]
    usual = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8", "check": False}
    done: subprocess.CompletedProcess[str] = subprocess.run(words, **{**usual, **keywords})
    return done


@pytest.fixture(scope="session")
def styled_model() -> lyricgen.Model:
    """A model with the styles Folk and hymn whose songs have titles."""
    return lyricgen.load(FAKE_STYLED_MODEL_PATH)


@pytest.fixture(scope="session")
def model() -> lyricgen.Model:
    """The bundled model."""
    return lyricgen.load()


@pytest.fixture
def desk(run: Apps) -> Runner:
    """The command lyricgen."""
    return run(commands.app, "lyricgen")
