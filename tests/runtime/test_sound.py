import pytest

from lyricgen.song.dictionary import PATH, dictionary
from lyricgen.song.english import pronunciations
from lyricgen.song.phonemes import NAMES, is_vowel, pronounced, spelled, stress, with_stress
from lyricgen.song.sound import ENGLISH, PERFECT, SPELLING, line_syllables, rhyme, words


def said(word: str) -> set[str]:
    return set(map(spelled, pronunciations(word)))


def test_phonemes_are_spelled_as_they_are_pronounced() -> None:
    everything = " ".join(NAMES)
    assert spelled(pronounced(everything)) == everything
    rhyme_, y = pronounced("R AY1 M"), pronounced("Y")
    assert [is_vowel(one) for one in rhyme_ + y] == [False, True, False, False]
    assert stress(rhyme_[1]) == 1
    assert spelled(with_stress(rhyme_[1], 2)) == "AY2"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("rhyme", {"R AY1 M"}),
        ("Rhyme", {"R AY1 M"}),
        ("live", {"L AY1 V", "L IH1 V"}),
        ("wind", {"W AY1 N D", "W IH1 N D"}),
    ],
)
def test_words_are_pronounced_as_the_dictionary_says(word: str, expected: set[str]) -> None:
    assert said(word) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("o’er", "AO1 R"),
        ("walkin'", "W AO1 K IH0 N"),
        ("heav'n", "HH EH1 V N"),
        ("flow'r", "F L AW1 R"),
        ("turn'd", "T ER1 N D"),
        ("whate'er", "W AH1 T EH1 R"),
        ("lanterns'", "L AE1 N T ER0 N Z"),
        ("gladness", "G L AE1 D N AH0 S"),
        ("colour", "K AH1 L ER0"),
        ("café", "K AH0 F EY1"),
        ("24", "T W EH1 N T IY0 F AO1 R"),
        ("1999", "N AY1 N T IY1 N N AY1 N T IY0 N AY1 N"),
        ("500", "F AY1 V HH AH1 N D R AH0 D"),
        ("2004", "T W EH1 N T IY0 Z IH1 R OW0 F AO1 R"),
        ("007", "Z IH1 R OW0 Z IH1 R OW0 S EH1 V AH0 N"),
    ],
)
def test_contractions_old_spellings_endings_and_numbers_are_pronounced(word: str, expected: str) -> None:
    assert expected in said(word)


@pytest.mark.parametrize("word", ["glorpling", "skyphoneless", "zumba'd", "brexiteering"])
def test_a_word_that_nobody_knows_is_guessed(word: str) -> None:
    assert not dictionary().find(word)
    (guess,) = pronunciations(word)
    assert any(is_vowel(phoneme) and stress(phoneme) == 1 for phoneme in guess)


def test_what_has_no_letters_has_no_pronunciation() -> None:
    assert [pronunciations(word) for word in ("", "'", "☃", "歌")] == [()] * 4


@pytest.mark.parametrize(
    ("word", "counts"),
    [("fire", {1, 2}), ("every", {2, 3}), ("hm", {1}), ("shh", {1}), ("beautiful", {3}), ("歌", {1})],
)
def test_all_pronunciations_of_a_word_count_and_none_has_no_syllable(word: str, counts: set[int]) -> None:
    assert ENGLISH.syllables(word) == counts


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("night", "light"),
        ("fire", "desire"),
        ("wind", "find"),
        ("wind", "pinned"),
        ("love", "above"),
        ("moonlight", "tonight"),
        ("o'er", "shore"),
        ("butterfly", "sky"),
        ("tender", "slender"),
        ("heaven", "seven"),
        ("1999", "line"),
    ],
)
def test_words_rhyme_from_their_last_stressed_vowel_on(word: str, other: str) -> None:
    assert rhyme(ENGLISH, word, other) == rhyme(ENGLISH, other, word) == 1


@pytest.mark.parametrize(
    ("word", "other"),
    [("night", "Night"), ("see", "sea"), ("o'er", "ore"), ("love", "move"), ("eternity", "tree"), ("a", "☃")],
)
def test_no_word_rhymes_with_itself_nor_by_its_letters(word: str, other: str) -> None:
    assert rhyme(ENGLISH, word, other) == 0


def test_near_rhymes_have_the_vowel_and_related_consonants() -> None:
    pairs = [("time", "mine"), ("home", "alone"), ("night", "ride"), ("go", "gold"), ("time", "tame")]
    near = [rhyme(ENGLISH, *pair) for pair in pairs]
    assert near[:3] == [0.8] * 3
    assert 0 < near[3] < 0.5
    assert near[4] == 0


def test_a_line_has_all_numbers_of_syllables_that_its_words_allow() -> None:
    line = "The fire — it's half-gone, o'er 24 hours"
    assert words(line) == ["The", "fire", "it's", "half", "gone", "o'er", "24", "hours"]
    assert line_syllables(ENGLISH, line) == {10, 11, 12}
    assert line_syllables(ENGLISH, "...") == {0}


@pytest.mark.parametrize(
    ("word", "other", "rhymes"),
    [
        ("Nacht", "Macht", 1),
        ("coração", "irmão", 1),
        ("allé", "été", 1),
        ("любовь", "кровь", 1),
        ("Nacht", "Licht", 0),
        ("Nacht", "nacht", 0),
        ("", "", 0),
        ("hm", "km", 0),
    ],
)
def test_other_languages_rhyme_by_their_last_vowels_and_what_follows(
    word: str, other: str, rhymes: float
) -> None:
    assert rhyme(SPELLING, word, other) == rhymes


def test_in_other_languages_a_group_of_vowels_is_a_syllable() -> None:
    assert line_syllables(SPELLING, "Guten Abend, gute Nacht, hm") == {8}


@pytest.mark.parametrize(
    ("line", "iambic", "trochaic"),
    [
        ("Shall I compare thee to a summer's day", {10}, set()),
        ("And weary winds shall rise afar", {8}, set()),
        ("Tyger tyger burning bright", set(), {7}),
        ("When the mountains of the meadow", set(), {8}),
        ("These are cold and pure as the night", set(), set()),
        ("You go", {2}, {2}),  # either may be stressed
        ("The fire", {2, 3}, set()),  # has one syllable or two
        ("", {0}, {0}),
    ],
)
def test_a_line_keeps_to_a_metre_if_no_weak_syllable_is_stressed_more_than_a_strong_one_beside_it(
    line: str, iambic: set[int], trochaic: set[int]
) -> None:
    assert line_syllables(ENGLISH, line, "iambic") == iambic
    assert line_syllables(ENGLISH, line, "trochaic") == trochaic
    assert line_syllables(SPELLING, line, "iambic") == line_syllables(SPELLING, line)


def test_the_packed_dictionary_is_small() -> None:
    assert PATH.stat().st_size <= 1_000_000


def test_a_number_of_any_length_is_read() -> None:
    assert min(ENGLISH.syllables("1" * 5000)) > 5000


@pytest.mark.parametrize("word", ["a'" * 20, "ed" * 5000, "bb" + "'s" * 18, "seses" * 8])
def test_a_word_without_sense_is_guessed_in_a_moment(word: str) -> None:
    assert min(ENGLISH.syllables(word)) >= 1


def test_a_word_rhymes_from_its_main_stress_and_from_a_later_one() -> None:
    assert rhyme(ENGLISH, "sorrow", "tomorrow") == PERFECT
    assert rhyme(ENGLISH, "tomorrow", "go") == PERFECT
    assert rhyme(ENGLISH, "sorrow", "go") < PERFECT
