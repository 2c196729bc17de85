"""The card: what a model file says about itself, and its form as the file's string properties.

Each property is called `lyricgen.<key>` and holds JSON. Only the standard library is imported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from lyricgen.model_file import contract
from lyricgen.model_file.contract import FORMAT_VERSION, KEY_PREFIX, OLDER_FORMATS, ContractError
from lyricgen.model_file.shape import Shape
from lyricgen.printable import shortened
from lyricgen.schema import MaxLength, Pattern, Range, SchemaError, annotations_of, from_json, parse
from lyricgen.vocabulary import SOS, Vocabulary

Json = Any
"""What json.loads returns."""
Text = Annotated[str, MaxLength(contract.MAX_STRING)]
Sha256 = Annotated[str, Pattern("[0-9a-f]{64}", "64 hexadecimal digits")]
Count = Annotated[int, Range(0, 2**62)]
CountFrom1 = Annotated[int, Range(1, 2**62)]
Seed = Annotated[int, Range(0, 2**64 - 1)]
Amount = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
Temperature = Annotated[float, Range(0, contract.MAX_TEMPERATURE)]
Precision = Annotated[str, Pattern("|".join(contract.PRECISIONS), " or ".join(contract.PRECISIONS))]
Shapes = Annotated[tuple[Shape, ...], MaxLength(contract.MAX_SHAPES)]
KnownLines = Annotated[
    str,
    MaxLength(contract.MAX_KNOWN_LINES),
    Pattern("([0-9]{1,9}:[A-Za-z0-9+/]*={0,2})?", "a number and base64"),
]
RhymeGroups = Annotated[
    tuple[Annotated[str, Pattern("[^ \\n]{1,100}( [^ \\n]{1,100})+", "words")], ...],
    MaxLength(contract.MAX_RHYMES),
]
Strings = Annotated[tuple[str, ...], MaxLength(contract.MAX_CHARACTERS)]


@dataclass(frozen=True)
class Provenance:
    """Where a model comes from."""

    session: Text
    """Name of the training session, such as session_3."""
    corpus: Text
    """Name of its file."""
    corpus_sha256: Sha256
    corpus_licence: Text
    """Rights in the texts, in the trainer's words."""
    training_characters: Count
    base_model: Text
    """What it was fine-tuned from, such as "session_0, trained on songs.csv (public domain)", or empty."""
    creating_version: Text
    """Version of lyricgen that exported the model."""


@dataclass(frozen=True)
class HeldOut:
    """How well the model predicts songs that it was not trained on."""

    songs: Text
    """Which songs: "session_3, held out", or the name of a file."""
    symbols: CountFrom1
    """Symbols measured over: characters, and one EOS for each song."""
    coverage: Share
    """Share of the songs' characters that the model knows; the others were left out."""
    bits_per_character: Amount
    """Bits per character of this file."""
    pytorch_bits_per_character: Amount
    """Those of the trained model in PyTorch, in fp32."""
    fp32_bits_per_character: Amount
    int8_bits_per_character: Amount
    """Those of the same session, exported in either precision."""


@dataclass(frozen=True)
class Parity:
    """How far the file is from the trained model in PyTorch, in float64, over steps with carried state."""

    steps: Count
    max_logit_difference: Amount
    """As a share of max(1, |logit|)."""
    max_state_difference: Amount
    """In the final hidden and cell state, as a share of max(1, |value|)."""
    kl_divergence: Amount
    """Mean Kullback-Leibler divergence of the next character's distribution, in bits per step."""
    argmax_agreement: Share
    """Share of steps in which both find the same character likeliest."""


@dataclass(frozen=True)
class GoldenSong:
    """A song that the model wrote when it was exported, to find out whether it comes out elsewhere."""

    seed: Seed
    temperature: Temperature
    max_length: Annotated[int, Range(1, contract.MAX_GOLDEN_LENGTH)]
    """In characters."""
    characters: Annotated[int, Range(0, contract.MAX_GOLDEN_LENGTH)]
    sha256: Sha256
    """SHA-256 of the song's text in UTF-8."""


@dataclass(frozen=True)
class Report:
    """What songs at the suggested temperature are like; shares are from 0 to 1."""

    songs: CountFrom1
    seed: Seed
    ended: Share
    """Share of the songs that ended by themselves."""
    median_characters: Amount
    known_words: Share
    """Share of their words that the songs of the training or a dictionary have."""
    rhymes: Share
    """Share of their lines that rhyme with a line near by: in English by sound, else by spelling."""
    rhymes_by_chance: Share
    """The same after the ends of all lines were shuffled."""
    copied_lines: Share
    """Share of their lines of four words or more that stand in the songs of the training."""
    longest_copied_span: Count
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
    layers: Annotated[int, Range(1, contract.MAX_LAYERS)]
    """LSTM layers on top of each other (L)."""
    hidden_size: Annotated[int, Range(1, contract.MAX_HIDDEN_SIZE)]
    """Units per layer (H)."""
    precision: Precision
    """Arithmetic of the products: int8 or fp32."""
    suggested_temperature: Temperature
    title_line: bool
    """Whether songs begin with a title line followed by an empty line."""
    tensors_sha256: Sha256
    """SHA-256 of the bytes of all tensors, one after the other."""
    provenance: Provenance
    held_out: HeldOut | None
    """None where no such songs were at hand."""
    parity: Parity
    golden_song: GoldenSong
    report: Report | None = None
    """None where nobody measured its songs."""
    about: Text = ""
    """What a person should know of the model, in its maker's words; one paragraph."""
    language: Literal["en", "spelling"] = "spelling"
    """How the words of its songs sound: as English ones, or as they are spelled."""
    suggested_form: Literal["auto", "free"] = "free"
    """What songs without a wish for a form should have: one of the `shapes`, or none."""
    suggested_styles: Annotated[tuple[str, ...], MaxLength(contract.MAX_SUGGESTED_STYLES)] = ()
    """What songs without a wish for a style should have, in turns; none: no style."""
    known_lines: KnownLines = ""
    """Fingerprints of the lines of four words or more that it read; "": none. See `song.originality`."""
    shapes: Shapes = ()
    """The commonest shapes of the songs of the training: of all of them, and of each style."""
    rhymes: RhymeGroups = ()
    """The commonest words that end lines of the training, in groups that rhyme, between spaces."""

    def to_json(self) -> dict[str, Json]:
        """Return the card as a dictionary that JSON can hold, keys as in the file without their prefix."""
        words, facts = self.vocabulary, asdict(self)
        del facts["vocabulary"]
        lists = {"characters": list(words.characters), "styles": list(words.styles)}
        facts |= {"suggested_styles": list(self.suggested_styles)}
        facts |= {"shapes": list(map(str, self.shapes)), "rhymes": list(self.rhymes)}
        return {"format": FORMAT_VERSION, **lists, "sos": SOS, "eos": words.eos, **facts}

    def to_properties(self) -> dict[str, str]:
        """Return the card as string properties for the file; the inverse of `from_properties`."""
        values = self.to_json()
        for key in _OPTIONAL:
            if not values[key]:
                del values[key]
        return {KEY_PREFIX + key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> ModelCard:
        """Read a card from a file's string properties; those without our prefix are ignored.

        Raises:
            ContractError: a `ValueError`: a property is missing, unknown, of the wrong kind or out of range.
        """
        ours = {name: text for name, text in properties.items() if name.startswith(KEY_PREFIX)}
        facts = {name.removeprefix(KEY_PREFIX): _parsed(name, text) for name, text in ours.items()}
        try:
            _check_keys(facts)
            vocabulary = _take_vocabulary(facts)
            facts["shapes"] = _read_shapes(facts.get("shapes", []), vocabulary)
            card = from_json(cls, {"vocabulary": vocabulary} | facts, KEY_PREFIX.rstrip("."))
        except SchemaError as error:
            raise ContractError(error.name, error.expected, shortened(str(error.found))) from error
        _check_styles("suggested_styles", card.suggested_styles, vocabulary)
        return card


_NEW = ("language", "suggested_form", "suggested_styles", "known_lines", "shapes", "rhymes")
"""Keys that format 1 does not have."""
_OPTIONAL = ("suggested_styles", "known_lines")
"""Not in the file where they are empty: the keys came when there were files of format 2."""


def _check_keys(facts: dict[str, Json]) -> None:
    """Remove the format's version; refuse an unknown one, and a card that lacks a key or has one too many."""
    version = parse(int, facts.pop("format", None), f"{KEY_PREFIX}format")
    if version not in (FORMAT_VERSION, *OLDER_FORMATS):
        expected = f"{FORMAT_VERSION} (upgrade with: pip install -U lyricgen)"
        raise ContractError("model format", expected, version)
    keys = ["characters", "styles", "sos", "eos", *annotations_of(ModelCard)]  # also those with a default
    for key in ["vocabulary", *(_NEW if version in OLDER_FORMATS else [])]:
        keys.remove(key)
    if missing := [key for key in keys if key not in facts and key not in _OPTIONAL]:
        raise ContractError("metadata", f"{KEY_PREFIX}{missing[0]} (export its session again)", "none")
    if unknown := sorted(facts.keys() - set(keys)):
        raise ContractError("metadata", f"no {KEY_PREFIX}{shortened(unknown[0])}", "one")


def _take_vocabulary(facts: dict[str, Json]) -> Vocabulary:
    """Remove from `facts` what describes the vocabulary, and return it."""
    lists = [parse(Strings, facts.pop(key), KEY_PREFIX + key) for key in ("characters", "styles")]
    try:
        vocabulary = Vocabulary(*lists)
    except ValueError as error:
        what = f"{KEY_PREFIX}characters and {KEY_PREFIX}styles"
        raise ContractError(what, "a vocabulary", str(error)) from error
    for key, expected in (("sos", SOS), ("eos", vocabulary.eos)):
        parse(Annotated[int, Range(expected, expected)], facts.pop(key), KEY_PREFIX + key)
    return vocabulary


def _read_shapes(found: Json, vocabulary: Vocabulary) -> tuple[Shape, ...]:
    name = f"{KEY_PREFIX}shapes"
    texts = parse(Annotated[tuple[str, ...], MaxLength(contract.MAX_SHAPES)], found, name)
    try:
        shapes = tuple(map(Shape.of, texts))
    except ValueError as error:
        expected = "texts such as '0.21 verse ABAB 8,6,8,6 | hymn'"
        raise ContractError(name, expected, shortened(str(error), 100)) from error
    _check_styles("shapes", (shape.style for shape in shapes if shape.style), vocabulary)
    return shapes


def _check_styles(key: str, names: Iterable[str], vocabulary: Vocabulary) -> None:
    if unknown := set(names) - set(vocabulary.styles):
        raise ContractError(KEY_PREFIX + key, f"styles of {KEY_PREFIX}styles", shortened(min(unknown)))


_LIMITS = dict.fromkeys(("characters", "shapes", "rhymes"), contract.MAX_VOCABULARY_TEXT)
_LIMITS["known_lines"] = contract.MAX_KNOWN_LINES + 2
"""Characters of long properties, with their quotes."""


def _parsed(name: str, text: str) -> Json:
    limit = _LIMITS.get(name.removeprefix(KEY_PREFIX), contract.MAX_PROPERTY_TEXT)
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
    return re.search(r"[\[{][^]}]*[\[{]", "".join(outside_strings)) is not None


def _without_repeats(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found
