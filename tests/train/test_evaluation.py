import numpy as np
import pytest

from lyricgen.vocabulary import SOS
from train import evaluation
from train.corpus.encoded import IGNORED, EncodedSongs
from train.evaluation import pad, similar_length_batches


def test_long_songs_are_evaluated_in_smaller_batches(
    encoded: EncodedSongs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "_PADDED_POSITIONS", 10)
    found = list(similar_length_batches(encoded, 4))
    assert sorted(np.concatenate(found).tolist()) == list(range(6))
    lengths = encoded.lengths()
    assert all(len(batch) * lengths[batch].max() <= 10 or len(batch) == 1 for batch in found)
    assert [len(batch) for batch in found] == [3, 1, 1, 1]


def test_evaluation_batches_hold_every_song_once(encoded: EncodedSongs) -> None:
    batches = list(similar_length_batches(encoded, 4))
    assert [len(batch) for batch in batches] == [4, 2]
    assert sorted(np.concatenate(batches).tolist()) == list(range(6))
    assert encoded.lengths()[batches[0]].max() <= encoded.lengths()[batches[1]].min()


def test_padding_holds_whole_songs(encoded: EncodedSongs) -> None:
    inputs, targets = pad(encoded, np.array([0, 2]))
    assert inputs.shape == targets.shape == (6, 2)
    assert (targets != IGNORED).sum(axis=0).tolist() == [6, 3]
    assert inputs[0].tolist() == [SOS, SOS]
