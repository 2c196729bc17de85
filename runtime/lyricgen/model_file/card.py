"""The card: what a model file says about itself, and its form as the file's string properties.

Each property is called `lyricgen.<key>` and holds JSON. Only the standard library is imported.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lyricgen.model_file.contract import (
    FORMAT_VERSION,
    KEY_PREFIX,
    MAX_CHARACTERS,
    MAX_GOLDEN_LENGTH,
    MAX_HIDDEN_SIZE,
    MAX_LAYERS,
    MAX_PROPERTY_TEXT,
    MAX_STRING,
    MAX_TEMPERATURE,
    MAX_VOCABULARY_TEXT,
    PRECISIONS,
    ContractError,
)
from lyricgen.printable import shortened
from lyricgen.vocabulary import SOS, Vocabulary

Json = Any
"""What json.loads returns."""


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
class HeldOut:
    """How well the model predicts songs that it was not trained on."""

    songs: str
    """Which songs: "session_3, held out", or the name of a file."""
    symbols: int
    """Symbols measured over: characters, and one EOS for each song."""
    coverage: float
    """Share of the songs' characters that the model knows; the others were left out."""
    bits_per_character: float
    """Of this very file."""
    pytorch_bits_per_character: float
    """Of the trained model in PyTorch, in fp32."""
    fp32_bits_per_character: float
    """Of the same session exported in fp32."""
    int8_bits_per_character: float
    """Of the same session exported in int8."""


@dataclass(frozen=True)
class Parity:
    """How far the file is from the trained model in PyTorch, in float64, over steps with carried state."""

    steps: int
    max_logit_difference: float
    """As a share of max(1, |logit|)."""
    max_state_difference: float
    """In the final hidden and cell state, as a share of max(1, |value|)."""
    kl_divergence: float
    """Mean Kullback-Leibler divergence of the next character's distribution, in bits per step."""
    argmax_agreement: float
    """Share of steps in which both find the same character likeliest."""


@dataclass(frozen=True)
class GoldenSong:
    """A song that the model wrote when it was exported, to find out whether it comes out elsewhere."""

    seed: int
    temperature: float
    max_length: int
    """In characters."""
    characters: int
    """How many it has."""
    sha256: str
    """Of its text in UTF-8."""


@dataclass(frozen=True)
class Report:
    """What songs at the suggested temperature are like; shares are from 0 to 1."""

    songs: int
    """Songs that were written and measured."""
    seed: int
    ended: float
    """Share of them that ended by themselves."""
    median_characters: float
    known_words: float
    """Share of their words that the songs of the training or a dictionary have."""
    rhymes: float
    """Share of their lines that rhyme with a line near by, of those whose last word a dictionary has."""
    rhymes_by_chance: float
    """The same after the ends of all lines were shuffled."""
    copied_lines: float
    """Share of their lines of four words or more that stand in the songs of the training."""
    longest_copied_span: int
    """The longest piece of any of them that stands in a song of the training, in characters."""


NOT_PROVED = Parity(0, 0.0, 0.0, 0.0, 0.0)
NO_GOLDEN_SONG = GoldenSong(0, 0.0, 1, 0, "0" * 64)
"""What a model has of these until it is proved."""


@dataclass(frozen=True)
class ModelCard:
    """Everything that a model file says about itself.

    Example:
        >>> import lyricgen
        >>> card = lyricgen.load().card
        >>> card.precision in ("int8", "fp32"), card.held_out.bits_per_character > 0
        (True, True)
        >>> card.to_json()["hidden_size"] == card.hidden_size
        True
        >>> lyricgen.ModelCard.from_properties(card.to_properties()) == card
        True
    """

    vocabulary: Vocabulary
    layers: int
    """LSTM layers on top of each other (L)."""
    hidden_size: int
    """Units per layer (H)."""
    precision: str
    """Arithmetic of the products: int8 or fp32."""
    suggested_temperature: float
    title_line: bool
    """Whether songs begin with a title line followed by an empty line."""
    tensors_sha256: str
    """Of the bytes of the file's tensors, one after the other."""
    provenance: Provenance
    held_out: HeldOut | None
    """None where no such songs were at hand."""
    parity: Parity
    golden_song: GoldenSong
    report: Report | None = None
    """None where nobody measured its songs."""
    about: str = ""
    """What a person should know of the model, in its maker's words; one paragraph."""

    def to_json(self) -> dict[str, Json]:
        """Return the card as a dictionary that JSON can hold, keys as in the file without their prefix."""
        words = self.vocabulary
        return {
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
            "tensors_sha256": self.tensors_sha256,
            "provenance": asdict(self.provenance),
            "held_out": None if self.held_out is None else asdict(self.held_out),
            "parity": asdict(self.parity),
            "golden_song": asdict(self.golden_song),
            "report": None if self.report is None else asdict(self.report),
            "about": self.about,
        }

    def to_properties(self) -> dict[str, str]:
        """Return the card as string properties for the file; the inverse of `from_properties`."""
        values = self.to_json()
        return {KEY_PREFIX + key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> ModelCard:
        """Read a card from a file's string properties.

        Raises:
            ContractError: a `ValueError`: a property is missing, unknown, of the wrong kind or out of range.
        """
        read = _Reader(properties, KEY_PREFIX, _parsed)
        version = read.integer("format", 1, 2**31)
        if version != FORMAT_VERSION:
            expected = f"{FORMAT_VERSION} (upgrade with: pip install -U lyricgen)"
            raise ContractError("model format", expected, version)
        vocabulary = read.vocabulary()
        read.exactly("sos", SOS)
        read.exactly("eos", vocabulary.eos)
        card = cls(
            vocabulary=vocabulary,
            layers=read.integer("layers", 1, MAX_LAYERS),
            hidden_size=read.integer("hidden_size", 1, MAX_HIDDEN_SIZE),
            precision=read.choice("precision", PRECISIONS),
            suggested_temperature=read.number("suggested_temperature", MAX_TEMPERATURE),
            title_line=read.kind("title_line", bool),
            tensors_sha256=read.sha256("tensors_sha256"),
            provenance=_provenance(read.object("provenance")),
            held_out=_held_out(read),
            parity=_parity(read.object("parity")),
            golden_song=_golden_song(read.object("golden_song")),
            report=_report(read),
            about=read.string("about"),
        )
        read.nothing_else()
        return card


def _parsed(name: str, text: str) -> Json:
    limit = MAX_VOCABULARY_TEXT if name == f"{KEY_PREFIX}characters" else MAX_PROPERTY_TEXT
    if len(text) > limit:
        raise ContractError(name, f"at most {limit:,} characters", f"{len(text):,}")
    if _is_deep(text):
        raise ContractError(name, "JSON with nothing nested in its values", shortened(text))
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise ContractError(name, "JSON", shortened(text)) from error


def _is_deep(text: str) -> bool:
    """Tell whether JSON nests deeper than a card does: Python 3.13's parser crashes on what is very deep."""
    outside_strings = text.replace("\\\\", "").replace('\\"', "").split('"')[::2]
    depth = 0
    for bracket in re.findall(r"[][{}]", "".join(outside_strings)):
        depth += 1 if bracket in "[{" else -1
        if depth > 1:
            return True
    return False


def _without_repeats(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _provenance(read: _Reader) -> Provenance:
    provenance = Provenance(
        session=read.string("session"),
        corpus=read.string("corpus"),
        corpus_sha256=read.sha256("corpus_sha256"),
        corpus_licence=read.string("corpus_licence"),
        training_characters=read.integer("training_characters", 0, 2**62),
        base_model=read.string("base_model"),
        creating_version=read.string("creating_version"),
    )
    read.nothing_else()
    return provenance


def _held_out(card: _Reader) -> HeldOut | None:
    if card.value("held_out") is None:
        return None
    read = card.object("held_out")
    held_out = HeldOut(
        songs=read.string("songs"),
        symbols=read.integer("symbols", 1, 2**62),
        coverage=read.number("coverage", 1.0),
        bits_per_character=read.number("bits_per_character"),
        pytorch_bits_per_character=read.number("pytorch_bits_per_character"),
        fp32_bits_per_character=read.number("fp32_bits_per_character"),
        int8_bits_per_character=read.number("int8_bits_per_character"),
    )
    read.nothing_else()
    return held_out


def _parity(read: _Reader) -> Parity:
    parity = Parity(
        steps=read.integer("steps", 0, 2**31),
        max_logit_difference=read.number("max_logit_difference"),
        max_state_difference=read.number("max_state_difference"),
        kl_divergence=read.number("kl_divergence"),
        argmax_agreement=read.number("argmax_agreement", 1.0),
    )
    read.nothing_else()
    return parity


def _golden_song(read: _Reader) -> GoldenSong:
    song = GoldenSong(
        seed=read.integer("seed", 0, 2**64 - 1),
        temperature=read.number("temperature", MAX_TEMPERATURE),
        max_length=read.integer("max_length", 1, MAX_GOLDEN_LENGTH),
        characters=read.integer("characters", 0, MAX_GOLDEN_LENGTH),
        sha256=read.sha256("sha256"),
    )
    read.nothing_else()
    return song


def _report(card: _Reader) -> Report | None:
    if card.value("report") is None:
        return None
    read = card.object("report")
    report = Report(
        songs=read.integer("songs", 1, 2**31),
        seed=read.integer("seed", 0, 2**64 - 1),
        ended=read.number("ended", 1.0),
        median_characters=read.number("median_characters"),
        known_words=read.number("known_words", 1.0),
        rhymes=read.number("rhymes", 1.0),
        rhymes_by_chance=read.number("rhymes_by_chance", 1.0),
        copied_lines=read.number("copied_lines", 1.0),
        longest_copied_span=read.integer("longest_copied_span", 0, 2**31),
    )
    read.nothing_else()
    return report


def _as_it_is(_name: str, value: Json) -> Json:
    return value


class _Reader:
    """Takes typed values out of a mapping, or says which one is wrong."""

    def __init__(
        self, values: Mapping[str, Json], prefix: str, parse: Callable[[str, Json], Json] = _as_it_is
    ) -> None:
        self.values, self.prefix, self.parse = values, prefix, parse
        self._read: set[str] = set()

    def value(self, key: str) -> Json:
        name = self.prefix + key
        self._read.add(name)
        if name not in self.values:
            raise ContractError("metadata", f"{name} (export its session again)", "none")
        return self.parse(name, self.values[name])

    def nothing_else(self) -> None:
        """Refuse what nobody asked for; properties without our prefix are others' business."""
        ours = {name for name in self.values if name.startswith(self.prefix)}
        if unknown := sorted(ours - self._read):
            raise ContractError("metadata", f"no {shortened(unknown[0])}", "one")

    def object(self, key: str) -> _Reader:
        prefix = f"{self.prefix}{key}."
        return _Reader({prefix + inner: value for inner, value in self.kind(key, dict).items()}, prefix)

    def kind(self, key: str, kind: type) -> Json:
        value = self.value(key)
        if type(value) is not kind:
            raise ContractError(self.prefix + key, kind.__name__, shortened(json.dumps(value)))
        return value

    def string(self, key: str) -> str:
        text: str = self.kind(key, str)
        if len(text) > MAX_STRING:
            raise ContractError(self.prefix + key, f"at most {MAX_STRING:,} characters", f"{len(text):,}")
        return text

    def sha256(self, key: str) -> str:
        text = self.string(key)
        if not re.fullmatch("[0-9a-f]{64}", text):
            raise ContractError(self.prefix + key, "64 hexadecimal digits", shortened(text))
        return text

    def integer(self, key: str, low: int, high: int) -> int:
        value: int = self.kind(key, int)
        if not low <= value <= high:
            raise ContractError(self.prefix + key, f"an integer from {low} to {high}", shortened(str(value)))
        return value

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        text = self.string(key)
        if text not in choices:
            raise ContractError(self.prefix + key, " or ".join(choices), shortened(text))
        return text

    def number(self, key: str, high: float = sys.float_info.max) -> float:
        value = self.value(key)
        if type(value) not in (int, float) or not 0 <= value <= high:  # also refuses NaN
            expected = f"a number from 0 to {high:g}"
            raise ContractError(self.prefix + key, expected, shortened(json.dumps(value)))
        return float(value)

    def exactly(self, key: str, expected: int) -> None:
        found = self.integer(key, 0, 2**31)
        if found != expected:
            raise ContractError(self.prefix + key, expected, found)

    def vocabulary(self) -> Vocabulary:
        lists: dict[str, list[str]] = {}
        for key in ("characters", "styles"):
            entries = lists[key] = self.kind(key, list)
            if len(entries) > MAX_CHARACTERS or not all(type(entry) is str for entry in entries):
                raise ContractError(
                    self.prefix + key, f"at most {MAX_CHARACTERS} strings", f"{len(entries)} entries"
                )
        try:
            return Vocabulary(tuple(lists["characters"]), tuple(lists["styles"]))
        except ValueError as error:
            what = f"{KEY_PREFIX}characters and {KEY_PREFIX}styles"
            raise ContractError(what, "a vocabulary", str(error)) from error
