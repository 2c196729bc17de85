"""What songs say about language and form: rhymes, syllables, chorus, and the words at the ends of lines."""

import pytest

from lyricgen.model_file.shape import Shape
from lyricgen.song.sound import ENGLISH, SPELLING
from lyricgen.vocabulary import Vocabulary
from train.corpus.rhymes import rhyme_groups
from train.corpus.scratch import CorpusSong, Songs
from train.corpus.shapes import language_of, shapes_of

SONG = """\
The moon is high above the hill
And silver is the sea
The wind is down, the night is still
And no one walks with me

I heard a bird begin to sing
Beside the garden wall
It told me of the coming spring
And then it ceased to call

My father had a horse of grey
My mother had a cow
They sold them both on market day
And we have nothing now"""
VERSES = SONG.split("\n\n")
"""ABAB, of 8, 6, 8 and 6 syllables."""
CHORUS = "Sing me a song that is new\nSing me a song that is true"
"""AA, of 7 syllables."""
GERMAN_SONG = """\
Es steht ein Baum im tiefen Tal
Der hat so manches Blatt gesehen
Er wartet dort zum letzten Mal
Und wird im Winde nicht vergehen

Der Mond ist wieder aufgewacht
Die Nebel ziehen um das Haus
Ich denke deiner in der Nacht
Und gehe nicht mehr gern hinaus"""
"""ABAB by spelling."""


def songs_of(texts: list[str], style: str = "") -> Songs:
    return Songs.of(CorpusSong(text, style) for text in texts)


def with_chorus(count: int) -> list[str]:
    stanzas = (VERSES[n % 3] for n in range(2 * count))
    return [f"{one}\n\n{CHORUS}\n\n{other}\n\n{CHORUS}" for one, other in zip(stanzas, stanzas, strict=True)]


def test_the_form_of_songs_with_a_chorus_is_found() -> None:
    assert shapes_of(songs_of(with_chorus(6)), "en") == ("1.0 verse ABAB 8,6,8,6; chorus AA 7",)


def test_sections_say_which_stanza_is_the_chorus() -> None:
    other = CHORUS.replace("new", "old").replace("true", "told")  # it does not come back word for word
    bridge = "Where are you?\nWhere are we?\nWho?"
    text = "\n\n".join((VERSES[0], CHORUS, VERSES[1], other, bridge))
    told = CorpusSong(text, "", "verse chorus verse chorus bridge")
    assert shapes_of(Songs.of([told] * 3), "en") == ("1.0 verse ABAB 8,6,8,6; chorus AA 7",)
    assert shapes_of(songs_of([text] * 3), "en") == ("1.0 verse ABAB 8,6,8,6",)


def test_a_chorus_may_change_one_of_four_lines() -> None:
    again = VERSES[0].replace("And silver is the sea", "And golden is the sea")
    text = "\n\n".join((VERSES[0], VERSES[1], again, VERSES[2]))
    assert shapes_of(songs_of([text] * 3), "en") == ("1.0 verse ABAB 8,6,8,6; chorus ABAB 8,6,8,6",)


def test_shares_are_of_all_songs_and_of_those_of_each_style() -> None:
    plain = [SONG, "\n\n".join(VERSES[:2])]
    shapeless = ["Nothing at all\nis like a thing", "A line\nand more"]
    songs = Songs.of(
        [
            *(CorpusSong(text, "hymn") for text in with_chorus(6)),
            *(CorpusSong(text, "folk") for text in plain),
            *(CorpusSong(text, "folk") for text in shapeless),
        ]
    )
    chorus, verses = "verse ABAB 8,6,8,6; chorus AA 7", "verse ABAB 8,6,8,6"
    assert shapes_of(songs, "en") == (
        f"0.6 {chorus}",
        f"0.2 {verses}",
        f"0.5 {verses} | folk",
        f"1.0 {chorus} | hymn",
    )


def with_metre(article: str) -> str:
    """A song of four lines a verse, of 4 syllables if the article of every other one has one."""
    one = f"{article} moon is high\nAbove the sky\n{article} sea is deep\nAnd I must sleep"
    other = f"{article} wind is cold\nAnd I am old\n{article} day is gone\nI wander on"
    return f"{one}\n\n{other}"


def test_lines_that_vary_by_a_syllable_have_a_range() -> None:
    songs = songs_of([with_metre("The"), with_metre("The old")])
    assert shapes_of(songs, "en") == ("1.0 verse AABB 4-5",)


def test_songs_of_other_metres_have_a_shape_of_their_own() -> None:
    songs = songs_of([with_metre("The"), with_metre("The silver")] * 2)
    assert shapes_of(songs, "en") == ("0.5 verse AABB 4", "0.5 verse AABB 6,4,6,4")


@pytest.mark.parametrize(
    "text",
    [
        "",
        VERSES[0],
        "One two three\nfour five six\n\nseven is heaven",  # nothing rhymes within a stanza
        "one\n\nsun\n\none",
        "...\n---\n\n!\n?",
        CHORUS + "\n\n" + CHORUS,  # a chorus and no verse
        "\n\n".join(["no rhyme\nat all"] * 3),
    ],
)
def test_songs_without_stanzas_that_rhyme_have_no_shape(text: str) -> None:
    assert shapes_of(songs_of([text] * 5), "en") == ()


def test_no_songs_have_no_shapes() -> None:
    assert shapes_of(songs_of([]), "en") == ()


def test_english_is_told_by_its_words() -> None:
    assert language_of(songs_of(VERSES)) == "en"
    assert language_of(songs_of(["walkin' ’neath th’ moon, don’t cry"])) == "en"
    assert language_of(songs_of([GERMAN_SONG])) == "spelling"
    assert language_of(songs_of(["1 2 3", "..."])) == "spelling"


def test_other_languages_have_shapes_by_spelling() -> None:
    shapes = shapes_of(songs_of([GERMAN_SONG] * 4), "spelling")
    assert [Shape.of(shape).form.split()[:2] for shape in shapes] == [["verse", "ABAB"]]


WORDS = Vocabulary.of("\n ',-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def ends(*words: str, times: int = 3) -> list[str]:
    return [f"it ends in {word}," for word in words for _ in range(times)]


@pytest.mark.parametrize(
    ("texts", "groups"),
    [
        (ends("day", "way", "stone"), {"day way"}),
        (ends("day", "way", times=2), set()),  # too seldom
        (ends("Day", times=2) + ends("day", times=1) + ends("way"), {"way Day"}),
        (ends("day", times=2) + ends("Day", times=1) + ends("way"), {"way day"}),
        (ends("day", "stone", "café"), set()),
        (ends("day") + ends("way\nit goes on"), {"day way"}),
        (ends("day", "a way to go"), set()),  # not the end of a line
        ([], set()),
        (["...\n\n"] * 5, set()),
    ],
)
def test_words_that_rhyme_stand_in_a_group(texts: list[str], groups: set[str]) -> None:
    assert set(rhyme_groups(texts, ENGLISH, WORDS)) == groups


def test_a_word_that_sounds_in_two_ways_stands_in_two_groups() -> None:
    found = rhyme_groups(ends("wind", "kind", "sinned"), ENGLISH, WORDS)
    assert set(found) == {"wind kind", "wind sinned"}


def test_other_languages_rhyme_by_spelling() -> None:
    assert set(rhyme_groups(ends("love", "move", "Nacht", "Macht"), SPELLING, WORDS)) == {
        "love move",
        "Nacht Macht",
    }
    assert rhyme_groups(ends("love", "move"), ENGLISH, WORDS) == ()
