import pytest

from lyricgen.errors import UnknownCharacterError
from lyricgen.vocabulary import SOS, Vocabulary


@pytest.mark.parametrize("text", ["", "a", "bad cab\n\nabba", "ダム 😀é"])
def test_decode_inverts_encode(text: str) -> None:
    vocabulary = Vocabulary.of(text + "xyz", styles=["folk"])
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_ids_are_sos_then_styles_then_eos_then_characters() -> None:
    vocabulary = Vocabulary.of("ba", styles=["folk", "hymn"])
    assert SOS == 0
    assert vocabulary.eos == 3
    assert vocabulary.encode("ab") == [4, 5]
    assert (vocabulary.input_size, vocabulary.output_size) == (6, 3)


def test_output_unit_k_scores_token_k_plus_eos() -> None:
    vocabulary = Vocabulary.of("abc", styles=["folk"])
    units = [token - vocabulary.eos for token in [vocabulary.eos, *vocabulary.encode("abc")]]
    assert units == list(range(vocabulary.output_size))


def test_decomposed_text_is_composed_first() -> None:
    assert Vocabulary.of("é").encode("e\u0301") == Vocabulary.of("é").encode("é")


def test_typographic_characters_fold_to_plain_ones_that_are_known() -> None:
    vocabulary = Vocabulary.of("'\"-. x")
    assert vocabulary.decode(vocabulary.encode("‘x’ “x” x–x…\u00a0")) == "'x' \"x\" x-x... "


def test_typographic_characters_that_are_known_stay() -> None:
    vocabulary = Vocabulary.of("'’")
    assert vocabulary.decode(vocabulary.encode("’'")) == "’'"


def test_unknown_characters_are_named_with_their_positions() -> None:
    with pytest.raises(UnknownCharacterError) as caught:
        Vocabulary.of("ab").encode("a😀bZ")
    assert caught.value.characters == ["😀", "Z"]
    assert caught.value.positions == [1, 3]
    assert "'😀' at position 2" in str(caught.value)


def test_a_style_is_found_by_its_name_in_capitals_or_not() -> None:
    vocabulary = Vocabulary.of("ab", styles=["folk", "Hymn"])
    assert [vocabulary.style_token(name) for name in ("folk", "FOLK", "hymn")] == [1, 1, 2]


def test_capitals_tell_styles_apart_that_differ_in_nothing_else() -> None:
    vocabulary = Vocabulary.of("ab", styles=["folk", "Folk"])
    assert [vocabulary.style_token(name) for name in ("folk", "Folk")] == [1, 2]


def test_an_unknown_style_has_no_token() -> None:
    with pytest.raises(ValueError, match="rock"):
        Vocabulary.of("ab", styles=["folk"]).style_token("rock")


@pytest.mark.parametrize("style", ["Gospel & Soul", "русский романс", "x" * 100])
def test_a_style_name_is_any_line_of_text(style: str) -> None:
    assert Vocabulary.of("ab", styles=[style]).style_token(style) == 1


@pytest.mark.parametrize(
    "character",
    [*"\x1b\x9b\r\x00\ud800", *"\u202a\u202b\u202c\u202d\u202e", *"\u2066\u2067\u2068\u2069"],
)
def test_what_a_terminal_would_obey_is_no_character(character: str) -> None:
    with pytest.raises(ValueError, match="can be written"):
        Vocabulary.of("ab" + character)


@pytest.mark.parametrize(
    "style", ["", " ", "a\nb", "a\n", "a\u2028", "a\u202e", "\t", "\x1b[0m", "\ud800", "x" * 101]
)
def test_what_is_no_line_of_text_is_no_style_name(style: str) -> None:
    with pytest.raises(ValueError, match="every style name must be one line of 1 to 100 characters"):
        Vocabulary.of("ab", styles=[style])


@pytest.mark.parametrize("token", [-1, SOS, 1, 2, 5])
def test_what_is_not_a_character_does_not_decode(token: int) -> None:
    vocabulary = Vocabulary.of("ab", styles=["folk"])  # SOS 0, folk 1, EOS 2, a 3, b 4
    with pytest.raises(ValueError, match="only ids 3 to 4"):
        vocabulary.decode([token])


@pytest.mark.parametrize(
    ("characters", "styles"), [(("b", "a"), ()), (("a", "a"), ()), (("ab",), ()), (("a",), ("x", "x"))]
)
def test_a_vocabulary_is_ascending_and_distinct(characters: tuple[str, ...], styles: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Vocabulary(characters, styles)
