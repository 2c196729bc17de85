import csv
import gzip
import hashlib
import io
import lzma
import os
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lyricgen.errors import OptionError
from train.config import CorpusConfig
from train.corpus import reading
from train.corpus.files import CorpusError
from train.corpus.reading import RawSong, hash_files, open_songs

CSV = 'artist,song,link,text\nA,"One, two",/a,"Hey  \n  \nyou  \n\n"\nB,NA,/b,la la\n'
STANZAS = "Hey, hey, hey, hey\nI love you\n\nSo, you know\nshe said"
PLAIN, SKIP = CorpusConfig(), CorpusConfig(skip_bad_rows=True)
CP1252 = CorpusConfig(encoding="cp1252")
OTHER_COLUMNS = CorpusConfig(text_column="lyrics", style_column="genre")
OFFER = "--skip-bad-rows goes on without them"


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def read(path: Path, config: CorpusConfig = PLAIN) -> list[str]:
    return [song.text for song in open_songs(path, config)]


def read_good(path: Path) -> tuple[list[str], int]:
    """What --skip-bad-rows leaves, and how many rows it counts."""
    songs = open_songs(path, SKIP)
    texts = [song.text for song in songs]
    return texts, songs.bad_rows


def table(rows: Sequence[Sequence[str]], delimiter: str = ",") -> str:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return file.getvalue()


def packed(path: Path, content: bytes, *entries: str) -> Path:
    """Write a file that is packed as its name says; a zip holds the content under each of the names."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry in entries:
                archive.writestr(entry, content)
    else:
        path.write_bytes((gzip.compress if path.suffix == ".gz" else lzma.compress)(content))
    return path


def test_songs_are_read_as_they_stand(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", CSV)
    assert list(open_songs(path, PLAIN)) == [
        RawSong("Hey  \n  \nyou  \n\n", "One, two"),
        RawSong("la la", "NA"),
    ]
    assert read(written(path, 'text\r\n"a\r\nb"\r\n', "utf-8-sig")) == ["a\r\nb"]


@pytest.mark.parametrize("name", ["songs.csv.gz", "songs.xz", "songs.csv.zip", "archive.zip"])
def test_compressed_files_are_read(tmp_path: Path, name: str) -> None:
    beside = ("__MACOSX/data/._songs.csv", ".DS_Store")  # what a Mac adds to a zip
    path = packed(tmp_path / name, CSV.encode(), "data/songs.csv", *beside)
    assert len(read(path)) == len(read(path.rename(tmp_path / name.upper()))) == 2


@pytest.mark.parametrize(
    ("names", "change", "problem"),
    [
        (["a.csv", "b.csv"], None, r"songs.zip: holds 2 CSV files \(a.csv, b.csv\)"),
        (["a.txt"], None, r"songs.zip: holds no CSV file \(a.txt\)"),
        ([], None, r"songs.zip: holds no CSV file \(nothing\)"),
        (["é.csv"], ("é".encode(), b"\0\xff"), "songs.zip: it holds bytes that are not UTF-8"),
        (["éa.csv"], ("éa".encode(), b"\0\0b"), "songs.zip: "),
    ],
)
def test_a_zip_must_hold_one_table_of_a_valid_name(
    tmp_path: Path, names: list[str], change: tuple[bytes, bytes] | None, problem: str
) -> None:
    path = packed(tmp_path / "songs.zip", CSV.encode(), *names)
    if change:
        path.write_bytes(path.read_bytes().replace(*change))
    with pytest.raises(CorpusError, match=problem):
        read(path)


def test_an_encrypted_zip_is_an_error(tmp_path: Path) -> None:
    path = packed(tmp_path / "songs.csv.zip", CSV.encode(), "songs.csv")
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag of the file and of its entry in the directory
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(CorpusError, match="is encrypted"):
        read(path)


@pytest.mark.parametrize("config", [PLAIN, SKIP])
@pytest.mark.parametrize("name", ["songs.csv.gz", "songs.csv.xz", "songs.csv.zip"])
def test_a_damaged_archive_is_an_error_as_its_rows_may_all_be_wrong(
    tmp_path: Path, name: str, config: CorpusConfig
) -> None:
    path = tmp_path / name
    path.write_bytes(b"not an archive")
    with pytest.raises(CorpusError, match=f"{name}: damaged, or "):
        read(path, config)
    content = table([["text"], *incompressible_rows(2000)]).encode()
    damaged = bytearray(packed(path, content, "songs.csv").read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(CorpusError, match=r"damaged at row \d+ or before: .*; get it again$"):
        read(path, config)


def incompressible_rows(count: int) -> list[list[str]]:
    return [[hashlib.sha512(b"%d" % n).hexdigest()] for n in range(count)]


@pytest.mark.parametrize("name", ["songs.csv.gz", "songs.csv.xz"])
def test_a_cut_off_archive_is_an_error_or_loses_its_end(tmp_path: Path, name: str) -> None:
    rows = incompressible_rows(2000)
    path = packed(tmp_path / name, table([["text"], *rows]).encode())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CorpusError, match=r"cut off after row \d+; .*--skip-bad-rows"):
        read(path)
    kept, bad_rows = read_good(path)
    assert 500 < len(kept) < 2000
    assert [[text] for text in kept] == rows[: len(kept)]
    assert bad_rows == 1


@pytest.mark.parametrize(
    ("content", "encoding", "asked", "problem"),
    [
        ("text\nla\ncafé", "cp1252", "utf-8", r"row 2 \(line 3\) holds the byte 0xE9, which is not UTF-8; "),
        ("text\nl\x81\n", "latin-1", "cp1252", r"row 1 \(line 2\) holds the byte 0x81, .*cp1252; leave out"),
        ("né,text\nA,la\n", "cp1252", "utf-8", "the header holds the byte 0xE9, .*try --encoding cp1252"),
        ("text\nné\n", "utf-16", "utf-8", "is UTF-16, not UTF-8; try --encoding utf-16"),
        ("text\nné\n", "utf-16-le", "utf-8", "if it is UTF-16, try --encoding utf-16-le"),
        ("text\nné\n", "utf-16-be", "utf-8", "if it is UTF-16, try --encoding utf-16-be"),
        ("text\nné\n", "utf-8-sig", "cp1252", "begins with the mark of UTF-8, not cp1252"),
    ],
)
def test_another_encoding_is_an_error_that_says_where_and_what_to_do(
    tmp_path: Path, content: str, encoding: str, asked: str, problem: str
) -> None:
    path = written(tmp_path / "songs.csv", content, encoding)
    with pytest.raises(CorpusError, match=f"songs.csv: .*{problem}"):
        read(path, CorpusConfig(encoding=asked))
    if encoding != "latin-1":
        assert read(path, CorpusConfig(encoding=encoding))


def test_only_the_rows_of_another_encoding_are_skipped(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", "text\nla\ncafé\nlo\n", "cp1252")
    assert read_good(path) == (["la", "lo"], 1)


def test_half_a_character_of_utf_16_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_bytes("text\nné\n".encode("utf-16")[:-1])
    with pytest.raises(CorpusError, match="holds bytes that are not utf-16"):
        read(path, CorpusConfig(encoding="utf-16"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_one_that_finds_the_column(tmp_path: Path, delimiter: str) -> None:
    text = "la; la, la\tla\n" * 131_072  # a long one
    rows = [["artist", "a;b,c\td", "text"], ["A", "x", text]]
    assert read(written(tmp_path / "songs.csv", table(rows, delimiter))) == [text]


@pytest.mark.parametrize(
    ("content", "config", "songs", "not_read"),
    [
        ("\n\n,STYLE, Text ,Song,\n0,x,la,y,\n\n1,NaN,lo,None,\n", PLAIN, [("la", "y", "x"), ("lo",)], ""),
        ("Genre,Lyrics,text\nx,la,y\n", OTHER_COLUMNS, [("la", "", "x")], "text"),
        ("song,text\n1,2\n", PLAIN, [("2", "1")], ""),
        ("Title,text\n1,2\n", PLAIN, [("2", "1")], ""),
        ("title,text,song,genre\n1,2,3,4\n", PLAIN, [("2", "3")], "title, genre"),
        ("title,text,song,title\n1,2,3,4\n", PLAIN, [("2", "3")], "title, title"),
        ("a,text,b,c,d,e,f,g\n1,2,3,4,5,6,7,8\n", PLAIN, [("2",)], "a, b, c, d, e and 2 more"),
        ("song,title\n1,2\n", CorpusConfig(text_column="song"), [("1", "2")], ""),
        ("song,title\n1,2\n", CorpusConfig(text_column="title"), [("2", "1")], ""),
    ],
)
def test_columns_are_found_by_name_and_others_are_reported(
    tmp_path: Path, content: str, config: CorpusConfig, songs: list[tuple[str, ...]], not_read: str
) -> None:
    found = open_songs(written(tmp_path / "songs.csv", content), config)
    assert list(found) == [RawSong(*song) for song in songs]
    assert found.not_read == not_read


@pytest.mark.parametrize("value", ["", "nan", "NaN", "null", "NULL", "None", "N/A", " nan "])
def test_values_that_say_nothing_are_empty(tmp_path: Path, value: str) -> None:
    assert read(written(tmp_path / "songs.csv", f'text,song\n"{value}",x\nNancy,x\n')) == ["", "Nancy"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,song,b\nA,B,C\n", "needs a column named text; found: a, song, b; .* --text-column"),
        ("a;b;c\n", ".*found: a, b, c"),
        ("\x1b[31mred,b\n", r".*found: \\x1b\[31mred, b"),
        ("title|text\na|b\n", r".*separated by commas, semicolons or tabs, not by \|"),
        ("text,Text \nA,B\n", "has 2 columns named text"),
        ("text\nLa la, la\n", r"row 1 \(line 2\) has 2 fields where the header has 1: .*--skip-bad-rows"),
        ("artist,text\nA,la la,\n", r"row 1 \(line 2\) has 3 fields where the header has 2"),
        ('artist,text\nA,"la\nla"\n\nB\n', r"row 2 \(line 5\) has 1 field where the header has 2"),
        ('text\n"cut off\ninside a quo', rf"row 1 \(line 2\) .* never ends: the file is cut off.*{OFFER}"),
        ('text\nla\n"first\nshe said "hey""', rf"row 2 \(line 3\) has .* closing quote in line 4.*{OFFER}"),
        ("text\nla\0la\n", rf"row 1 \(line 2\) (holds a NUL|cannot be read: line contains NUL).*{OFFER}"),
    ],
)
def test_an_unreadable_table_is_an_error_that_says_why(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(CorpusError, match=f"songs.csv: {problem}"):
        read(written(tmp_path / "songs.csv", content))


def test_a_style_column_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"needs a column named genre; found: artist, text; .* --style-column"
    ):
        read(written(tmp_path / "songs.csv", "artist,text\n"), CorpusConfig(style_column="genre"))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        *((name, r"must be a folder of \.txt files, or end in \.csv") for name in ("a.tar", "a.tar.gz", "a")),
        ("a.xlsx", "in your spreadsheet, save it as CSV UTF-8"),
        ("a.txt", "is a single text; pass the folder"),
        ("missing/a.csv", "no such file"),
        ("empty", r"is a folder without \.txt files"),
    ],
)
def test_another_kind_of_file_is_an_error(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "empty").mkdir()
    if "missing" not in name and name != "empty":
        written(tmp_path / name, CSV)
    with pytest.raises(CorpusError, match=problem):
        read(tmp_path / name)


def test_a_cut_off_file_can_be_read_up_to_there(tmp_path: Path) -> None:
    rows = [["artist", "text"], *(["A", f"{STANZAS} {n}"] for n in range(30))]
    path = written(tmp_path / "songs.csv", table(rows)[:-40])
    assert read_good(path) == ([f"{STANZAS} {n}" for n in range(29)], 1)


@pytest.mark.parametrize("columns", [1, 2, 4])
@pytest.mark.parametrize("bad", [0, 10, 29])
@pytest.mark.parametrize(
    "damage",
    [
        ("I love", 'I "love"'),  # quotes that are not doubled
        ('"Hey', '"Hey" you'),  # at the very beginning
        ('"\n', "\n"),  # a text that does not end
        ('"\n', '""\n'),
        ('"Hey', "Hey"),  # a text that does not begin
        ("So", '"So'),
    ],
)
def test_a_stray_quote_loses_only_the_rows_around_it(
    tmp_path: Path, columns: int, bad: int, damage: tuple[str, str]
) -> None:
    texts = [f"{STANZAS} {n}" for n in range(30)]
    rows = [table([[*"ABC"[: columns - 1], text]]) for text in texts]
    rows[bad] = rows[bad].replace(*damage)
    header = ",".join([*"abc"[: columns - 1], "text"])
    path = written(tmp_path / "songs.csv", header + "\n" + "".join(rows))
    with pytest.raises(CorpusError, match=rf"row {bad + 1} \(line \d+\) has .*--skip-bad-rows"):
        read(path)
    kept, bad_rows = read_good(path)
    assert set(kept) <= set(texts)  # no pieces, and nothing glued
    assert len(kept) >= 28
    assert 1 <= bad_rows <= 3


def test_a_text_that_nothing_opened_is_an_error_even_in_a_lone_column(tmp_path: Path) -> None:
    rows = ["text", '"one\ntwo"', '"three\nfour"', 'five\nsix"', '"seven\neight"', '"nine\nten"\n']
    path = written(tmp_path / "songs.csv", "\n".join(rows))
    with pytest.raises(CorpusError, match=r"row 4 \(line 7\) ends in a quote that nothing opened; --skip"):
        read(path)
    assert read_good(path) == (["one\ntwo", "three\nfour", "five", "seven\neight", "nine\nten"], 1)


def test_quotes_inside_unquoted_short_texts_are_fine(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", 'text\nshe said "la"\na 7" or a 12"\nthe 12"\n')
    assert read(path) == ['she said "la"', 'a 7" or a 12"', 'the 12"']


def test_a_stray_quote_among_short_texts_loses_one_row(tmp_path: Path) -> None:
    rows = [f"{n},la la {n}" for n in range(100)]
    rows[50] = '50,"la la'
    texts, bad_rows = read_good(written(tmp_path / "songs.csv", "id,text\n" + "\n".join(rows) + "\n"))
    assert (len(texts), bad_rows) == (99, 1)


def test_rows_with_too_many_or_few_fields_are_counted_one_by_one(tmp_path: Path) -> None:
    good = [table([["A", f"{STANZAS} {n}"]]) for n in range(9)]
    bad = ["lonely\n", 'A,B,"la\nla"\n', "another\n"]
    path = written(tmp_path / "songs.csv", "artist,text\n" + "".join(good[:5] + bad + good[5:]))
    assert read_good(path) == ([f"{STANZAS} {n}" for n in range(9)], 3)


@pytest.mark.parametrize(
    ("content", "limit", "problem"),
    [
        (b"a" * 2**24, 2e7, "the header cannot be read: a row of more than 1,000,000 characters"),
        (b"\n" * 2**17, 1e6, "the file is empty"),
        (b"text,b\n" + (b'"' + b"x" * 2**19 + b'",') * 30 + b"\n", 2e7, "a row of more than 1,000,000"),
    ],
    ids=["a line", "empty lines", "a row"],
)
def test_a_small_archive_of_much_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, limit: float, problem: str
) -> None:
    monkeypatch.setattr(reading, "_MAX_ROW_CHARACTERS", 10**6)
    path = tmp_path / "songs.csv.gz"
    path.write_bytes(gzip.compress(content, 1))
    tracemalloc.start()
    with pytest.raises(CorpusError, match=problem):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < limit
    tracemalloc.stop()


def test_a_piece_of_a_row_that_is_too_long_is_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MAX_ROW_CHARACTERS", 200)
    rows = 'text,b\nla,1\n"open\n' + "yyyy," + "z" * 500 + "\nlo,2\n"
    texts, bad_rows = read_good(written(tmp_path / "songs.csv", rows))
    assert not any("y" in text for text in texts)
    assert bad_rows >= 1


def test_a_folder_of_texts_is_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    written(tmp_path / "b" / "one.TXT", "b one", "utf-8-sig")
    written(tmp_path / "c.txt", "nan")
    written(tmp_path / "a.txt", "a")
    for other in (".hidden.txt", ".git/x.txt", "cover.jpg", "b/words.docx", "Thumbs.db"):
        written(tmp_path / other, "x")
    songs = open_songs(tmp_path, PLAIN)
    assert songs.not_read == "b/words.docx, cover.jpg"
    assert list(songs) == [RawSong("a"), RawSong("b one"), RawSong("")]
    assert songs.name == f"{tmp_path.name}/"


def test_a_text_of_another_encoding_is_an_error_that_names_its_file(tmp_path: Path) -> None:
    written(tmp_path / "a.txt", "la")
    written(tmp_path / "b.txt", "la\nné", "latin-1")
    problem = (
        r"b\.txt: line 2 holds the byte 0xE9, which is not UTF-8; .*cp1252; if only some files are so, save"
    )
    with pytest.raises(CorpusError, match=problem):
        read(tmp_path)
    assert read(tmp_path, CP1252) == ["la", "la\nné"]
    assert read_good(tmp_path) == (["la"], 1)
    written(tmp_path / "a.txt", "né")
    with pytest.raises(CorpusError, match=r"a\.txt: is UTF-8, not cp1252; save all files in one encoding"):
        read(tmp_path, CP1252)


def test_the_hash_is_of_the_files_bytes_and_of_a_folders_names_too(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", CSV)
    assert hash_files(path) == hashlib.sha256(CSV.encode()).hexdigest()
    written(tmp_path / "a.txt", "la")
    before = hash_files(tmp_path)
    written(tmp_path / "songs.csv", "x")
    assert hash_files(tmp_path) == before
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    assert hash_files(tmp_path) != before


@pytest.mark.skipif(os.name == "nt", reason="pipes and links are otherwise there")
@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.symlink_to(path.parent),
        lambda path: os.truncate(written(path, ""), 2**40),  # takes no room on the disk
    ],
    ids=["pipe", "device", "dangling link", "link to a folder", "huge"],
)
def test_a_text_that_is_no_ordinary_file_is_named_or_skipped_unread(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    written(tmp_path / "a.txt", "la")
    make(tmp_path / "b.txt")
    hash_files(tmp_path)
    with pytest.raises(CorpusError, match=r"b\.txt: (is |has more than 33,554,432 bytes; |cannot be read)"):
        read(tmp_path)
    assert read_good(tmp_path) == (["la"], 1)


@pytest.mark.skipif(os.name == "nt", reason="pipes are otherwise there")
def test_a_pipe_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "songs.csv")
    with pytest.raises(CorpusError, match="is no ordinary file"):
        read(tmp_path / "songs.csv")


@pytest.mark.parametrize("encoding", ["undefined", "\udcff", "a\0b", "rot13", ""])
def test_an_unknown_encoding_is_a_wrong_option(encoding: str) -> None:
    with pytest.raises(OptionError, match="encoding must be an encoding that Python knows"):
        CorpusConfig(encoding=encoding)


def test_the_rest_of_a_line_that_is_too_long_is_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_MAX_ROW_CHARACTERS", 200)
    path = written(tmp_path / "songs.csv", f"artist,text\na,one\nb,{'z' * 350}c,the rest\nd,two\n")
    assert read_good(path) == (["one", "two"], 1)
