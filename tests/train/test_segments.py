from pathlib import Path

import numpy as np
import pytest

from lyricgen.vocabulary import SOS, Vocabulary
from tests.train.conftest import SONGS, STYLED_SONGS, STYLED_WORDS, WORDS, encode
from train.auxiliary import AuxiliaryTasks
from train.corpus.encoded import IGNORED, EncodedSongs
from train.segments import SegmentLoader


def read_by_slots(slots: SegmentLoader, symbols: int, words: Vocabulary = WORDS) -> list[str]:
    """Collect the songs that the slots read, in order of their ends, until `symbols` were read."""
    count, finished = 0, []
    reading: dict[int, list[int]] = {}
    while count < symbols:
        segment = slots.next_segment()
        assert segment.symbols == (segment.targets != IGNORED).sum()  # styles are not predicted
        count += segment.symbols
        for slot in range(segment.inputs.shape[1]):
            if segment.fresh[slot]:
                assert segment.inputs[0, slot] == SOS
                reading[slot] = []
            reading[slot] += [unit for unit in segment.targets[:, slot].tolist() if unit != IGNORED]
            if reading[slot] and reading[slot][-1] == 0:
                finished.append(words.decode(unit + words.eos for unit in reading[slot][:-1]))
    return finished


@pytest.mark.parametrize("with_styles", [False, True])
@pytest.mark.parametrize(("count", "length"), [(1, 3), (2, 4), (4, 100), (9, 1), (3, 2)])
def test_slots_read_every_song_whole_and_equally_often(
    encoded: EncodedSongs, tmp_path: Path, count: int, length: int, *, with_styles: bool
) -> None:
    songs, words, epochs = encoded, WORDS, 20
    if with_styles:
        songs, words = encode(tmp_path, STYLED_SONGS, STYLED_WORDS), STYLED_WORDS
    found = read_by_slots(SegmentLoader(songs, count, length, seed=1), epochs * songs.symbols, words)
    for song in SONGS:
        assert abs(found.count(song) - epochs) <= count


def test_songs_are_read_as_often_as_their_weights_say(encoded: EncodedSongs) -> None:
    weights = np.array([2.5, 0.25, 1.0, 1.0, 1.0, 0.25])
    loader = SegmentLoader(encoded, 1, 50, seed=1, weights=weights)
    found = read_by_slots(loader, 40 * round(float(weights @ encoded.lengths())))
    for song, weight in zip(SONGS, weights, strict=True):
        assert found.count(song) == pytest.approx(40 * weight, abs=1.5)
    again = SegmentLoader(encoded, 1, 50, seed=1, weights=weights)
    for _ in range(7):
        again.next_segment()
    goes_on = SegmentLoader(encoded, 1, 50, seed=1, weights=weights)
    goes_on.restore(again.state())
    np.testing.assert_array_equal(goes_on.next_segment().inputs, again.next_segment().inputs)
    plain, ones = (
        SegmentLoader(encoded, 1, 50, seed=1, weights=given) for given in (None, np.ones(len(SONGS)))
    )
    assert read_by_slots(plain, 200) == read_by_slots(ones, 200)


def test_a_segment_carries_on_where_the_last_one_stopped(encoded: EncodedSongs) -> None:
    slots = SegmentLoader(encoded, 2, 4, seed=0)
    before = slots.next_segment()
    for segment in (slots.next_segment() for _ in range(20)):
        for slot in range(2):
            if not segment.fresh[slot]:
                assert segment.inputs[0, slot] == before.targets[-1, slot] + WORDS.eos
            else:
                assert 0 in before.targets[:, slot]  # the song before had ended
        before = segment


def test_only_the_rest_of_a_last_segment_is_padding(encoded: EncodedSongs) -> None:
    slots = SegmentLoader(encoded, 3, 4, seed=0)
    for segment in (slots.next_segment() for _ in range(30)):
        for targets in segment.targets.T:
            ended = np.flatnonzero(targets == 0)
            real = ended[0] + 1 if len(ended) else 4
            assert (targets[:real] != IGNORED).all()
            assert (targets[real:] == IGNORED).all()


def test_each_pass_has_its_own_order_decided_by_the_seed(encoded: EncodedSongs) -> None:
    def orders(seed: int) -> list[str]:
        return read_by_slots(SegmentLoader(encoded, 1, 50, seed), 4 * encoded.symbols)

    first = orders(5)
    assert first == orders(5)
    assert first != orders(6)
    assert len({tuple(first[n : n + 6]) for n in range(0, 24, 6)}) > 1


@pytest.mark.parametrize(("dropout", "share"), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)])
def test_styles_are_dropped_as_often_as_asked(styled: EncodedSongs, dropout: float, share: float) -> None:
    slots = SegmentLoader(styled, 1, 100, seed=3, style_dropout=dropout)
    segments = [slots.next_segment() for _ in range(1500)]
    with_style = sum(segment.inputs[1, 0] in (1, 2) for segment in segments)
    assert with_style == pytest.approx(1500 * share * 4 / 6, abs=80)


def test_processes_share_a_row_of_slots_without_gap_or_overlap(styled: EncodedSongs) -> None:
    tasks = AuxiliaryTasks(STYLED_WORDS)
    whole, *parts = (SegmentLoader(styled, 4, 3, seed=2, style_dropout=0.5, tasks=tasks) for _ in range(3))
    for _ in range(30):
        expected = whole.next_segment()
        halves = [parts[n].next_segment(slice(2 * n, 2 * n + 2)) for n in (0, 1)]
        for name in ("inputs", "targets", "fresh"):
            found = np.concatenate([getattr(half, name) for half in halves], axis=-1)
            np.testing.assert_array_equal(found, getattr(expected, name))
        answers = [half.answers for half in halves if half.answers is not None]
        np.testing.assert_array_equal(np.concatenate(answers, axis=1), expected.answers)
        assert [half.symbols for half in halves] == [expected.symbols] * 2
