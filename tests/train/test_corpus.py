import csv
import hashlib
import os
import tracemalloc
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lyricgen.errors import LyricgenError
from lyricgen.model_file.contract import join_title, split_title
from lyricgen.vocabulary import Vocabulary
from train.config import CorpusConfig
from train.corpus.cleaning import MAX_SONG_CHARACTERS, clean, cut_text
from train.corpus.duplicates import near_duplicate_labels
from train.corpus.encoded import EncodedSongs, save_songs
from train.corpus.facts import CorpusFacts, describe
from train.corpus.files import CorpusError
from train.corpus.load import Corpus, ParentModel, load_corpus, split_songs
from train.corpus.scratch import CorpusSong, Songs

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
CONFIG = CorpusConfig(held_out_share=0.1)
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 '\".\n"


def song(n: int) -> str:
    """Song n, unlike all others."""
    return " ".join(f"{word}{n}" for word in WORDS * 3)


def write_table(path: Path, header: str, rows: Sequence[Sequence[str] | str]) -> Path:
    """Write a CSV; a row that is a string is its only value."""
    with path.open("w", encoding="utf-8", newline="") as file:
        values = ([row] if isinstance(row, str) else row for row in rows)
        csv.writer(file).writerows([header.split(","), *values])
    return path


Load = Callable[..., Corpus]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write rows into a CSV and load it."""

    def of(
        rows: Sequence[Sequence[str] | str],
        config: CorpusConfig = CONFIG,
        header: str = "text",
        **options: Any,  # noqa: ANN401
    ) -> Corpus:
        return load_corpus(write_table(tmp_path / "songs.csv", header, rows), config, **options)

    return of


def texts_of(*parts: Songs) -> list[str]:
    return sorted(song.text for part in parts for song in part)


def all_texts(corpus: Corpus) -> list[str]:
    return texts_of(corpus.training, corpus.held_out)


def shown(corpus: Corpus) -> dict[str, str]:
    return dict(describe(corpus.facts, corpus.vocabulary))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("e\u200b\u0301\u2028x", "é x"),
        ("a\x0cb\ud800", "a b"),
        ("Hey  \n  \nyou  \n\n", "Hey\n\nyou"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("\n \t\n", ""),
        ("a\u00a0b\tc", "a b c"),
        ("\ufeffa\u200bb\x00\x1b[31m", "ab[31m"),
        ("ダム\u3000😀", "ダム 😀"),
    ],
)
def test_cleaning(text: str, expected: str) -> None:
    assert clean(text)[0] == expected
    assert clean(expected) == (expected, 0)


@pytest.mark.parametrize(
    "character", "\u00ad\u061c\u180e\u2061\u2064\u206a\u206f\ufff9\ufffb\U000e0041\U000e007f"
)
def test_invisible_characters_are_removed_and_counted(character: str) -> None:
    assert clean(f"la{character} la") == ("la la", 1)


def test_every_script_survives_with_the_joiners_that_it_needs(load: Load) -> None:
    texts = ["Μια φορά κι έναν καιρό\nήταν ένα τραγούδι", "床前明月光\n疑是地上霜\n舉頭望明月", "เพลงของฉัน"]
    texts += ["می\u200cخواهم بخوانم\nبرای تو", "क्\u200dष\nगीत", "👩\u200d🎤 sings 🎶\n😀😀 ❤\ufe0f"]
    texts = [unicodedata.normalize("NFC", text) for text in texts]
    corpus = load(texts)
    assert all_texts(corpus) == sorted(texts)
    assert corpus.facts.invisible_characters == 0
    for text in texts:
        assert corpus.vocabulary.decode(corpus.vocabulary.encode(text)) == text


def test_the_small_corpus(small_corpus_path: Path) -> None:
    corpus = load_corpus(small_corpus_path, CONFIG, licence="CC0")
    assert (len(corpus.training), len(corpus.held_out)) == (11, 1)
    assert (corpus.facts.name, corpus.facts.licence) == ("small_songs.csv", "CC0")
    assert corpus.facts.sha256 == hashlib.sha256(small_corpus_path.read_bytes()).hexdigest()
    assert corpus.facts.training_characters == sum(len(song.text) for song in corpus.training)
    assert corpus.facts.held_out_characters == len(corpus.held_out[0].text)
    assert corpus.title_line
    assert corpus.facts.titled_songs == 12
    for text in all_texts(corpus):
        assert "  \n" not in text
        assert corpus.vocabulary.decode(corpus.vocabulary.encode(text)) == text


def test_what_was_dropped_is_counted(load: Load) -> None:
    rows = [song(1), song(1) + "  ", "", " ", "NaN", "\u200b" + song(2), song(1).upper(), ["la", "lo"]]
    corpus = load(rows, replace(CONFIG, skip_bad_rows=True))
    facts = corpus.facts
    assert (facts.rows, facts.bad_rows, facts.empty_texts, facts.repeated_texts) == (7, 1, 3, 2)
    assert facts.invisible_characters == 1
    assert (corpus.title_line, facts.styles, corpus.vocabulary.styles) == (False, {}, ())
    assert all_texts(corpus) == [song(1), song(2)]


def test_a_text_of_megabytes_is_cut_into_songs_between_stanzas(load: Load) -> None:
    stanzas = [f"Stanza {n} goes la la la\nand its second line, {n * n}" for n in range(40_000)]
    corpus = load([song(1), "\n\n".join(stanzas)], CorpusConfig(rare_character_share=0))
    found = all_texts(corpus)
    assert sorted("\n\n".join(found).split("\n\n")) == sorted([*stanzas, song(1)])
    assert max(map(len, found)) <= MAX_SONG_CHARACTERS
    assert (corpus.facts.cut_texts, corpus.facts.repeated_texts) == (1, 0)
    assert shown(corpus)["cleaned"] == "1 text of more than 20,000 characters cut into songs"


@pytest.mark.parametrize(("gap", "kept"), [("\n", True), (" ", True), ("", False)])
def test_without_stanzas_a_long_text_is_cut_between_lines_or_words(gap: str, kept: bool) -> None:  # noqa: FBT001
    words = ["word"] * 20_000
    songs = cut_text(gap.join(words))
    assert gap.join(songs) == gap.join(words)
    assert all(len(piece) <= MAX_SONG_CHARACTERS for piece in songs)
    assert kept is all(piece.endswith("word") and len(piece) % 5 == 4 for piece in songs)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([], "at least 2 different songs, found 0$"),
        (["", "la la"], "at least 2 different songs, found 1, besides 1 empty text$"),
        (["la la", "La la  ", "LA LA"], "found 1, besides 2 repeated texts$"),
        ([["a", "b"], ["c", "d"]], "found 0, besides 2 rows that cannot be read$"),
        ([song(1), song(1) + " one"], "all songs are versions of each other"),
    ],
)
def test_too_few_songs_are_an_error(load: Load, rows: list[str], problem: str) -> None:
    with pytest.raises(CorpusError, match=f"songs.csv: .*{problem}"):
        load(rows, CorpusConfig(skip_bad_rows=True))


def test_a_folder_of_texts_is_a_corpus(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"{n}.txt").write_text(song(n))
    corpus = load_corpus(tmp_path, CONFIG)
    assert all_texts(corpus) == [song(n) for n in range(3)]
    assert shown(corpus)["read"] == f"3 files of {tmp_path.name}/"


def test_rare_characters_leave_and_are_counted_and_named(load: Load) -> None:
    corpus = load(["aaaa§aaaa bbb b b b", "aaaa", "§", "aaa§a"], CorpusConfig(rare_character_share=0.12))
    assert all_texts(corpus) == ["aaaa", "aaaaaaaa bbb b b b"]
    facts = corpus.facts
    assert (facts.rare_characters, facts.rare_kinds, facts.coverage) == (3, "§", 1 - 3 / 29)
    assert (facts.empty_texts, facts.repeated_texts) == (1, 1)
    assert corpus.vocabulary.characters == (" ", "a", "b")


def test_a_character_that_cleaning_composes_is_in_the_vocabulary(load: Load) -> None:
    decomposed = "e§\u0301"  # without the sign, an é that no text had
    corpus = load([song(1), song(2) + decomposed + "\u0301" * 9], CorpusConfig(rare_character_share=0.01))
    for text in all_texts(corpus):
        corpus.vocabulary.encode(text)


def test_titles_stand_above_the_texts(load: Load) -> None:
    rows = [["  Big \n Love\u200b ", song(1)], ["x" * 201, song(2)], ["nan", song(3)]]
    rows.append(["Other name", song(1).title()])
    corpus = load(rows, header="song,text")
    assert all_texts(corpus) == sorted(["Big Love\n\n" + song(1), song(2), song(3)])
    assert (corpus.title_line, corpus.facts.titled_songs, corpus.facts.repeated_texts) == (True, 1, 1)
    plain = load(rows, CorpusConfig(titles=False), header="song,text")
    assert all_texts(plain) == [song(1), song(2), song(3)]
    assert (plain.title_line, plain.facts.titled_songs) == (False, 0)


def test_titles_are_split_off_as_they_are_joined() -> None:
    for title, body in (("Title", "a\n\nb"), ("", "a\nb\n\nc"), ("", "a")):
        assert split_title(join_title(title, body)) == (title, body)


def test_frequent_styles_get_a_token_and_rare_ones_none(load: Load) -> None:
    styles = ["Folk"] * 6 + [" folk "] * 2 + ["hymn"] * 5 + ["opera"] * 4 + ["", "NaN"]
    styles += ["ẞ" * 60] * 5  # 120 characters in lower case: too long for the vocabulary
    corpus = load([[style, song(n)] for n, style in enumerate(styles)], header="style,text")
    assert corpus.vocabulary.styles == ("folk", "hymn")
    assert (corpus.facts.styles, corpus.facts.unstyled_songs) == ({"folk": 8, "hymn": 5}, 11)
    found = Counter(song.style for part in (corpus.training, corpus.held_out) for song in part)
    assert found == {"folk": 8, "hymn": 5, "": 11}


def test_of_many_styles_the_most_frequent_stay(load: Load) -> None:
    rows = [[f"style{n:02}", song(100 * n + m)] for n in range(60) for m in range(5 + (n >= 10))]
    corpus = load(rows, header="style,text")
    assert corpus.vocabulary.styles == tuple(f"style{n}" for n in range(10, 60))
    assert corpus.facts.unstyled_songs == 50
    assert shown(corpus)["styles"].startswith("style10 6, style11 6")
    assert shown(corpus)["styles"].endswith("38 more, without one 50")


def test_styles_of_too_few_songs_are_reported(load: Load) -> None:
    corpus = load([[song(n), f"style {n}"] for n in range(12)], header="text,style")
    assert corpus.facts.rare_styles == 12
    assert shown(corpus)["styles"] == "none: 12 names, each with too few songs to learn a style from"


def test_the_vocabulary_of_a_parent_is_kept(load: Load) -> None:
    parent = ParentModel(Vocabulary.of(ALPHABET, ("folk", "hymn")), title_line=True)
    rows = [["it’s…", "folk", song(1) + " ’…’"], ["é", "opera", song(2) + " §§é\u0301"], ["x", "", "§"]]
    rows.append(["y", "", "é" + song(1) + " '...'"])
    corpus = load(rows, header="song,style,text", parent=parent)
    assert corpus.vocabulary == parent.vocabulary
    assert corpus.title_line
    assert all_texts(corpus) == ["it's...\n\n" + song(1) + " '...'", song(2)]
    facts = corpus.facts
    assert (facts.styles, facts.unstyled_songs) == ({"folk": 1}, 1)
    assert facts.folded_characters == 5
    assert set(facts.rare_kinds) == {"§", "é", "\u0301"}
    assert facts.rare_characters == 7
    assert (facts.empty_texts, facts.repeated_texts) == (1, 1)
    assert 0.9 < facts.coverage < 1
    for text in all_texts(corpus):
        parent.vocabulary.encode(text)


def test_new_styles_follow_those_of_a_parent(load: Load) -> None:
    parent = ParentModel(Vocabulary.of(ALPHABET, ("hymn", "folk")), title_line=False)
    styles = ["rock"] * 5 + ["blues"] * 6 + ["opera"] * 4 + ["folk"]
    corpus = load([[style, song(n)] for n, style in enumerate(styles)], header="style,text", parent=parent)
    assert corpus.vocabulary == Vocabulary.of(ALPHABET, ("hymn", "folk", "blues", "rock"))
    assert corpus.facts.styles == {"folk": 1, "blues": 6, "rock": 5}
    assert (corpus.facts.rare_styles, corpus.facts.unstyled_songs) == (1, 4)


def test_a_parent_without_title_lines_gets_none(load: Load) -> None:
    parent = ParentModel(Vocabulary.of(ALPHABET), title_line=False)
    corpus = load([["x", song(1)], ["y", song(2)]], header="song,text", parent=parent)
    assert (corpus.title_line, all_texts(corpus)) == (False, [song(1), song(2)])


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        ([song(0), song(1), song(2), song(1).upper().replace(" ", "! "), song(2) + " la"], [0, 1, 2, 1, 2]),
        (
            [  # without spaces between words
                *(
                    "春眠不覺曉處處聞啼鳥夜來風雨聲花落知多少",
                    "春眠不覺曉,處處聞啼鳥。夜來風雨聲,花落知幾何?",
                ),
                *("白日依山盡黃河入海流欲窮千里目更上一層樓", "古池や蛙飛びこむ水の音"),
            ],
            [0, 0, 2, 3],
        ),
        (["la la", "lo", "La, la!", "😀", "🎶", "!!!", "😀"], [0, 1, 0, 3, 4, 5, 3]),  # compared whole
        ([song(2), *(f"{song(1)} la{n}" for n in range(300)), song(3)], [0, *[1] * 300, 301]),
    ],
    ids=["covers", "Chinese", "short", "a crowd"],
)
def test_versions_of_a_song_are_labelled_alike(texts: list[str], labels: list[int]) -> None:
    assert near_duplicate_labels(texts, len(texts)).tolist() == labels


def test_similarity_is_that_of_four_word_spans() -> None:
    """Pairs well above and well below the threshold, against the true Jaccard index."""
    words = [f"w{n}" for n in range(203)]  # 200 spans
    for shared, related in ((140, True), (60, False)):  # 140 / 260 = 0.54, 60 / 340 = 0.18
        others = [*words[: shared + 3], *(f"v{n}" for n in range(200 - shared))]
        labels = near_duplicate_labels([" ".join(words), " ".join(others)], 2)
        assert (labels[0] == labels[1]) == related


def test_a_split_holds_out_the_smallest_group_if_all_are_too_big() -> None:
    labels, none = np.array([0, 0, 0, 1, 1, 0]), np.zeros(6, bool)
    assert [part.tolist() for part in split_songs(labels, 0.02, 0, none, none)] == [[0, 1, 2, 5], [3, 4]]


def test_at_most_half_of_the_new_songs_beside_known_ones_are_held_out() -> None:
    known, before = np.arange(20) < 10, np.zeros(20, bool)
    assert len(split_songs(np.arange(20), 0.9, 0, known, before)[1]) == 5
    assert len(split_songs(np.arange(20), 0.9, 0, before, before)[1]) == 18


def test_a_version_of_a_known_and_of_a_held_out_song_stays_with_the_known_one() -> None:
    labels, known = np.array([0, 0, 0, 3, 4]), np.array([True, False, False, False, False])
    before = np.array([False, True, False, False, False])
    training, held_out = split_songs(labels, 0.5, 0, known, before)
    assert held_out[0] == 1
    assert {0, 2} <= set(training.tolist())


def test_versions_are_on_one_side_of_a_corpus_and_counted(load: Load) -> None:
    texts = sorted(text for n in range(40) for text in (song(n), song(n) + " one"))
    corpus = load(texts)
    assert (all_texts(corpus), corpus.facts.near_duplicates) == (texts, 40)
    held_out = {text.removesuffix(" one") for text in texts_of(corpus.held_out)}
    assert len(held_out) == 4
    assert not held_out & {text.removesuffix(" one") for text in texts_of(corpus.training)}


def test_a_split_depends_on_its_seed_alone(load: Load) -> None:
    once, again, other = (load([song(n) for n in range(40)], seed=seed) for seed in (1, 1, 2))
    assert list(once.training) == list(again.training)
    assert list(once.held_out) == list(again.held_out) != list(other.held_out)
    assert (once.facts, once.vocabulary) == (again.facts, again.vocabulary)


def test_songs_are_read_again_and_again() -> None:
    written = [CorpusSong("né", "folk"), CorpusSong("la"), CorpusSong("lo", "folk")]
    songs = Songs.of(written)
    assert list(songs) == list(songs) == written
    assert (len(songs), songs.characters, songs[-1]) == (3, 6, songs[2])
    assert list(Songs.of([])) == []


def test_a_corpus_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.corpus.scratch._SCRATCH_IN_MEMORY_BYTES", 1000)
    path = write_table(tmp_path / "songs.csv", "text", [f"{song(n)}\n" * 20 for n in range(1000)])
    size = path.stat().st_size
    assert size > 3e6
    load_corpus(path, CONFIG)  # what is set up once
    tracemalloc.start()
    corpus = load_corpus(path, CONFIG, scratch_folder=tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 2
    assert corpus.facts.training_characters > size / 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["songs.csv"]


def test_a_scratch_folder_that_is_missing_is_an_error(
    tmp_path: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.corpus.scratch._SCRATCH_IN_MEMORY_BYTES", 10)
    with pytest.raises(LyricgenError, match="nowhere: cannot be written"):
        load([song(1), song(2)], scratch_folder=tmp_path / "nowhere")


def test_a_description_reads_well() -> None:
    facts = CorpusFacts(
        *("songs.csv.xz", "00", "CC0", 29_002, 34_000_000, 592, 700_000),
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
    cleaned = ("120 invisible characters removed", "1 typographic character made plain")
    rare = r"4 rare or unknown characters removed (* é \x1b \u202e)"
    assert describe(facts, Vocabulary.of("abc", ("folk", "poem"))) == [
        ("read", "29,626 rows of songs.csv.xz"),
        ("not read", r"columns artist, li\x1bnk"),
        ("dropped", "1 empty text, 31 repeated texts, 2 rows that cannot be read"),
        ("kept", "29,594 songs, 29,594 with a title, 34.7 M characters"),
        ("versions", "24 songs are versions of another one"),
        ("base model", "trained on 3,000 of these songs, 12 held out then and now"),
        ("cleaned", ", ".join((*cleaned, rare))),
        ("vocabulary", "3 characters, 99.9999 % of the text"),
        ("styles", "poem 14,683, folk 3,705, without one 11,206"),
        ("split", "29,002 songs to train on, 592 held out"),
    ]
    assert describe(CorpusFacts("songs.csv", "00", "CC0", 2, 20, 1, 10), Vocabulary.of("abc")) == [
        ("kept", "3 songs, 30 characters"),
        ("vocabulary", "3 characters, 100 % of the text"),
        ("split", "2 songs to train on, 1 held out: too few to judge a model by"),
    ]


def test_a_description_is_safe_to_print(tmp_path: Path) -> None:
    rows = [[f"sty\x1b[31mle\u202e\u200d{n % 2}", f"\x1b]0;{song(n)}\x9b\u202e\u200d"] for n in range(12)]
    path = write_table(tmp_path / "s\x1b[31m.csv", "style,text", rows)
    corpus = load_corpus(path, CorpusConfig(rare_character_share=0.01))
    assert "".join([*shown(corpus), *shown(corpus).values()]).isprintable()
    assert shown(corpus)["read"] == r"12 rows of s\x1b[31m.csv"
    assert r"sty[31mle\u200d0 6" in shown(corpus)["styles"]
    assert r"\u200d" in shown(corpus)["cleaned"]
    assert "\u202e" not in corpus.vocabulary.characters + tuple("".join(corpus.vocabulary.styles))


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_file_name_that_is_no_text_can_be_stored(tmp_path: Path) -> None:
    path = write_table(tmp_path / os.fsdecode(b"caf\xe9.csv"), "text", [song(1), song(2)])
    facts = load_corpus(path, CONFIG, licence="\udce9").facts
    assert (facts.name, facts.licence) == ("caf\\udce9.csv", "\\udce9")


@pytest.fixture
def as_parent(tmp_path: Path) -> Callable[[Corpus], ParentModel]:
    """Encode a corpus, as a model that was trained on it would bring it along."""

    def of(corpus: Corpus) -> ParentModel:
        def encoded(part: str, songs: Iterable[CorpusSong]) -> EncodedSongs:
            save_songs(tmp_path, part, songs, corpus.vocabulary)
            return EncodedSongs.open(tmp_path, part, corpus.vocabulary)

        training, held_out = encoded("training", corpus.training), encoded("held_out", corpus.held_out)
        return ParentModel(corpus.vocabulary, corpus.title_line, training, held_out)

    return of


AsParent = Callable[[Corpus], ParentModel]


def test_what_the_parent_was_trained_on_is_never_held_out(load: Load, as_parent: AsParent) -> None:
    first = load([song(n) for n in range(40)])
    parent = replace(as_parent(first), held_out=None)
    for seed, more in ((0, 0), (1, 0), (2, 20)):
        rows = [song(n) + " one" for n in range(40 + more)]
        second = load(rows, replace(CONFIG, held_out_share=0.2), seed=seed, parent=parent)
        held_out = {text.removesuffix(" one") for text in texts_of(second.held_out)}
        assert len(held_out) == (1 if not more else 5)  # a fifth of the new ones
        assert not held_out & set(texts_of(first.training))
        assert (second.facts.known_to_base, second.facts.base_was_compared) == (36, True)
    with pytest.raises(CorpusError, match="or of those that the model was trained on: none would be left"):
        load(texts_of(first.training), parent=parent)


def test_what_the_parent_held_out_is_held_out_again(load: Load, as_parent: AsParent) -> None:
    first = load([song(n) for n in range(40)], replace(CONFIG, held_out_share=0.2))
    for seed in (1, 2):
        second = load([song(n) + " one" for n in range(80)], seed=seed, parent=as_parent(first))
        held_out = {text.removesuffix(" one") for text in texts_of(second.held_out)}
        assert held_out >= set(texts_of(first.held_out))
        assert not held_out & set(texts_of(first.training))
        assert len(held_out) == len(first.held_out) + 4  # and a tenth of the new ones
        seen = (second.facts.known_to_base, second.facts.held_out_by_base)
        assert seen == (len(first.training), len(first.held_out))


def test_versions_are_found_under_whatever_titles(load: Load, as_parent: AsParent) -> None:
    titles = [" ".join(f"{word}{n}" for word in WORDS[:9]) for n in (1, 2)]
    texts = [" ".join(WORDS), song(3), song(4)]
    first = load([[titles[0], text] for text in texts], header="title,text")
    rows = [[titles[1], text] for text in (*texts, " ".join(reversed(WORDS)))]
    second = load(rows, header="title,text", parent=as_parent(first))
    assert (second.facts.known_to_base, second.facts.held_out_by_base) == (2, 1)


def test_titles_and_styles_that_are_too_long_are_counted(load: Load) -> None:
    rows = [["la " * 100, "ẞ" * 60, song(1)], ["…" * 100, "", song(2)], ["", "folk", song(3)]]
    corpus = load(rows, header="title,style,text")
    assert (corpus.facts.long_names, corpus.facts.titled_songs) == (2, 1)
    assert "2 title or style names dropped as too long" in shown(corpus)["cleaned"]
    parent = ParentModel(Vocabulary.of(ALPHABET), title_line=True)
    facts = load(rows, header="title,style,text", parent=parent).facts
    assert (facts.long_names, facts.titled_songs) == (3, 0)  # a title grows where three dots stand for one
