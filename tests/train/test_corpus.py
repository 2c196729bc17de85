import csv
import dataclasses
import hashlib
import io
import json
import os
import tracemalloc
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lyricgen.errors import LyricgenError
from lyricgen.schema import SchemaError, from_json
from lyricgen.vocabulary import Vocabulary
from train.config import CorpusConfig
from train.corpus.cleaning import MAX_SONG_CHARACTERS, clean, clean_text, cut_text
from train.corpus.duplicates import near_duplicate_labels, versions_of
from train.corpus.encoded import EncodedSongs, save_songs
from train.corpus.facts import CorpusFacts, describe
from train.corpus.files import CorpusError
from train.corpus.load import Corpus, ParentModel, load_corpus, split_songs
from train.corpus.scratch import CorpusSong, Scratch, Songs, join_title

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
CONFIG = CorpusConfig(held_out_share=0.1)
FACTS = CorpusFacts("songs.csv", "00", "CC0", 2, 20, 1, 10)


def song(n: int) -> str:
    """Song n, unlike all others."""
    return " ".join(f"{word}{n}" for word in WORDS * 3)


def table(path: Path, header: str, rows: Sequence[Sequence[str]]) -> Path:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([header.split(","), *rows])
    path.write_bytes(file.getvalue().encode())
    return path


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Corpus]:
    """Write texts into a CSV and load it."""

    def of(texts: Sequence[str], config: CorpusConfig = CONFIG, parent: ParentModel | None = None) -> Corpus:
        path = table(tmp_path / "songs.csv", "text", [[text] for text in texts])
        return load_corpus(path, config, parent=parent)

    return of


Load = Callable[..., Corpus]


def texts_of(corpus: Corpus) -> list[str]:
    return sorted(song.text for part in (corpus.training, corpus.held_out) for song in part)


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


def test_the_small_corpus(small_corpus_path: Path) -> None:
    corpus = load_corpus(small_corpus_path, CONFIG, licence="CC0")
    assert (len(corpus.training), len(corpus.held_out)) == (11, 1)
    assert (corpus.facts.name, corpus.facts.licence) == ("small_songs.csv", "CC0")
    assert corpus.facts.sha256 == hashlib.sha256(small_corpus_path.read_bytes()).hexdigest()
    assert corpus.facts.training_characters == sum(len(song.text) for song in corpus.training)
    assert corpus.facts.held_out_characters == len(corpus.held_out[0].text)
    assert corpus.title_line
    assert corpus.facts.titled_songs == 12
    for text in texts_of(corpus):
        assert "  \n" not in text
        assert corpus.vocabulary.decode(corpus.vocabulary.encode(text)) == text


def test_only_the_text_is_required(tmp_path: Path) -> None:
    corpus = load_corpus(table(tmp_path / "a.csv", "artist,text", [["A", song(n)] for n in range(3)]), CONFIG)
    assert texts_of(corpus) == [song(n) for n in range(3)]
    assert not corpus.title_line
    assert (corpus.facts.styles, corpus.vocabulary.styles) == ({}, ())


def test_what_was_dropped_is_counted(load: Load) -> None:
    facts = load([song(1), song(1) + "  ", "", " ", "NaN", "\u200b" + song(2), song(1).upper()]).facts
    assert (facts.rows, facts.empty_texts, facts.repeated_texts) == (7, 3, 2)
    assert facts.invisible_characters == 1
    assert facts.training_songs == facts.held_out_songs == 1


def test_a_corpus_of_repeats_is_cut_down(load: Load) -> None:
    corpus = load([song(n % 21) for n in range(840)])
    assert (corpus.facts.rows, corpus.facts.repeated_texts) == (840, 819)
    assert texts_of(corpus) == sorted(song(n) for n in range(21))


def test_a_text_of_megabytes_is_cut_into_songs_between_stanzas(load: Load) -> None:
    stanzas = [f"Stanza {n} goes la la la\nand its second line, {n * n}" for n in range(40_000)]
    text = "\n\n".join(stanzas)
    assert len(text) > 1_900_000
    corpus = load([song(1), text], CorpusConfig(rare_character_share=0))
    found = texts_of(corpus)
    assert sorted("\n\n".join(found).split("\n\n")) == sorted([*stanzas, song(1)])
    assert max(map(len, found)) <= MAX_SONG_CHARACTERS
    assert corpus.facts.cut_texts == 1
    assert corpus.facts.repeated_texts == 0
    table = dict(describe(corpus.facts, corpus.vocabulary))
    assert table["cleaned"] == "1 text of more than 20,000 characters cut into songs"


@pytest.mark.parametrize(("gap", "kept"), [("\n", True), (" ", True), ("", False)])
def test_without_stanzas_a_long_text_is_cut_between_lines_or_words(gap: str, kept: bool) -> None:  # noqa: FBT001
    words = ["word"] * 20_000
    songs = cut_text(gap.join(words))
    assert gap.join(songs) == gap.join(words)
    assert all(len(piece) <= MAX_SONG_CHARACTERS for piece in songs)
    assert kept is all(piece.endswith("word") and len(piece) % 5 == 4 for piece in songs)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ([], "at least 2 different songs, found 0$"),
        (["", "la la"], "at least 2 different songs, found 1, besides 1 empty text$"),
        (["la la", "La la  ", "LA LA"], "found 1, besides 2 repeated texts$"),
        ([song(1), song(1) + " one"], "all songs are versions of each other"),
    ],
)
def test_too_few_songs_are_an_error(load: Load, texts: list[str], problem: str) -> None:
    with pytest.raises(CorpusError, match=f"songs.csv: .*{problem}"):
        load(texts)


def test_a_file_of_unreadable_rows_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "songs.csv").write_text("text\na,b\nc,d\n")
    with pytest.raises(CorpusError, match="found 0, besides 2 rows that cannot be read"):
        load_corpus(tmp_path / "songs.csv", CorpusConfig(skip_bad_rows=True))


def test_a_cut_off_file_is_trained_on_up_to_there(tmp_path: Path) -> None:
    path = table(tmp_path / "songs.csv", "artist,text", [["A", song(n) + "\nla"] for n in range(4)])
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(CorpusError, match=r"songs.csv: row 4 \(line 8\) has a quoted text that never ends"):
        load_corpus(path, CONFIG)
    corpus = load_corpus(path, CorpusConfig(skip_bad_rows=True))
    assert texts_of(corpus) == [song(n) + "\nla" for n in range(3)]
    assert (corpus.facts.rows, corpus.facts.bad_rows) == (3, 1)


def test_a_folder_of_texts_is_a_corpus(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"{n}.txt").write_text(song(n))
    corpus = load_corpus(tmp_path, CONFIG)
    assert texts_of(corpus) == [song(n) for n in range(3)]
    assert dict(describe(corpus.facts, corpus.vocabulary))["read"] == f"3 files of {tmp_path.name}/"


def test_rare_characters_leave_and_are_counted_and_named(load: Load) -> None:
    corpus = load(["aaaa§aaaa bbb b b b", "aaaa", "§", "aaa§a"], CorpusConfig(rare_character_share=0.12))
    assert texts_of(corpus) == ["aaaa", "aaaaaaaa bbb b b b"]
    facts = corpus.facts
    assert (facts.rare_characters, facts.rare_kinds, facts.coverage) == (3, "§", 1 - 3 / 29)
    assert (facts.empty_texts, facts.repeated_texts) == (1, 1)
    assert corpus.vocabulary.characters == (" ", "a", "b")


def test_a_character_that_cleaning_composes_is_in_the_vocabulary(load: Load) -> None:
    decomposed = "e§\u0301"  # without the sign, an é that no text had
    corpus = load([song(1), song(2) + decomposed + "\u0301" * 9], CorpusConfig(rare_character_share=0.01))
    for text in texts_of(corpus):
        corpus.vocabulary.encode(text)


def test_titles_stand_above_the_texts(tmp_path: Path) -> None:
    rows = [
        ["  Big \n Love\u200b ", song(1)],
        ["x" * 201, song(2)],
        ["nan", song(3)],
        ["Other name", song(1).title()],
    ]
    path = table(tmp_path / "songs.csv", "song,text", rows)
    corpus = load_corpus(path, CONFIG)
    assert texts_of(corpus) == sorted(["Big Love\n\n" + song(1), song(2), song(3)])
    assert (corpus.title_line, corpus.facts.titled_songs, corpus.facts.repeated_texts) == (True, 1, 1)
    plain = load_corpus(path, CorpusConfig(titles=False))
    assert texts_of(plain) == [song(1), song(2), song(3)]
    assert (plain.title_line, plain.facts.titled_songs) == (False, 0)


def test_frequent_styles_get_a_token_and_rare_ones_none(tmp_path: Path) -> None:
    styles = ["Folk"] * 6 + [" folk "] * 2 + ["hymn"] * 5 + ["opera"] * 4 + ["", "NaN"]
    rows = [[style, song(n)] for n, style in enumerate(styles)]
    corpus = load_corpus(table(tmp_path / "songs.csv", "style,text", rows), CONFIG)
    assert corpus.vocabulary.styles == ("folk", "hymn")
    assert corpus.facts.styles == {"folk": 8, "hymn": 5}
    assert corpus.facts.unstyled_songs == 6
    found = [song.style for part in (corpus.training, corpus.held_out) for song in part]
    assert {style: found.count(style) for style in set(found)} == {"folk": 8, "hymn": 5, "": 6}


def test_of_many_styles_the_most_frequent_stay(tmp_path: Path) -> None:
    rows = [[f"style{n:02}", song(100 * n + m)] for n in range(60) for m in range(5 + (n >= 10))]
    corpus = load_corpus(table(tmp_path / "songs.csv", "style,text", rows), CONFIG)
    assert corpus.vocabulary.styles == tuple(f"style{n}" for n in range(10, 60))
    assert corpus.facts.unstyled_songs == 50
    shown = dict(describe(corpus.facts, corpus.vocabulary))["styles"]
    assert shown.startswith("style10 6, style11 6")
    assert shown.endswith("38 more, without one 50")


ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 '\".\n"


def test_a_given_vocabulary_is_kept(tmp_path: Path) -> None:
    parent = ParentModel(Vocabulary.of(ALPHABET, ("folk", "hymn")), title_line=True)
    rows = [["it’s…", "folk", song(1) + " ’…’"], ["é", "opera", song(2) + " §§é\u0301"], ["x", "", "§"]]
    rows.append(["y", "", "é" + song(1) + " '...'"])
    path = table(tmp_path / "songs.csv", "song,style,text", rows)
    corpus = load_corpus(path, CONFIG, parent=parent)
    assert corpus.vocabulary is parent.vocabulary
    assert corpus.title_line
    assert texts_of(corpus) == ["it's...\n\n" + song(1) + " '...'", song(2)]
    facts = corpus.facts
    assert (facts.styles, facts.unstyled_songs) == ({"folk": 1}, 1)
    assert facts.folded_characters == 5
    assert facts.rare_kinds[0] == "§" or facts.rare_kinds[0] == "é"
    assert set(facts.rare_kinds) == {"§", "é", "\u0301"}
    assert facts.rare_characters == 7
    assert (facts.empty_texts, facts.repeated_texts) == (1, 1)
    assert 0.9 < facts.coverage < 1
    for text in texts_of(corpus):
        parent.vocabulary.encode(text)


def test_a_given_model_without_title_lines_gets_none(tmp_path: Path) -> None:
    path = table(tmp_path / "songs.csv", "song,text", [["x", song(1)], ["y", song(2)]])
    corpus = load_corpus(path, CONFIG, parent=ParentModel(Vocabulary.of(ALPHABET), title_line=False))
    assert texts_of(corpus) == [song(1), song(2)]
    assert not corpus.title_line


@pytest.mark.parametrize(
    "text",
    [
        "Μια φορά κι έναν καιρό\nήταν ένα τραγούδι",
        "床前明月光\n疑是地上霜\n舉頭望明月\n低頭思故鄉",
        "می\u200cخواهم بخوانم\nبرای تو",
        "क्\u200dष\nगीत",
        "👩\u200d🎤 sings 🎶\n😀😀",
        "เพลงของฉัน",
    ],
)
def test_every_script_survives(load: Load, text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    corpus = load([text, song(1)])
    assert text in texts_of(corpus)
    assert corpus.facts.invisible_characters == 0
    assert corpus.vocabulary.decode(corpus.vocabulary.encode(text)) == text


def test_versions_of_a_song_are_labelled_alike() -> None:
    version = song(1).replace("five1", "FIVE1!", 1) + " and so on"
    texts = [song(0), song(1), song(2), version, song(3), song(2) + " la"]
    assert near_duplicate_labels(texts, len(texts)).tolist() == [0, 1, 2, 1, 4, 2]


def test_versions_are_found_without_spaces_between_words() -> None:
    verses = [
        "春眠不覺曉處處聞啼鳥夜來風雨聲花落知多少",
        "春眠不覺曉,處處聞啼鳥。夜來風雨聲,花落知幾何?",
        "白日依山盡黃河入海流欲窮千里目更上一層樓",
        "古池や蛙飛びこむ水の音",
    ]
    assert near_duplicate_labels(verses, 4).tolist() == [0, 0, 2, 3]


def test_short_texts_are_compared_whole() -> None:
    texts = ["la la", "lo", "La, la!", "😀", "🎶", "!!!", "😀"]
    assert near_duplicate_labels(texts, 7).tolist() == [0, 1, 0, 3, 4, 5, 3]


def test_similarity_is_that_of_four_word_spans() -> None:
    """Pairs well above and well below the threshold, against the true Jaccard index."""
    words = [f"w{n}" for n in range(203)]  # 200 spans
    for shared, related in ((140, True), (60, False)):  # 140 / 260 = 0.54, 60 / 340 = 0.18
        others = [*words[: shared + 3], *(f"v{n}" for n in range(200 - shared))]
        labels = near_duplicate_labels([" ".join(words), " ".join(others)], 2)
        assert (labels[0] == labels[1]) == related


def test_a_crowd_of_versions_is_one_group() -> None:
    versions = [f"{song(1)} la{n}" for n in range(300)]
    labels = near_duplicate_labels([song(2), *versions, song(3)], 302)
    assert labels.tolist() == [0, *[1] * 300, 301]


def test_a_split_keeps_versions_on_one_side_and_loses_nothing() -> None:
    labels = np.arange(80) // 2
    training, held_out = split_songs(labels, 0.2, seed=3)
    assert sorted([*training, *held_out]) == list(range(80))
    assert len(held_out) == 16
    assert not set(labels[training]) & set(labels[held_out])


def test_a_split_holds_out_the_smallest_group_if_all_are_too_big() -> None:
    labels = np.array([0, 0, 0, 1, 1, 0])
    assert [part.tolist() for part in split_songs(labels, 0.02, 0)] == [[0, 1, 2, 5], [3, 4]]


def test_versions_are_on_one_side_of_a_corpus_and_counted(load: Load) -> None:
    corpus = load([text for n in range(40) for text in (song(n), song(n) + " one")])
    held_out = {song.text.removesuffix(" one") for song in corpus.held_out}
    assert len(held_out) == 4
    assert not held_out & {song.text.removesuffix(" one") for song in corpus.training}
    assert corpus.facts.near_duplicates == 40


def test_a_split_depends_on_its_seed_alone(load: Load, tmp_path: Path) -> None:
    load([song(n) for n in range(40)])
    path = tmp_path / "songs.csv"
    once, again, other = (load_corpus(path, CONFIG, seed=seed) for seed in (1, 1, 2))
    assert list(once.training) == list(again.training)
    assert list(once.held_out) == list(again.held_out) != list(other.held_out)
    assert (once.facts, once.vocabulary) == (again.facts, again.vocabulary)


def test_songs_are_read_again_and_again() -> None:
    songs = Songs.of([CorpusSong("né", "folk"), CorpusSong("la"), CorpusSong("lo", "folk")])
    assert list(songs) == list(songs) == [("né", "folk"), ("la", ""), ("lo", "folk")]
    assert (len(songs), songs.characters) == (3, 6)
    assert songs[-1] == songs[2] == CorpusSong("lo", "folk")
    for one, other in zip(songs, reversed(songs), strict=True):
        assert one in songs
        assert other in songs
    with pytest.raises(IndexError):
        songs[3]
    assert list(Songs.of([])) == []


def test_a_corpus_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.corpus.scratch._SCRATCH_IN_MEMORY_BYTES", 1000)
    monkeypatch.setattr("train.corpus.cleaning._CHUNK_CHARACTERS", 100_000)
    rows = [[f"{song(n)}\n" * 20] for n in range(1000)]
    path = table(tmp_path / "songs.csv", "text", rows)
    size = path.stat().st_size
    assert size > 3e6
    load_corpus(path, CONFIG)  # what is set up once
    tracemalloc.start()
    corpus = load_corpus(path, CONFIG, scratch_folder=tmp_path)
    peak = tracemalloc.get_traced_memory()[1] - 3 * 8 * 0x110000  # tables with one entry per code point
    tracemalloc.stop()
    assert peak < size / 2
    assert corpus.facts.training_characters > size / 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["songs.csv"]


def test_a_scratch_folder_that_is_missing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.corpus.scratch._SCRATCH_IN_MEMORY_BYTES", 10)
    path = table(tmp_path / "songs.csv", "text", [[song(1)], [song(2)]])
    with pytest.raises(LyricgenError, match="nowhere: cannot be written"):
        load_corpus(path, CONFIG, scratch_folder=tmp_path / "nowhere")


def test_facts_survive_json(small_corpus_path: Path) -> None:
    for facts in (FACTS, load_corpus(small_corpus_path, CONFIG).facts):
        assert from_json(CorpusFacts, json.loads(json.dumps(dataclasses.asdict(facts)))) == facts


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": "1"},
        {"rows": True},
        {"name": 1},
        {"rare_kinds": None},
        {"coverage": "1"},
        {"styles": ["folk"]},
        {"styles": {"folk": "1"}},
    ],
)
def test_facts_of_a_wrong_type_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SchemaError, match=f"corpus.{next(iter(wrong))}.*: expected"):
        from_json(CorpusFacts, {**dataclasses.asdict(FACTS), **wrong}, "corpus")


def test_a_description_reads_well() -> None:
    facts = CorpusFacts(
        "songs.csv.xz",
        "00",
        "CC0",
        29_002,
        34_000_000,
        592,
        700_000,
        rows=29_626,
        bad_rows=2,
        not_read="artist, li\x1bnk",
        empty_texts=1,
        repeated_texts=31,
        near_duplicates=24,
        known_to_base=3000,
        held_out_by_base=12,
        invisible_characters=120,
        folded_characters=1,
        rare_characters=4,
        rare_kinds="*é\x1b\u202e",
        coverage=0.99999998,
        titled_songs=29_594,
        styles={"folk": 3705, "poem": 14_683},
        unstyled_songs=11_206,
    )
    cleaning = (
        "120 invisible characters removed, 1 typographic character made plain, "
        r"4 rare or unknown characters removed (* é \x1b \u202e)"
    )
    assert describe(facts, Vocabulary.of("abc", ("folk", "poem"))) == [
        ("read", "29,626 rows of songs.csv.xz"),
        ("not read", r"columns artist, li\x1bnk"),
        ("dropped", "1 empty text, 31 repeated texts, 2 rows that cannot be read"),
        ("kept", "29,594 songs, 29,594 with a title, 34.7 M characters"),
        ("versions", "24 songs are versions of another one"),
        ("base model", "trained on 3,000 of these songs, 12 held out then and now"),
        ("cleaned", cleaning),
        ("vocabulary", "3 characters, 99.9999 % of the text"),
        ("styles", "poem 14,683, folk 3,705, without one 11,206"),
        ("split", "29,002 songs to train on, 592 held out"),
    ]


def test_a_description_leaves_out_what_there_is_not() -> None:
    assert describe(FACTS, Vocabulary.of("abc")) == [
        ("kept", "3 songs, 30 characters"),
        ("vocabulary", "3 characters, 100 % of the text"),
        ("split", "2 songs to train on, 1 held out: too few to judge a model by"),
    ]


def test_a_description_is_safe_to_print(tmp_path: Path) -> None:
    rows = [[f"sty\x1b[31mle\u202e\u200d{n % 2}", f"\x1b]0;{song(n)}\x9b\u202e\u200d"] for n in range(12)]
    path = table(tmp_path / "s\x1b[31m.csv", "style,text", rows)
    corpus = load_corpus(path, CorpusConfig(rare_character_share=0.01))
    shown = describe(corpus.facts, corpus.vocabulary)
    assert all(text.isprintable() for row in shown for text in row)
    assert dict(shown)["read"] == r"12 rows of s\x1b[31m.csv"
    assert r"sty[31mle\u200d0 6" in dict(shown)["styles"]
    assert r"\u200d" in dict(shown)["cleaned"]
    assert "\u202e" not in corpus.vocabulary.characters + tuple("".join(corpus.vocabulary.styles))


def test_a_style_too_long_for_the_vocabulary_is_none(tmp_path: Path) -> None:
    rows = [["ẞ" * 60 if n % 2 else "folk", song(n)] for n in range(20)]  # 120 characters in lower case
    corpus = load_corpus(table(tmp_path / "songs.csv", "style,text", rows), CONFIG)
    assert corpus.facts.styles == {"folk": 10}
    assert corpus.facts.unstyled_songs == 10


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_file_name_that_is_no_text_can_be_stored(tmp_path: Path) -> None:
    path = table(tmp_path / os.fsdecode(b"caf\xe9.csv"), "text", [[song(1)], [song(2)]])
    facts = load_corpus(path, CONFIG, licence="\udce9").facts
    assert (facts.name, facts.licence) == ("caf\\udce9.csv", "\\udce9")


def test_what_the_base_model_was_trained_on_is_never_held_out(tmp_path: Path, load: Load) -> None:
    first = load([song(n) for n in range(40)], CONFIG)
    save_songs(tmp_path, "training", first.training, first.vocabulary)
    known = EncodedSongs.open(tmp_path, "training", first.vocabulary)
    for seed, more in ((0, 0), (1, 0), (2, 20)):
        path = table(tmp_path / "more.csv", "text", [[song(n) + " one"] for n in range(40 + more)])
        parent = ParentModel(first.vocabulary, title_line=False, training=known)
        second = load_corpus(path, replace(CONFIG, held_out_share=0.2), seed=seed, parent=parent)
        held_out = {song.text.removesuffix(" one") for song in second.held_out}
        assert len(held_out) == (1 if not more else 5)  # a fifth of the new ones
        assert not held_out & {song.text for song in first.training}
        assert (second.facts.known_to_base, second.facts.base_was_compared) == (36, True)


def test_songs_that_a_base_model_knows_all_leave_none_to_validate_on(tmp_path: Path, load: Load) -> None:
    first = load([song(n) for n in range(40)], CONFIG)
    save_songs(tmp_path, "training", first.training, first.vocabulary)
    known = EncodedSongs.open(tmp_path, "training", first.vocabulary)
    parent = ParentModel(first.vocabulary, title_line=False, training=known)
    with pytest.raises(CorpusError, match="or of those that the model was trained on: none would be left"):
        load([song.text for song in first.training], CONFIG, parent)


def test_versions_are_found_under_whatever_titles(tmp_path: Path) -> None:
    words = Vocabulary.of("abcdefghijklmnopqrstuvwxyz0123456789 \n")
    body, titles = " ".join(WORDS), [" ".join(f"{w}{n}" for w in WORDS[:9]) for n in (1, 2)]
    songs = [
        CorpusSong(join_title(titles[0], body)),
        CorpusSong(join_title(titles[1], body)),
        CorpusSong(song(3)),
    ]
    save_songs(tmp_path, "training", songs[:1], words)
    bodies = EncodedSongs.open(tmp_path, "training", words).bodies(words, titles=True)
    scratch = Scratch(None)
    scratch.append(titles[1], body, 0)
    scratch.append("", song(3), 0)
    others = Songs(scratch, np.arange(2))
    assert versions_of(bodies, 1, others.bodies(), 2).tolist() == [True, False]


@pytest.mark.parametrize(
    "character", "\u00ad\u061c\u180e\u2061\u2064\u206a\u206f\ufff9\ufffb\U000e0041\U000e007f"
)
def test_characters_that_nobody_sees_are_removed(character: str) -> None:
    assert clean(f"la{character} la") == ("la la", 1)


def test_joiners_that_scripts_and_emoji_need_are_kept() -> None:
    assert clean("👩\u200d🚀 ❤\ufe0f नि\u200cक") == ("👩\u200d🚀 ❤\ufe0f नि\u200cक", 0)


def test_styles_of_too_few_songs_are_told(tmp_path: Path) -> None:
    rows = [[song(n), f"style {n}"] for n in range(12)]
    corpus = load_corpus(table(tmp_path / "songs.csv", "text,style", rows), CONFIG)
    assert corpus.facts.rare_styles == 12
    told = dict(describe(corpus.facts, corpus.vocabulary))["styles"]
    assert told == "none: 12 names, each with too few songs to learn a style from"


def test_what_the_base_model_held_out_is_held_out_again(tmp_path: Path, load: Load) -> None:
    first = load([song(n) for n in range(40)], replace(CONFIG, held_out_share=0.2))
    for part, songs in (("training", first.training), ("held_out", first.held_out)):
        save_songs(tmp_path, part, songs, first.vocabulary)
    known, kept_back = (EncodedSongs.open(tmp_path, p, first.vocabulary) for p in ("training", "held_out"))
    parent = ParentModel(first.vocabulary, title_line=False, training=known, held_out=kept_back)
    path = table(tmp_path / "more.csv", "text", [[song(n) + " one"] for n in range(80)])
    for seed in (1, 2):
        second = load_corpus(path, replace(CONFIG, held_out_share=0.1), seed=seed, parent=parent)
        held_out = {song.text.removesuffix(" one") for song in second.held_out}
        assert held_out >= {song.text for song in first.held_out}
        assert not held_out & {song.text for song in first.training}
        assert len(held_out) == len(first.held_out) + 4  # and a tenth of the new ones
        assert (second.facts.known_to_base, second.facts.held_out_by_base) == (
            len(first.training),
            len(first.held_out),
        )


def test_a_version_of_a_known_and_of_a_held_out_song_tears_nothing_from_its_side() -> None:
    labels, known = np.array([0, 0, 0, 3, 4]), np.array([True, False, False, False, False])
    before = np.array([False, True, False, False, False])
    training, held_out = split_songs(labels, 0.5, 0, known, before)
    assert held_out[0] == 1
    assert {0, 2} <= set(training.tolist())
