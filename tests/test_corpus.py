import gzip
import hashlib
import lzma
import zipfile
from pathlib import Path

import pytest

from train.corpus import (
    CorpusError,
    clean_text,
    drop_rare_characters,
    load_corpus,
    near_duplicate_groups,
    read_texts,
    split_songs,
)

CSV = 'artist,song,link,text\nA,"One, two",/a,"Hey  \n  \nyou  \n\n"\nB,NA,/b,None\n'
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def written(path: Path, text: str = CSV, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def song(n: int) -> str:
    """Song n, unlike all others."""
    return " ".join(f"{word}{n}" for word in WORDS * 3)


def test_the_text_column_is_read_as_it_stands(tmp_path: Path) -> None:
    assert read_texts(written(tmp_path / "songs.csv")) == ["Hey  \n  \nyou  \n\n", "None"]


def test_a_byte_order_mark_and_crlf_do_no_harm(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", 'text\r\n"a\r\nb"\r\n', "utf-8-sig")
    assert [clean_text(text) for text in read_texts(path)] == ["a\nb"]


def test_compressed_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "songs.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    (tmp_path / "songs.csv.xz").write_bytes(lzma.compress(CSV.encode()))
    with zipfile.ZipFile(tmp_path / "songs.csv.zip", "w") as archive:
        archive.writestr("songs.csv", CSV)
    assert all(len(read_texts(path)) == 2 for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"artist,song,lyrics\nA,B,C\n", "needs a column named text, found: artist, song, lyrics"),
        (
            b'text\na\n"cut off inside a quo',
            "the quoted text in row 2 never ends: the file is cut off",
        ),
        (b"text\ncaf\xe9\n", "not a readable CSV in UTF-8: .*decode"),
        (b"text\nLa la, la\nOh, hey\n", "rows have more fields than the header"),
        (b"artist,text\nA,la la,\nB,lo lo,\n", "rows have more fields than the header"),
        (b"text\n", "at least 2 different songs, found 0"),
        (b"text\nLa la la\nLa la la  \n", "at least 2 different songs, found 1"),
    ],
)
def test_an_unusable_file_is_an_error_that_says_why(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "songs.csv"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=f"songs.csv: .*{problem}"):
        load_corpus(path, 0.1, 0, 0)


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    for name in ("songs.csv.gz", "songs.csv.xz", "songs.csv.zip"):
        path = tmp_path / name
        path.write_bytes(b"not an archive")
        with pytest.raises(CorpusError, match="not a readable CSV"):
            read_texts(path)


def test_a_folder_or_another_kind_of_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is a folder"):
        read_texts(tmp_path)
    (tmp_path / "songs.tar").write_bytes(b"x")
    with pytest.raises(CorpusError, match=r"must end in \.csv, \.csv\.gz"):
        read_texts(tmp_path / "songs.tar")


def test_an_encrypted_archive_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("songs.csv", CSV)
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag of the file and of its entry in the directory
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"not a readable CSV.*encrypted"):
        read_texts(path)


def test_a_truncated_archive_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv.xz"
    path.write_bytes(lzma.compress(CSV.encode() * 100)[:-20])
    with pytest.raises(CorpusError, match="not a readable CSV"):
        read_texts(path)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("e\u200b\u0301\u2028x", "é x"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\x0cb\ud800", "a b"),
        ("Hey  \n  \nyou  \n\n", "Hey\n\nyou"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("\n \t\n", ""),
        ("a\u00a0b\tc", "a b c"),
        ("e\u0301", "é"),
        ("\ufeffa\u200bb\x00\x1b[31m", "ab[31m"),
        ("ダム\u3000😀", "ダム 😀"),
    ],
)
def test_cleaning(text: str, clean: str) -> None:
    assert clean_text(text) == clean
    assert clean_text(clean) == clean


def test_rare_characters_leave_and_are_counted() -> None:
    songs, removed = drop_rare_characters(["aaaa§aaaa bbb", "aaaa", "§"], 0.12)
    assert songs == ["aaaaaaaabbb", "aaaa"]
    assert removed == 3  # two § and a space


def test_versions_of_a_song_are_grouped() -> None:
    original = song(1)
    version = original.replace("five1", "FIVE1!", 1) + " and so on"
    assert near_duplicate_groups([original, song(2), version, song(3)]) == [[0, 2], [1], [3]]


def test_songs_shorter_than_a_span_are_compared_whole() -> None:
    assert near_duplicate_groups(["la la", "lo", "La, la!"]) == [[0, 2], [1]]


def test_a_split_keeps_versions_on_one_side_and_loses_nothing() -> None:
    songs = [text for n in range(40) for text in (song(n), song(n) + " again")]
    training, held_out = split_songs(songs, 0.2, seed=3)
    assert sorted(training + held_out) == sorted(songs)
    assert len(held_out) == 16
    assert not {text.removesuffix(" again") for text in training} & set(held_out)


def test_a_split_depends_on_its_seed_alone() -> None:
    songs = [song(n) for n in range(40)]
    assert split_songs(songs, 0.2, 1) == split_songs(songs, 0.2, 1)
    assert split_songs(songs, 0.2, 1) != split_songs(songs, 0.2, 2)


def test_a_corpus_of_versions_of_one_song_cannot_be_split(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", f"text\n{song(1)}\n{song(1)} again\n")
    with pytest.raises(CorpusError, match="none would be left to validate on"):
        load_corpus(path, 0.5, 0, 0)


def test_what_was_dropped_is_counted(tmp_path: Path) -> None:
    rows = [song(1), song(1) + "  ", "", " ", "\u200b" + song(2)]
    corpus = load_corpus(
        written(tmp_path / "songs.csv", "text,extra\n" + "".join(f'"{row}",x\n' for row in rows)), 0.1, 0, 0
    )
    assert corpus.dropped == {
        "empty texts": 2,
        "repeated texts": 1,
        "invisible characters": 1,
        "rare characters": 0,
    }
    assert len(corpus.training) == len(corpus.held_out) == 1


def test_the_small_corpus(small_corpus_path: Path) -> None:
    corpus = load_corpus(small_corpus_path, 0.1, 0, 0)
    assert (len(corpus.training), len(corpus.held_out)) == (11, 1)
    assert corpus.name == "small_songs.csv"
    assert corpus.sha256 == hashlib.sha256(small_corpus_path.read_bytes()).hexdigest()
    assert corpus.training_characters == sum(map(len, corpus.training))
    assert not any("  \n" in text or text.endswith("\n") for text in corpus.training + corpus.held_out)
    for text in corpus.training + corpus.held_out:
        assert corpus.vocabulary.decode(corpus.vocabulary.encode(text)) == text
