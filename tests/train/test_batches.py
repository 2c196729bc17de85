from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lyricgen.errors import UnknownCharacterError
from lyricgen.vocabulary import SOS, Vocabulary
from train import evaluation as batches
from train.auxiliary import AuxiliaryTasks
from train.corpus.encoded import IGNORED, EncodedSongs, hash_songs, save_songs, song_paths
from train.corpus.scratch import CorpusSong
from train.evaluation import pad, similar_length_batches
from train.segments import SegmentLoader

SONGS = ["abcde", "", "ba", "eeeeeeeeeeee", "cab", "d"]
WORDS = Vocabulary.of("abcde")
STYLED_WORDS = Vocabulary.of("abcde", ["hymn", "folk"])
STYLES = ["hymn", "", "folk", "folk", "", "hymn"]


def encode(folder: Path, songs: Sequence[CorpusSong], words: Vocabulary) -> EncodedSongs:
    save_songs(folder, "training", songs, words)
    return EncodedSongs.open(folder, "training", words)


@pytest.fixture
def encoded(tmp_path: Path) -> EncodedSongs:
    return encode(tmp_path, [CorpusSong(song, "") for song in SONGS], WORDS)


@pytest.fixture
def styled_songs() -> list[CorpusSong]:
    return list(map(CorpusSong, SONGS, STYLES))


@pytest.fixture
def styled(tmp_path: Path, styled_songs: list[CorpusSong]) -> EncodedSongs:
    return encode(tmp_path, styled_songs, STYLED_WORDS)


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


def read_by_slots(slots: SegmentLoader, symbols: int) -> list[str]:
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
    songs = read_by_slots(SegmentLoader(encoded, count, length, seed=1), epochs * encoded.symbols)
    for song in SONGS:
        assert abs(songs.count(song) - epochs) <= count


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


def test_a_restored_position_gives_the_same_segments(encoded: EncodedSongs) -> None:
    original = SegmentLoader(encoded, 3, 4, seed=2)
    for _ in range(17):
        original.next_segment()
    restored = SegmentLoader(encoded, 3, 4, seed=2)
    restored.restore(original.state())
    for _ in range(17):
        expected, found = original.next_segment(), restored.next_segment()
        np.testing.assert_array_equal(found.inputs, expected.inputs)
        np.testing.assert_array_equal(found.targets, expected.targets)
        np.testing.assert_array_equal(found.fresh, expected.fresh)


@pytest.mark.parametrize("length", [1, 2, 3, 100])
def test_a_style_follows_sos_and_is_never_to_be_predicted(styled: EncodedSongs, length: int) -> None:
    eos, folk = STYLED_WORDS.eos, 2
    pieces = [styled.piece(2, offset, length, style=folk) for offset in range(0, 4, length)]
    inputs, targets = (np.concatenate(parts).tolist() for parts in zip(*pieces, strict=True))
    assert inputs == [SOS, folk, *STYLED_WORDS.encode("ba")]
    assert targets == [IGNORED, *(token - eos for token in STYLED_WORDS.encode("ba")), 0]


@pytest.mark.parametrize("length", [1, 2, 5, 100])
def test_slots_read_styled_songs_whole_and_count_only_what_is_predicted(
    styled: EncodedSongs, length: int
) -> None:
    slots = SegmentLoader(styled, 3, length, seed=1)
    units: list[list[int]] = [[], [], []]
    for _ in range(100):
        segment = slots.next_segment()
        assert segment.symbols == (segment.targets != IGNORED).sum()
        for slot in range(3):
            units[slot] += [int(unit) for unit in segment.targets[:, slot] if unit != IGNORED]
    for read in units:
        songs = "".join(STYLED_WORDS.decode([unit + STYLED_WORDS.eos]) if unit else "|" for unit in read)
        assert set(songs.split("|")[:-1]) <= set(SONGS)


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


@pytest.mark.parametrize("characters", ["abcde", "abcde" + "".join(map(chr, range(0x4E00, 0x4E00 + 300)))])
def test_songs_written_to_files_come_back_memory_mapped(
    tmp_path: Path, styled_songs: list[CorpusSong], characters: str
) -> None:
    words = Vocabulary.of(characters, ["hymn", "folk"])
    opened = encode(tmp_path, styled_songs, words)
    assert isinstance(opened.tokens, np.memmap)
    assert opened.tokens.dtype == (np.uint8 if len(characters) < 250 else np.uint16)
    expected = [[*words.encode(song), words.eos] for song in SONGS]
    assert opened.tokens.tolist() == [token for song in expected for token in song]
    assert opened.lengths().tolist() == list(map(len, expected))
    assert opened.styles.tolist() == [1, 0, 2, 2, 0, 1]


def test_the_hash_of_songs_tells_of_any_change(tmp_path: Path, styled_songs: list[CorpusSong]) -> None:
    save_songs(tmp_path, "training", styled_songs, STYLED_WORDS)
    before = hash_songs(tmp_path, "training")
    for path in song_paths(tmp_path, "training"):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert hash_songs(tmp_path, "training") != before
        path.write_bytes(content)
    assert hash_songs(tmp_path, "training") == before


def test_a_character_outside_the_vocabulary_is_an_error(
    tmp_path: Path, styled_songs: list[CorpusSong]
) -> None:
    with pytest.raises(UnknownCharacterError, match="'é' at position 2"):
        encode(tmp_path, [*styled_songs, CorpusSong("aé", "")], STYLED_WORDS)


def test_long_songs_are_evaluated_in_smaller_batches(
    encoded: EncodedSongs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_PADDED_POSITIONS", 10)
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
