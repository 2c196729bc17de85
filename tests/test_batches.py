import numpy as np
import pytest

from lyricgen.vocabulary import SOS, Vocabulary
from train.batches import IGNORED, EncodedSongs, SongSlots, pad, similar_length_batches

SONGS = ["abcde", "", "ba", "eeeeeeeeeeee", "cab", "d"]
WORDS = Vocabulary.of("abcde")


@pytest.fixture
def encoded() -> EncodedSongs:
    return EncodedSongs.encode(SONGS, WORDS)


def test_songs_are_stored_with_their_ends(encoded: EncodedSongs) -> None:
    assert len(encoded) == 6
    assert encoded.symbols == sum(len(song) + 1 for song in SONGS)
    assert encoded.lengths().tolist() == [len(song) + 1 for song in SONGS]
    assert encoded.tokens[:6].tolist() == [*WORDS.encode("abcde"), WORDS.eos]


def test_a_piece_predicts_each_symbol_from_the_one_before(encoded: EncodedSongs) -> None:
    inputs, targets = encoded.piece(0, 0, 100)
    assert inputs.tolist() == [SOS, *WORDS.encode("abcde")]
    assert (targets + WORDS.eos).tolist() == [*WORDS.encode("abcde"), WORDS.eos]
    inputs, targets = encoded.piece(0, 4, 100)
    assert inputs.tolist() == WORDS.encode("de")
    assert (targets + WORDS.eos).tolist() == [*WORDS.encode("e"), WORDS.eos]


def read_by_slots(slots: SongSlots, symbols: int) -> list[str]:
    """Collect the songs that the slots read, in order of their ends, until `symbols` were read."""
    count, finished = 0, []
    reading: dict[int, list[int]] = {}
    while count < symbols:
        segment = slots.next_segment()
        count += segment.symbols
        for slot in range(segment.inputs.shape[1]):
            if segment.fresh[slot]:
                assert segment.inputs[0, slot] == SOS
                reading[slot] = []
            targets = segment.targets[:, slot]
            reading[slot] += [int(t) for t in targets[targets != IGNORED]]
            if reading[slot][-1] == 0:
                finished.append(WORDS.decode(unit + WORDS.eos for unit in reading[slot][:-1]))
    return finished


@pytest.mark.parametrize(("count", "length"), [(1, 3), (2, 4), (4, 100), (9, 1)])
def test_slots_read_every_song_whole_and_equally_often(
    encoded: EncodedSongs, count: int, length: int
) -> None:
    epochs = 20
    songs = read_by_slots(SongSlots(encoded, count, length, seed=1), epochs * encoded.symbols)
    for song in SONGS:
        assert abs(songs.count(song) - epochs) <= count


def test_a_segment_carries_on_where_the_last_one_stopped(encoded: EncodedSongs) -> None:
    slots = SongSlots(encoded, 2, 4, seed=0)
    before = slots.next_segment()
    for segment in (slots.next_segment() for _ in range(20)):
        for slot in range(2):
            if not segment.fresh[slot]:
                assert segment.inputs[0, slot] == before.targets[-1, slot] + WORDS.eos
            else:
                assert 0 in before.targets[:, slot]  # the song before had ended
        before = segment


def test_only_the_rest_of_a_last_segment_is_padding(encoded: EncodedSongs) -> None:
    slots = SongSlots(encoded, 3, 4, seed=0)
    for segment in (slots.next_segment() for _ in range(30)):
        for targets in segment.targets.T:
            ended = np.flatnonzero(targets == 0)
            real = ended[0] + 1 if len(ended) else 4
            assert (targets[:real] != IGNORED).all()
            assert (targets[real:] == IGNORED).all()


def test_each_pass_has_its_own_order_decided_by_the_seed(encoded: EncodedSongs) -> None:
    def orders(seed: int) -> list[str]:
        return read_by_slots(SongSlots(encoded, 1, 50, seed), 4 * encoded.symbols)

    first = orders(5)
    assert first == orders(5)
    assert first != orders(6)
    assert len({tuple(first[n : n + 6]) for n in range(0, 24, 6)}) > 1


def test_a_restored_position_gives_the_same_segments(encoded: EncodedSongs) -> None:
    original = SongSlots(encoded, 3, 4, seed=2)
    for _ in range(17):
        original.next_segment()
    restored = SongSlots(encoded, 3, 4, seed=2)
    restored.restore(original.state())
    for _ in range(17):
        expected, found = original.next_segment(), restored.next_segment()
        np.testing.assert_array_equal(found.inputs, expected.inputs)
        np.testing.assert_array_equal(found.targets, expected.targets)
        np.testing.assert_array_equal(found.fresh, expected.fresh)


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
