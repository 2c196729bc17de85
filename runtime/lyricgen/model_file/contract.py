"""What export writes and the runtime reads: tensor names, format version, limits.

One self-describing .onnx holds a single step of the model. Letters for axes: B songs side by side
(dynamic), L layers, H hidden size, V_out output units.

    in   token                     int64    (B,)
    in   hidden, cell              float32  (L, B, H)     zeros at the start of a song
    out  logits                    float32  (B, V_out)    before temperature
    out  next_hidden, next_cell    float32  (L, B, H)

A song is read as SOS, then the token of its style if it has one, then its characters; SOS and the
style are given, everything after them, up to and including EOS, is predicted. The text of a song of a
model that writes titles is its title, an empty line and the lyrics.
"""

from __future__ import annotations

FORMAT_VERSION = 2
OLDER_FORMATS = (1,)
"""Formats that are read, too: 1 says nothing of the language and the shapes of songs."""
KEY_PREFIX = "lyricgen."
"""Prefix of the names of our string properties."""

TOKEN = "token"  # noqa: S105 (the name of a tensor)
HIDDEN, CELL = "hidden", "cell"
LOGITS = "logits"
NEXT_HIDDEN, NEXT_CELL = "next_hidden", "next_cell"
INPUTS = (TOKEN, HIDDEN, CELL)
OUTPUTS = (LOGITS, NEXT_HIDDEN, NEXT_CELL)
SONGS_AXIS = "B"
AUTO_FORM, FREE_FORM = "auto", "free"
"""Forms of songs that a card may suggest: shapes that songs of the corpus have, or none."""
AFTER_TITLE = "\n\n"
"""What stands between the title of a song and its lyrics, where songs have titles."""

INT8, FP32 = "int8", "fp32"
PRECISIONS = (INT8, FP32)
"""Arithmetic of the products in the step; the first is what people export."""
MAX_FILE_BYTES = 2**30
MAX_VOCABULARY_TEXT = 2**20
"""Characters of a property that is a long list: of characters, and of shapes."""
MAX_PROPERTY_TEXT = 2**16
"""Characters of any other property."""
MAX_STRING = 10_000
"""Characters of the longest string in a property."""
MAX_RHYMES = 10_000
"""Groups of words that rhyme."""
MAX_LAYERS = 16
MAX_HIDDEN_SIZE = 8192
MAX_CHARACTERS = 65_536
MAX_SUGGESTED_STYLES = 32
MAX_KNOWN_LINES = 2**24
"""Characters of the fingerprints of the lines that a model read."""
MAX_SHAPES = 4096
MAX_TEMPERATURE = 100.0
MAX_GOLDEN_LENGTH = 10_000


class ContractError(ValueError):
    """What `what` names is not as the contract says: `found` stands in place of `expected`."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        self.what, self.expected, self.found = what, expected, found
        super().__init__(f"{what}: expected {expected}, found {found}")


def join_title(title: str, lyrics: str) -> str:
    """Return a song's text as the model learns it: title, empty line, lyrics; or the lyrics alone."""
    return f"{title}{AFTER_TITLE}{lyrics}" if title else lyrics


def split_title(text: str) -> tuple[str, str]:
    """Return the title, "" if there is none, and the lyrics; the inverse of `join_title`.

    A first line that an empty one follows counts as a title, even of a song that has none.
    """
    title, after_title, lyrics = text.partition(AFTER_TITLE)
    return (title, lyrics) if title and after_title and "\n" not in title else ("", text)
