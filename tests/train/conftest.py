"""What several tests of training need: a command, and six short songs, encoded with and without styles."""

from pathlib import Path

import pytest

from lyricgen.vocabulary import Vocabulary
from tests.conftest import Apps, Runner
from train import cli
from train.corpus.encoded import EncodedSongs, save_songs
from train.corpus.scratch import CorpusSong

SONGS = ["abcde", "", "ba", "eeeeeeeeeeee", "cab", "d"]
STYLES = ["hymn", "", "folk", "folk", "", "hymn"]
STYLED_SONGS = list(map(CorpusSong, SONGS, STYLES))
WORDS = Vocabulary.of("abcde")
STYLED_WORDS = Vocabulary.of("abcde", ["hymn", "folk"])


def encode(folder: Path, songs: list[CorpusSong], words: Vocabulary) -> EncodedSongs:
    save_songs(folder, "training", songs, words)
    return EncodedSongs.open(folder, "training", words)


@pytest.fixture
def encoded(tmp_path: Path) -> EncodedSongs:
    return encode(tmp_path, list(map(CorpusSong, SONGS)), WORDS)


@pytest.fixture
def styled(tmp_path: Path) -> EncodedSongs:
    return encode(tmp_path, STYLED_SONGS, STYLED_WORDS)


@pytest.fixture
def train(run: Apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Run python -m train in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return run(cli.app, "python -m train")


def change_one_bit(path: Path) -> None:
    """Damage a file as disks do."""
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def full_disk(*_arguments: object) -> None:
    """Stand in for a function that writes."""
    raise OSError(28, "No space left on device")
