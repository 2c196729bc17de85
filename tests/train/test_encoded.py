from pathlib import Path

import numpy as np
import pytest

from lyricgen.errors import UnknownCharacterError
from lyricgen.vocabulary import SOS, Vocabulary
from tests.train.conftest import SONGS, STYLED_SONGS, STYLED_WORDS, WORDS, encode
from train.corpus.encoded import IGNORED, EncodedSongs, hash_songs, save_songs, song_paths
from train.corpus.scratch import CorpusSong


def test_a_piece_predicts_each_symbol_from_the_one_before(encoded: EncodedSongs) -> None:
    inputs, targets = encoded.piece(0, 0, 100)
    assert inputs.tolist() == [SOS, *WORDS.encode("abcde")]
    assert (targets + WORDS.eos).tolist() == [*WORDS.encode("abcde"), WORDS.eos]
    inputs, targets = encoded.piece(0, 4, 100)
    assert inputs.tolist() == WORDS.encode("de")
    assert (targets + WORDS.eos).tolist() == [*WORDS.encode("e"), WORDS.eos]


@pytest.mark.parametrize("length", [1, 2, 3, 100])
def test_a_style_follows_sos_and_is_never_to_be_predicted(styled: EncodedSongs, length: int) -> None:
    eos, folk = STYLED_WORDS.eos, 2
    pieces = [styled.piece(2, offset, length, style=folk) for offset in range(0, 4, length)]
    inputs, targets = (np.concatenate(parts).tolist() for parts in zip(*pieces, strict=True))
    assert inputs == [SOS, folk, *STYLED_WORDS.encode("ba")]
    assert targets == [IGNORED, *(token - eos for token in STYLED_WORDS.encode("ba")), 0]


@pytest.mark.parametrize("characters", ["abcde", "abcde" + "".join(map(chr, range(0x4E00, 0x4E00 + 300)))])
def test_songs_written_to_files_come_back_memory_mapped(tmp_path: Path, characters: str) -> None:
    words = Vocabulary.of(characters, ["hymn", "folk"])
    opened = encode(tmp_path, STYLED_SONGS, words)
    assert isinstance(opened.tokens, np.memmap)
    assert opened.tokens.dtype == (np.uint8 if len(characters) < 250 else np.uint16)
    expected = [[*words.encode(song), words.eos] for song in SONGS]
    assert opened.tokens.tolist() == [token for song in expected for token in song]
    assert (len(opened), opened.symbols) == (len(SONGS), len(opened.tokens))
    assert opened.lengths().tolist() == list(map(len, expected))
    assert opened.styles.tolist() == [1, 0, 2, 2, 0, 1]


def test_the_songs_of_a_style_are_picked_out(styled: EncodedSongs) -> None:
    for style in (0, 1, 2):
        found = styled.of_style(style)
        expected = [n for n, one in enumerate(styled.styles.tolist()) if one == style]
        assert [found.tokens_of(n).tolist() for n in range(len(found))] == [
            styled.tokens_of(n).tolist() for n in expected
        ]
        assert found.styles.tolist() == [style] * len(expected)
    assert len(styled.of_style(3)) == 0


def test_the_hash_of_songs_tells_of_any_change(tmp_path: Path) -> None:
    save_songs(tmp_path, "training", STYLED_SONGS, STYLED_WORDS)
    before = hash_songs(tmp_path, "training")
    for path in song_paths(tmp_path, "training"):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert hash_songs(tmp_path, "training") != before
        path.write_bytes(content)
    assert hash_songs(tmp_path, "training") == before


def test_a_character_outside_the_vocabulary_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnknownCharacterError, match="'é' at position 2"):
        encode(tmp_path, [*STYLED_SONGS, CorpusSong("aé", "")], STYLED_WORDS)
