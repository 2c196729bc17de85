"""Characters ↔ token ids: the one place that knows which number means which character, also for training.

Token ids, in this order:

    0                   SOS, the start of a song             input only
    1 … S               one token for each style, if any     input only
    S + 1               EOS, the end of a song               input and output
    S + 2 …             the characters, in code point order  input and output

The output layer has no unit for SOS and the styles, so they can never be sampled: its unit k scores
token id ``k + eos``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lyricgen.errors import UnknownCharacterError

SOS = 0
MAX_STYLE_NAME = 100
"""Characters of the longest name that a style may have."""

# Typographic characters and the plain ones that stand in for them where the vocabulary lacks the former.
PLAIN_EQUIVALENTS = str.maketrans(
    {
        **dict.fromkeys("‘’ʼ`", "'"),
        **dict.fromkeys("“”", '"'),
        **dict.fromkeys("–—", "-"),
        **dict.fromkeys("\u00a0\t", " "),
        "…": "...",
    }
)

_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""After one of these (embedding, override, isolate), a terminal shows text in another order than it has."""


@dataclass(frozen=True)
class Vocabulary:
    """The characters (and styles) that a model knows.

    Raises:
        ValueError: the characters are not ascending, or one occurs twice, is not a single code point, is
            a control character other than the line end (a terminal would obey it), one that turns the
            direction of what follows, or half of a surrogate pair; or a style name occurs twice, is
            empty, longer than `MAX_STYLE_NAME`, or holds such a character or any line break.

    Example:
        >>> from lyricgen import Vocabulary
        >>> vocabulary = Vocabulary.of("abc ", styles=["folk"])
        >>> vocabulary.characters, vocabulary.eos
        ((' ', 'a', 'b', 'c'), 2)
        >>> vocabulary.encode("a cab")
        [4, 3, 6, 4, 5]
        >>> vocabulary.decode([4, 3, 6, 4, 5])
        'a cab'
    """

    characters: tuple[str, ...]
    """Single code points, ascending."""
    styles: tuple[str, ...] = ()
    """Names of the style tokens, in id order."""
    _id_of: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if any(len(character) != 1 or not _is_writable(character) for character in self.characters):
            raise ValueError("every character must be a single code point that can be written")
        if list(self.characters) != sorted(set(self.characters)):
            raise ValueError("characters must be ascending and distinct")
        if len(set(self.styles)) != len(self.styles):
            raise ValueError("styles must be distinct")
        if not all(_is_style_name(style) for style in self.styles):
            raise ValueError(f"every style name must be one line of 1 to {MAX_STYLE_NAME} characters")
        ids = {character: self.eos + 1 + n for n, character in enumerate(self.characters)}
        object.__setattr__(self, "_id_of", ids)

    @classmethod
    def of(cls, characters: Iterable[str], styles: Iterable[str] = ()) -> Vocabulary:
        """Build a vocabulary of the distinct `characters`, sorted."""
        return cls(tuple(sorted(set(characters))), tuple(styles))

    @property
    def eos(self) -> int:
        """Token id of EOS; also the offset from an output unit to its token id."""
        return 1 + len(self.styles)

    @property
    def input_size(self) -> int:
        """How many token ids the model reads (V)."""
        return self.output_size + self.eos

    @property
    def output_size(self) -> int:
        """How many token ids the model scores (V_out): EOS and the characters."""
        return 1 + len(self.characters)

    def encode(self, text: str) -> list[int]:
        """Turn text into token ids, without SOS or EOS; the inverse of `decode`.

        The text is normalised to NFC; typographic quotes, dashes and spaces that the vocabulary
        lacks become their plain equivalents.

        Raises:
            UnknownCharacterError: naming every character that is still not in the vocabulary.
        """
        text = unicodedata.normalize("NFC", text)
        ids: list[int] = []
        unknown: list[int] = []
        for position, character in enumerate(text):
            plain = character if character in self._id_of else character.translate(PLAIN_EQUIVALENTS)
            known = [self._id_of.get(one) for one in plain]
            if None in known:
                unknown.append(position)
            ids += [token for token in known if token is not None]
        if unknown:
            raise UnknownCharacterError([text[position] for position in unknown], unknown)
        return ids

    def readable(self, text: str) -> str:
        """Return what `encode` can read of a text: unknown accents fall off, what is left is left out."""
        text = unicodedata.normalize("NFC", text)
        while not all(character in self._id_of for character in text):
            known = "".join(map(self._readable_character, text))
            text = unicodedata.normalize("NFC", known)  # it may join two
        return text

    def _readable_character(self, character: str) -> str:
        for plain in (character, character.translate(PLAIN_EQUIVALENTS), *_bases(character)):
            if all(one in self._id_of for one in plain):
                return plain
        return ""

    def style_token(self, name: str) -> int:
        """Return the token id of a style. Capitals count only where two styles differ in nothing else.

        Raises:
            ValueError: there is no such style.
        """
        for form in (str, str.casefold):
            styles = [form(style) for style in self.styles]
            if form(name) in styles:
                return 1 + styles.index(form(name))
        raise ValueError(f"no style {name!r}")

    def style_name(self, token: int) -> str:
        """Return the name of the style that has a token id; the inverse of `style_token`."""
        return self.styles[token - SOS - 1]

    def decode(self, ids: Iterable[int]) -> str:
        """Turn the token ids of characters back into text.

        Raises:
            ValueError: an id is not that of a character (SOS, a style, EOS or out of range).
        """
        first = self.eos + 1
        ids = list(ids)
        if any(not first <= token < self.input_size for token in ids):
            raise ValueError(f"only ids {first} to {self.input_size - 1} are characters")
        return "".join(self.characters[token - first] for token in ids)


def _bases(character: str) -> Iterator[str]:
    """Yield the letter of which an accented one is made, and that in the other case."""
    bare = unicodedata.normalize("NFKD", character)
    bare = "".join(one for one in bare if not unicodedata.combining(one))
    yield bare
    yield bare.swapcase()


def _is_writable(character: str) -> bool:
    if character in _BIDI_CONTROLS:
        return False
    return character == "\n" or unicodedata.category(character) not in ("Cc", "Cs")


def _is_style_name(text: str) -> bool:
    one_line = text.splitlines() == [text] and not text.isspace()
    return one_line and len(text) <= MAX_STYLE_NAME and all(map(_is_writable, text))
