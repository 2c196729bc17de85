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
from train.corpus.reading import CorpusError, RawSong, hash_files, open_songs

CSV = 'artist,song,link,text\nA,"One, two",/a,"Hey  \n  \nyou  \n\n"\nB,NA,/b,la la\n'
STANZAS = "Hey, hey, hey, hey\nI love you\n\nSo, you know\nshe said"
SKIP = CorpusConfig(skip_bad_rows=True)


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def read(path: Path, config: CorpusConfig = CorpusConfig()) -> list[str]:  # noqa: B008
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


def zipped(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__dot__", ".").replace("__in__", "/"), content)
    return path


def test_songs_are_read_as_they_stand(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", CSV)
    assert list(open_songs(path, CorpusConfig())) == [
        RawSong("Hey  \n  \nyou  \n\n", "One, two"),
        RawSong("la la", "NA"),
    ]


def test_a_byte_order_mark_and_crlf_do_no_harm(tmp_path: Path) -> None:
    assert read(written(tmp_path / "songs.csv", 'text\r\n"a\r\nb"\r\n', "utf-8-sig")) == ["a\r\nb"]


@pytest.mark.parametrize("name", ["songs.csv.gz", "songs.gz", "songs.csv.xz", "songs.xz", "SONGS.CSV.GZ"])
def test_compressed_files_are_read(tmp_path: Path, name: str) -> None:
    compress = lzma.compress if "xz" in name else gzip.compress
    (tmp_path / name).write_bytes(compress(CSV.encode()))
    assert len(read(tmp_path / name)) == 2


@pytest.mark.parametrize("name", ["songs.csv.zip", "archive.zip"])
def test_a_zip_from_a_mac_is_read(tmp_path: Path, name: str) -> None:
    members = {"data__in__songs.csv": CSV, "__MACOSX__in__data__in__._songs.csv": "x", "__dot__DS_Store": "x"}
    assert len(read(zipped(tmp_path / name, **members))) == 2


def test_a_zip_of_two_tables_is_an_error_that_names_them(tmp_path: Path) -> None:
    path = zipped(tmp_path / "songs.zip", **{"a.csv": CSV, "b.csv": CSV})
    with pytest.raises(CorpusError, match=r"songs.zip: holds 2 CSV files \(a.csv, b.csv\)"):
        read(path)


def test_a_zip_without_a_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"holds no CSV file \(a.txt\)"):
        read(zipped(tmp_path / "songs.zip", **{"a.txt": "la"}))


def test_an_encrypted_zip_is_an_error(tmp_path: Path) -> None:
    path = zipped(tmp_path / "songs.csv.zip", **{"songs.csv": CSV})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag of the file and of its entry in the directory
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(CorpusError, match="is encrypted"):
        read(path)


@pytest.mark.parametrize("name", ["songs.csv.gz", "songs.csv.xz", "songs.csv.zip"])
def test_what_is_not_an_archive_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not an archive")
    for config in (CorpusConfig(), SKIP):
        with pytest.raises(CorpusError, match=f"{name}: damaged, or "):
            read(tmp_path / name, config)


def incompressible_rows(count: int) -> list[str]:
    return [hashlib.sha512(b"%d" % n).hexdigest() for n in range(count)]


@pytest.mark.parametrize("name", ["songs.csv.gz", "songs.csv.xz"])
def test_a_cut_off_archive_is_an_error_or_loses_its_end(tmp_path: Path, name: str) -> None:
    texts = incompressible_rows(2000)
    compress = gzip.compress if name.endswith("gz") else lzma.compress
    compressed = compress(table([["text"], *([text] for text in texts)]).encode())
    (tmp_path / name).write_bytes(compressed[: len(compressed) // 2])
    with pytest.raises(CorpusError, match=r"cut off after row \d+; .*--skip-bad-rows goes on without them"):
        read(tmp_path / name)
    kept, bad_rows = read_good(tmp_path / name)
    assert 500 < len(kept) < 2000
    assert kept == texts[: len(kept)]
    assert bad_rows == 1


@pytest.mark.parametrize("name", ["songs.csv.gz", "songs.csv.xz", "songs.csv.zip"])
def test_a_damaged_archive_is_an_error_as_its_rows_may_all_be_wrong(tmp_path: Path, name: str) -> None:
    content = table([["text"], *([text] for text in incompressible_rows(2000))]).encode()
    path = zipped(tmp_path / name, **{"songs.csv": content.decode()})
    if not name.endswith("zip"):
        path.write_bytes((gzip.compress if name.endswith("gz") else lzma.compress)(content))
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)
    for config in (CorpusConfig(), SKIP):
        with pytest.raises(CorpusError, match=r"damaged at row \d+ or before: .*; get it again$"):
            read(path, config)


def test_bytes_of_another_encoding_are_an_error_that_says_where(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", "text\n" + "la\n" * 11 + "café\n", "latin-1")
    with pytest.raises(CorpusError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: row 12 (line 13) holds the byte 0xE9, which is not UTF-8; "
        "if an older program wrote the file, try --encoding cp1252"
    )
    assert read(path, CorpusConfig(encoding="cp1252"))[-1] == "café"
    assert read_good(path) == (["la"] * 11, 1)


def test_a_byte_that_the_encoding_asked_for_lacks_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", "text\nl\x81\n", "latin-1")
    with pytest.raises(
        CorpusError, match=r"row 1 \(line 2\) holds the byte 0x81, which is not cp1252; leave out"
    ):
        read(path, CorpusConfig(encoding="cp1252"))


def test_a_header_of_another_encoding_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", "intérprete,text\nA,la\n", "latin-1")
    with pytest.raises(CorpusError, match="the header holds the byte 0xE9"):
        read(path)


def test_utf_16_is_read_when_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", "text\nné\n", "utf-16")
    with pytest.raises(CorpusError, match="is UTF-16, not UTF-8; try --encoding utf-16"):
        read(path)
    assert read(path, CorpusConfig(encoding="utf-16")) == ["né"]
    without_mark = written(tmp_path / "bare.csv", "text\nné\n", "utf-16-le")
    with pytest.raises(CorpusError, match="if it is UTF-16, try --encoding utf-16-le"):
        read(without_mark)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorpusError, match="holds bytes that are not utf-16"):
        read(path, CorpusConfig(encoding="utf-16"))


def test_a_mark_of_utf_8_contradicts_another_encoding(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", "text\nné\n", "utf-8-sig")
    with pytest.raises(CorpusError, match="begins with the mark of UTF-8, not cp1252"):
        read(path, CorpusConfig(encoding="cp1252"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_one_that_finds_the_column(tmp_path: Path, delimiter: str) -> None:
    rows = [["artist", "a;b,c\td", "text"], ["A", "x", "la; la, la\nla"]]
    assert read(written(tmp_path / "songs.csv", table(rows, delimiter))) == ["la; la, la\nla"]


def test_columns_are_found_whatever_their_case_order_and_company(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", "\n\n,STYLE, Text ,Song,,\n0,Folk,la,One,,\n\n1,NaN,lo,None,,\n")
    assert list(open_songs(path, CorpusConfig())) == [RawSong("la", "One", "Folk"), RawSong("lo")]


def test_other_columns_can_be_named(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", "Genre,Lyrics,text\nFolk,la,x\n")
    config = CorpusConfig(text_column="lyrics", style_column="genre")
    assert list(open_songs(path, config)) == [RawSong("la", "", "Folk")]


@pytest.mark.parametrize("value", ["", "nan", "NaN", "null", "NULL", "None", "N/A", " nan "])
def test_values_that_say_nothing_are_empty(tmp_path: Path, value: str) -> None:
    assert read(written(tmp_path / "songs.csv", f'text,song\n"{value}",x\nNancy,x\n')) == ["", "Nancy"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        (
            "artist,song,lyrics\nA,B,C\n",
            "needs a column named text; found: artist, song, lyrics; name the texts' column with --",
        ),
        ("a;b;c\n", ".*found: a, b, c"),
        ("\x1b[31mred,b\n", r".*found: \\x1b\[31mred, b"),
        ("text,Text \nA,B\n", "has 2 columns named text"),
        (
            "text\nLa la, la\nOh, hey\n",
            r"row 1 \(line 2\) has 2 fields where the header has 1: .*--skip-bad-rows",
        ),
        ("artist,text\nA,la la,\n", r"row 1 \(line 2\) has 3 fields where the header has 2"),
        ('artist,text\nA,"la\nla"\n\nB\n', r"row 2 \(line 5\) has 1 field where the header has 2"),
        (
            'artist,text\nA,la\nB,"cut off\ninside a quo',
            r"row 2 \(line 3\) has a quoted text that never ends: the file is cut off.*--skip-bad-rows",
        ),
        (
            'artist,text\nA,la\nB,"first\nshe said "hello" to me"\n',
            r"row 2 \(line 3\) has something after a closing quote in line 4.*--skip-bad-rows",
        ),
        (
            "text\nla\0la\n",
            r"row 1 \(line 2\) (holds a NUL|cannot be read: line contains NUL).*--skip-bad-rows",
        ),
    ],
)
def test_an_unreadable_table_is_an_error_that_says_why(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(CorpusError, match=f"songs.csv: {problem}"):
        read(written(tmp_path / "songs.csv", content))


def test_a_text_that_is_no_song_takes_no_memory(tmp_path: Path) -> None:
    with (tmp_path / "endless.txt").open("wb") as file:
        file.truncate(2**40)  # takes no room on the disk either
    with pytest.raises(CorpusError, match=r"endless\.txt: has more than 33,554,432 bytes; .* one song"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("header", "titles", "others"),
    [
        ("song,text", ["one"], ""),
        ("Title,text", ["one"], ""),
        ("title,text,song,genre", ["three"], "title, genre"),
        ("title,text,song,title", ["three"], "title, title"),
        ("a,text,b,c,d,e,f,g", [""], "a, b, c, d, e and 2 more"),
    ],
)
def test_titles_have_either_name_and_other_columns_are_told(
    tmp_path: Path, header: str, titles: list[str], others: str
) -> None:
    row = ",".join(["one", "two", "three", *"45678"][: header.count(",") + 1])
    songs = open_songs(written(tmp_path / "songs.csv", f"{header}\n{row}\n"), CorpusConfig())
    assert [song.title for song in songs] == titles
    assert songs.not_read == others


def test_a_title_column_may_hold_the_texts(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.csv", "song,title\none,two\n")
    for column, other in (("song", "two"), ("title", "one")):
        (song,) = open_songs(path, CorpusConfig(text_column=column))
        assert song.title == other


def test_a_style_column_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"has no column 'genre'; found: artist, text; .* --style-column"):
        read(written(tmp_path / "songs.csv", "artist,text\n"), CorpusConfig(style_column="genre"))


@pytest.mark.parametrize("name", ["songs.tar", "songs.tar.gz", "songs"])
def test_another_kind_of_file_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorpusError, match=r"must be a folder of \.txt files, or end in \.csv, \.gz"):
        read(written(tmp_path / name, CSV))
    with pytest.raises(CorpusError, match="no such file"):
        read(tmp_path / "missing.csv")


def test_a_cut_off_file_can_be_read_up_to_there(tmp_path: Path) -> None:
    rows = [["artist", "text"], *(["A", f"{STANZAS} {n}"] for n in range(30))]
    path = written(tmp_path / "songs.csv", table(rows)[:-40])
    assert read_good(path) == ([f"{STANZAS} {n}" for n in range(29)], 1)


@pytest.mark.parametrize("columns", [1, 2, 4])
@pytest.mark.parametrize("bad", [0, 10, 29])
@pytest.mark.parametrize(
    "damage",
    [
        lambda row: row.replace("I love", 'I "love"'),  # quotes that are not doubled
        lambda row: row.replace('"Hey', '"Hey" you'),  # at the very beginning
        lambda row: row.replace('"\n', "\n"),  # a text that does not end
        lambda row: row.replace('"\n', '""\n'),
        lambda row: row.replace('"Hey', "Hey"),  # a text that does not begin
        lambda row: row.replace("So", '"So'),
    ],
)
def test_a_stray_quote_loses_only_the_rows_around_it(
    tmp_path: Path,
    columns: int,
    bad: int,
    damage,  # noqa: ANN001
) -> None:
    texts = [f"{STANZAS} {n}" for n in range(30)]
    rows = [table([[*"ABC"[: columns - 1], text]]) for text in texts]
    rows[bad] = damage(rows[bad])
    header = ",".join([*"abc"[: columns - 1], "text"])
    path = written(tmp_path / "songs.csv", header + "\n" + "".join(rows))
    with pytest.raises(CorpusError, match=rf"row {bad + 1} \(line \d+\) has .*--skip-bad-rows"):
        read(path)
    kept, bad_rows = read_good(path)
    assert set(kept) <= set(texts)  # no pieces, and nothing glued
    assert len(kept) >= 28
    assert 1 <= bad_rows <= 4


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
    path = written(tmp_path / "songs.csv", "id,text\n" + "\n".join(rows) + "\n")
    texts, bad_rows = read_good(path)
    assert (len(texts), bad_rows) == (99, 1)


def test_rows_with_too_many_or_few_fields_are_counted_one_by_one(tmp_path: Path) -> None:
    good = [table([["A", f"{STANZAS} {n}"]]) for n in range(9)]
    bad = ["lonely\n", 'A,B,"la\nla"\n', "another\n"]
    path = written(tmp_path / "songs.csv", "artist,text\n" + "".join(good[:5] + bad + good[5:]))
    assert read_good(path) == ([f"{STANZAS} {n}" for n in range(9)], 3)


def test_a_long_song_is_read(tmp_path: Path) -> None:
    text = "La la la, la la\n" * 131_072
    assert read(written(tmp_path / "songs.csv", table([["text"], [text]]))) == [text]


def test_a_folder_of_texts_is_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    written(tmp_path / "b" / "one.TXT", "b one", "utf-8-sig")
    written(tmp_path / "c.txt", "nan")
    written(tmp_path / "a.txt", "a")
    for other in (".hidden.txt", ".git/x.txt", "cover.jpg", "b/words.docx"):
        written(tmp_path / other, "x")
    songs = open_songs(tmp_path, CorpusConfig())
    assert songs.not_read == "b/words.docx, cover.jpg"
    assert list(songs) == [RawSong("a"), RawSong("b one"), RawSong("")]
    assert songs.name == f"{tmp_path.name}/"


def test_a_text_of_another_encoding_is_an_error_that_names_its_file(tmp_path: Path) -> None:
    written(tmp_path / "a.txt", "la")
    written(tmp_path / "b.txt", "la\nné", "latin-1")
    with pytest.raises(CorpusError, match=r"b.txt: line 2 holds the byte 0xE9, which is not UTF-8; .*cp1252"):
        read(tmp_path)
    assert read(tmp_path, CorpusConfig(encoding="cp1252")) == ["la", "la\nné"]
    assert read_good(tmp_path) == (["la"], 1)


def test_a_folder_without_texts_and_a_lone_text_are_errors(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"is a folder without \.txt files"):
        read(tmp_path)
    with pytest.raises(CorpusError, match="is a single text; pass the folder"):
        read(written(tmp_path / "a.txt", "la"))


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
@pytest.mark.parametrize("kind", ["pipe", "device", "dangling link", "link to a folder", "huge"])
def test_what_is_no_ordinary_text_is_named_or_skipped_unread(tmp_path: Path, kind: str) -> None:
    written(tmp_path / "a.txt", "la")
    path = tmp_path / "b.txt"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    elif kind == "link to a folder":
        path.symlink_to(tmp_path)
    else:
        with path.open("wb") as file:
            file.truncate(2**40)
    hash_files(tmp_path)
    with pytest.raises(CorpusError, match=r"b\.txt: (is |has more than |cannot be read)"):
        read(tmp_path)
    assert read_good(tmp_path) == (["la"], 1)


@pytest.mark.skipif(os.name == "nt", reason="pipes are otherwise there")
def test_a_pipe_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "songs.csv")
    with pytest.raises(CorpusError, match="is no ordinary file"):
        read(tmp_path / "songs.csv")


@pytest.mark.parametrize(
    ("make", "limit", "message"),
    [
        (lambda: b"a" * 2**24, 2e7, "the header cannot be read: a row of more than 1,000,000 characters"),
        (lambda: b"\n" * 2**17, 1e6, "the file is empty"),
        (
            lambda: b"text,b\n" + (b'"' + b"x" * 2**19 + b'",') * 30 + b"\n",
            2e7,
            "a row of more than 1,000,000",
        ),
    ],
    ids=["a line", "empty lines", "a row"],
)
def test_a_small_archive_of_much_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], bytes], limit: float, message: str
) -> None:
    monkeypatch.setattr(reading, "_MAX_ROW_CHARACTERS", 10**6)
    path = tmp_path / "songs.csv.gz"
    path.write_bytes(gzip.compress(make(), 1))
    tracemalloc.start()
    with pytest.raises(CorpusError, match=message):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < limit
    tracemalloc.stop()


def test_a_piece_of_a_row_that_is_too_long_is_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MAX_ROW_CHARACTERS", 200)
    rows = 'text,b\nla,1\n"open\n' + "yyyy," + "z" * 500 + "\nlo,2\n"
    texts, bad_rows = read_good(written(tmp_path / "songs.csv", rows))
    assert not any("y" in text for text in texts)
    assert bad_rows >= 1


@pytest.mark.parametrize("name", [b"\xff.csv", b"\0.csv"])
def test_a_zip_with_a_name_that_is_none_is_an_error(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / "songs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("é.csv"[-len(name) - 1 :], CSV)
    content = path.read_bytes()
    stored = "é.csv"[-len(name) - 1 :].encode()
    path.write_bytes(content.replace(stored, name.rjust(len(stored), b"\0")))
    with pytest.raises(CorpusError):
        read(path)


@pytest.mark.parametrize("encoding", ["undefined", "\udcff", "a\0b", "rot13", ""])
def test_an_encoding_that_is_none_is_a_wrong_option(encoding: str) -> None:
    with pytest.raises(OptionError, match="encoding must be an encoding that Python knows"):
        CorpusConfig(encoding=encoding)


def test_utf_8_is_not_taken_for_another_encoding(tmp_path: Path) -> None:
    written(tmp_path / "a.txt", "né")
    written(tmp_path / "b.txt", "né", "latin-1")
    with pytest.raises(
        CorpusError, match=r"b\.txt: .* try --encoding cp1252; if only some files are so, save"
    ):
        read(tmp_path)
    latin = CorpusConfig(encoding="cp1252")
    with pytest.raises(CorpusError, match=r"a\.txt: is UTF-8, not cp1252; save all files in one encoding"):
        read(tmp_path, latin)
    written(tmp_path / "a.txt", "plain")
    assert read(tmp_path, latin) == ["plain", "né"]


def test_a_table_from_elsewhere_is_explained(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"separated by commas, semicolons or tabs, not by \|"):
        read(written(tmp_path / "songs.csv", "title|text\na|b\n"))
    with pytest.raises(CorpusError, match="in your spreadsheet, save it as CSV UTF-8"):
        read(written(tmp_path / "songs.xlsx", "PK"))
