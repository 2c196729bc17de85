"""What can be asked of a song, and the plan that it becomes with a given model."""

from __future__ import annotations

import secrets
from numbers import Integral, Real
from typing import TypedDict

from lyricgen.card import ModelCard
from lyricgen.contract import AFTER_TITLE, DEFAULT_MAX_LENGTH, MAX_LENGTH_LIMIT, MAX_TEMPERATURE
from lyricgen.engine import SongPlan
from lyricgen.errors import OptionError, UnknownCharacterError


class SongOptions(TypedDict, total=False):
    """The options of `Model.stream`, which explains them, and `Model.generate`; all can be left out."""

    temperature: float | None
    style: str | None
    title: str | None
    prompt: str
    max_length: int
    seed: int | None
    index: int


def plan_song(card: ModelCard, options: SongOptions) -> SongPlan:
    """Check every option against its range and the model, and fill in those that were left out.

    Raises:
        OptionError: an option is out of its range, or not for this model.
        UnknownCharacterError: the title or prompt has characters that the model has never seen.
        TypeError: there is no such option.
    """
    known = SongOptions.__annotations__
    if unknown := sorted(options.keys() - known.keys()):
        raise TypeError(f"songs have no option {unknown[0]!r}, but {', '.join(known)}")
    temperature, seed = options.get("temperature"), options.get("seed")
    beginning = _beginning(card, options.get("title"), options.get("prompt", ""))
    max_length = _whole("max_length", options.get("max_length", DEFAULT_MAX_LENGTH), 1, MAX_LENGTH_LIMIT)
    if len(beginning) > max_length:
        given = "prompt" if options.get("title") is None else "title and prompt"
        raise OptionError("max_length", max_length, f"at least the {given}'s {len(beginning)} characters")
    return SongPlan(
        style=_style(card, options.get("style")),
        beginning=beginning,
        temperature=_temperature(card.suggested_temperature if temperature is None else temperature),
        max_length=max_length,
        seed=choose_seed() if seed is None else _whole("seed", seed, 0, 2**64 - 1),
        index=_whole("index", options.get("index", 0), 0, 2**64 - 1),
    )


def choose_seed() -> int:
    """Return a seed that nobody chose, short enough to type again."""
    return secrets.randbelow(10**9)


def _beginning(card: ModelCard, title: str | None, prompt: str) -> list[int]:
    """Return the token ids of all that the song is to begin with."""
    if title is None:
        return _encoded(card, "prompt", prompt)
    if not card.title_line:
        raise OptionError("title", title, "left out (this model's songs have no titles)")
    if not isinstance(title, str) or len(title.strip().splitlines()) != 1:
        raise OptionError("title", title, "one line of text")
    line = " ".join(title.split())  # as training cleans them
    return _encoded(card, "title", line + AFTER_TITLE) + _encoded(card, "prompt", prompt)


def _encoded(card: ModelCard, option: str, text: str) -> list[int]:
    try:
        return card.vocabulary.encode(text)
    except UnknownCharacterError as error:
        raise UnknownCharacterError(error.characters, error.positions, option) from None


def _style(card: ModelCard, name: str | None) -> int | None:
    if name is None:
        return None
    styles = card.vocabulary.styles
    if not styles:
        raise OptionError("style", name, "left out (this model has no styles)")
    try:
        return card.vocabulary.style_token(str(name))
    except ValueError:
        raise OptionError("style", name, f"one of {', '.join(styles)}") from None


def _temperature(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= MAX_TEMPERATURE:
        raise OptionError("temperature", value, f"a number from 0 to {MAX_TEMPERATURE:g}")
    return float(value)


def _whole(name: str, value: int, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= value <= high:
        raise OptionError(name, value, f"a whole number from {low} to {high}")
    return int(value)
