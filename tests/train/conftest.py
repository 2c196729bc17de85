"""What several tests of training need."""

from pathlib import Path

import pytest

from tests.conftest import Apps, Runner
from train import cli


@pytest.fixture
def train(run: Apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Run python -m train in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return run(cli.app, "python -m train")
