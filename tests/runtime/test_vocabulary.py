from collections.abc import Iterable

import pytest

from lyricgen.errors import UnknownCharacterError
from lyricgen.vocabulary import SOS, Vocabulary


@pytest.mark.parametrize(
    ("known", "text", "decoded"),
    [
        *(("xyz" + text, text, text) for text in ("", "a", "bad cab\n\nabba", "ダム 😀é")),
        ("é", "e\u0301", "é"),  # composed first
        ("'\"-. x", "‘’ʼ`“”–—…\u00a0\tx", "''''\"\"--...  x"),  # typographic ones fold to plain ones
        ("'’", "’'", "’'"),  # and stay where they are known
    ],
)
def test_decode_inverts_encode_but_for_what_is_folded(known: str, text: str, decoded: str) -> None:
    vocabulary = Vocabulary.of(known, styles=["folk"])
    assert vocabulary.decode(vocabulary.encode(text)) == decoded


def test_ids_are_sos_then_styles_then_eos_then_characters() -> None:
    vocabulary = Vocabulary.of("ba", styles=["folk", "hymn"])
    assert SOS == 0
    assert vocabulary.eos == 3
    assert vocabulary.encode("ab") == [4, 5]
    assert (vocabulary.input_size, vocabulary.output_size) == (6, 3)  # unit k scores token k + eos


def test_unknown_characters_are_named_with_their_positions() -> None:
    with pytest.raises(UnknownCharacterError) as caught:
        Vocabulary.of("ab").encode("a😀bZ")
    assert caught.value.characters == ["😀", "Z"]
    assert caught.value.positions == [1, 3]
    assert "'😀' at position 2" in str(caught.value)


@pytest.mark.parametrize(
    ("styles", "name", "token"),
    [
        *((["folk", "Hymn"], *found) for found in [("folk", 1), ("FOLK", 1), ("hymn", 2)]),
        *((["folk", "Folk"], *found) for found in [("folk", 1), ("Folk", 2)]),  # which differ in nothing else
        *(([line], line, 1) for line in ("Gospel & Soul", "русский романс", "x" * 100)),
    ],
)
def test_a_style_is_found_by_its_name_in_capitals_or_not(styles: list[str], name: str, token: int) -> None:
    vocabulary = Vocabulary.of("ab", styles=styles)
    assert vocabulary.style_token(name) == token
    with pytest.raises(ValueError, match="rock"):
        vocabulary.style_token("rock")


@pytest.mark.parametrize(
    ("characters", "styles", "message"),
    [
        *(
            (character, (), "can be written")  # a terminal would obey it
            for character in "\x1b\x9b\r\x00\ud800\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        ),
        *(
            ("a", (style,), "every style name must be one line of 1 to 100 characters")
            for style in ("", " ", "a\nb", "a\n", "a\u2028", "a\u202e", "\t", "\x1b[0m", "\ud800", "x" * 101)
        ),
        *(("ba", (), "ascending"), ("aa", (), "distinct"), ("a", ("x", "x"), "distinct")),
        (("ab",), (), "single"),
    ],
)
def test_what_is_no_vocabulary_is_refused(
    characters: Iterable[str], styles: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Vocabulary(tuple(characters), styles)


@pytest.mark.parametrize("token", [-1, SOS, 1, 2, 5])
def test_what_is_not_a_character_does_not_decode(token: int) -> None:
    vocabulary = Vocabulary.of("ab", styles=["folk"])  # SOS 0, folk 1, EOS 2, a 3, b 4
    with pytest.raises(ValueError, match="only ids 3 to 4"):
        vocabulary.decode([token])
