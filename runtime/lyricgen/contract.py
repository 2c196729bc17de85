"""What export writes and the runtime reads: tensor names, metadata keys, format version.

One self-describing .onnx holds a single step of the model. Letters for axes: B songs side by side
(dynamic), L layers, H hidden size, V_out output units.

    in   token                     int64    (B,)
    in   hidden, cell              float32  (L, B, H)     zeros at the start of a song
    out  logits                    float32  (B, V_out)    before temperature
    out  next_hidden, next_cell    float32  (L, B, H)

A song is read as SOS, then the token of its style if it has one, then its characters; SOS and the
style are given, everything after them, up to and including EOS, is predicted. The text of a song of a
model that writes titles is its title, an empty line and the lyrics.

Only the standard library is imported.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lyricgen.vocabulary import SOS, Vocabulary

FORMAT_VERSION = 1
KEY_PREFIX = "lyricgen."
Json = Any
"""What json.loads returns."""

TOKEN = "token"  # noqa: S105 (the name of a tensor)
HIDDEN, CELL = "hidden", "cell"
LOGITS = "logits"
NEXT_HIDDEN, NEXT_CELL = "next_hidden", "next_cell"
INPUTS = (TOKEN, HIDDEN, CELL)
OUTPUTS = (LOGITS, NEXT_HIDDEN, NEXT_CELL)
SONGS_AXIS = "B"
AFTER_TITLE = "\n\n"
"""What stands between the title of a song and its lyrics, where songs have titles."""

PRECISIONS = ("fp32",)
MAX_LAYERS = 16
MAX_HIDDEN_SIZE = 8192
MAX_CHARACTERS = 65_536
MAX_TEMPERATURE = 100.0
DEFAULT_MAX_LENGTH = 6000
"""Characters of a song where nobody says otherwise; here, so that --help need not load the generator."""


class ContractError(ValueError):
    """The property called `what` is not as the contract says."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        self.what, self.expected, self.found = what, expected, found
        super().__init__(f"{what}: expected {expected}, found {found}")


@dataclass(frozen=True)
class Provenance:
    """Where a model comes from."""

    session: str
    """Name of the training session, such as session_3."""
    corpus: str
    """Name of the corpus file."""
    corpus_sha256: str
    corpus_licence: str
    """Rights in the texts, in the trainer's words."""
    training_characters: int
    base_model: str
    """What it was fine-tuned from, such as "session_0, trained on songs.csv (public domain)"; empty if
    it was trained from scratch."""
    creating_version: str
    """Version of lyricgen that exported the model."""


@dataclass(frozen=True)
class Quality:
    """How good a model was measured to be."""

    held_out_bits_per_character: float | None
    """Of this very file on songs it was not trained on; None where none were at hand."""
    held_out_symbols: int
    """Symbols that figure was measured over: characters, and one EOS for each song."""
    parity_logits: float
    """Largest difference to the trained model's logits over `parity_steps` carried steps."""
    parity_state: float
    """Largest difference to its final hidden and cell state, as a share of max(1, |value|)."""
    parity_steps: int


@dataclass(frozen=True)
class ModelCard:
    """Everything that a model file says about itself."""

    vocabulary: Vocabulary
    layers: int
    hidden_size: int
    precision: str
    """Arithmetic of the graph: fp32."""
    suggested_temperature: float
    title_line: bool
    """Whether songs begin with a title line followed by an empty line."""
    provenance: Provenance
    quality: Quality

    def to_properties(self) -> dict[str, str]:
        """Return the card as string properties for the file; the inverse of `from_properties`."""
        words = self.vocabulary
        values: dict[str, Any] = {
            "format": FORMAT_VERSION,
            "characters": list(words.characters),
            "styles": list(words.styles),
            "sos": SOS,
            "eos": words.eos,
            "layers": self.layers,
            "hidden_size": self.hidden_size,
            "precision": self.precision,
            "suggested_temperature": self.suggested_temperature,
            "title_line": self.title_line,
            **asdict(self.provenance),
            **asdict(self.quality),
        }
        return {KEY_PREFIX + key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> ModelCard:
        """Read a card from a file's string properties.

        Raises:
            ContractError: a property is missing, of the wrong kind or out of range.
        """
        read = _Reader(properties)
        version = read.integer("format", 1, 2**31)
        if version != FORMAT_VERSION:
            expected = f"{FORMAT_VERSION} (upgrade with: pip install -U lyricgen)"
            raise ContractError("model format", expected, version)
        vocabulary = read.vocabulary()
        read.exactly("sos", SOS)
        read.exactly("eos", vocabulary.eos)
        return cls(
            vocabulary=vocabulary,
            layers=read.integer("layers", 1, MAX_LAYERS),
            hidden_size=read.integer("hidden_size", 1, MAX_HIDDEN_SIZE),
            precision=read.choice("precision", PRECISIONS),
            suggested_temperature=read.number("suggested_temperature", MAX_TEMPERATURE),
            title_line=read.kind("title_line", bool),
            provenance=Provenance(
                session=read.string("session"),
                corpus=read.string("corpus"),
                corpus_sha256=read.string("corpus_sha256"),
                corpus_licence=read.string("corpus_licence"),
                training_characters=read.integer("training_characters", 0, 2**62),
                base_model=read.string("base_model"),
                creating_version=read.string("creating_version"),
            ),
            quality=Quality(
                held_out_bits_per_character=read.number_or_none("held_out_bits_per_character"),
                held_out_symbols=read.integer("held_out_symbols", 0, 2**62),
                parity_logits=read.number("parity_logits"),
                parity_state=read.number("parity_state"),
                parity_steps=read.integer("parity_steps", 0, 2**31),
            ),
        )


class _Reader:
    """Takes typed values out of string properties, or says which one is wrong."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        self.properties = properties

    def value(self, key: str) -> Json:
        name = KEY_PREFIX + key
        if name not in self.properties:
            raise ContractError("metadata", f"a property {name} (export its session again)", "none")
        try:
            return json.loads(self.properties[name])
        except (ValueError, RecursionError) as error:
            raise ContractError(name, "JSON", _shortened(self.properties[name])) from error

    def kind(self, key: str, kind: type) -> Json:
        value = self.value(key)
        if type(value) is not kind:
            raise ContractError(KEY_PREFIX + key, kind.__name__, _shortened(json.dumps(value)))
        return value

    def string(self, key: str) -> str:
        text: str = self.kind(key, str)
        return text

    def integer(self, key: str, low: int, high: int) -> int:
        value: int = self.kind(key, int)
        if not low <= value <= high:
            raise ContractError(KEY_PREFIX + key, f"an integer from {low} to {high}", value)
        return value

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        text = self.string(key)
        if text not in choices:
            raise ContractError(KEY_PREFIX + key, " or ".join(choices), _shortened(text))
        return text

    def number(self, key: str, high: float = sys.float_info.max) -> float:
        value = self.value(key)
        if type(value) not in (int, float) or not 0 <= value <= high:  # also refuses NaN
            expected = f"a number from 0 to {high:g}"
            raise ContractError(KEY_PREFIX + key, expected, _shortened(json.dumps(value)))
        return float(value)

    def number_or_none(self, key: str) -> float | None:
        return None if self.value(key) is None else self.number(key)

    def exactly(self, key: str, expected: int) -> None:
        found = self.integer(key, 0, 2**31)
        if found != expected:
            raise ContractError(KEY_PREFIX + key, expected, found)

    def vocabulary(self) -> Vocabulary:
        lists = {key: self.kind(key, list) for key in ("characters", "styles")}
        for key, entries in lists.items():
            if len(entries) > MAX_CHARACTERS or not all(type(entry) is str for entry in entries):
                raise ContractError(
                    KEY_PREFIX + key, f"at most {MAX_CHARACTERS} strings", f"{len(entries)} entries"
                )
        try:
            return Vocabulary(tuple(lists["characters"]), tuple(lists["styles"]))
        except ValueError as error:
            what = f"{KEY_PREFIX}characters and {KEY_PREFIX}styles"
            raise ContractError(what, "a vocabulary", str(error)) from error


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"
