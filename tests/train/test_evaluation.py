import numpy as np
import pytest

from lyricgen.vocabulary import SOS
from train import evaluation
from train.corpus.encoded import IGNORED, EncodedSongs
from train.evaluation import pad, similar_length_batches


@pytest.mark.parametrize(("most", "sizes"), [(10, [3, 1, 1, 1]), (2**22, [4, 2])])
def test_every_song_is_evaluated_once_and_long_ones_in_smaller_batches(
    encoded: EncodedSongs, monkeypatch: pytest.MonkeyPatch, most: int, sizes: list[int]
) -> None:
    monkeypatch.setattr(evaluation, "_PADDED_POSITIONS", most)
    batches = list(similar_length_batches(encoded, 4))
    assert [len(batch) for batch in batches] == sizes
    in_order = encoded.lengths()[np.concatenate(batches)]
    assert in_order.tolist() == sorted(encoded.lengths())
    assert sorted(np.concatenate(batches).tolist()) == list(range(6))


def test_padding_holds_whole_songs(encoded: EncodedSongs) -> None:
    inputs, targets = pad(encoded, np.array([0, 2]))
    assert inputs.shape == targets.shape == (6, 2)
    assert (targets != IGNORED).sum(axis=0).tolist() == [6, 3]
    assert inputs[0].tolist() == [SOS, SOS]
