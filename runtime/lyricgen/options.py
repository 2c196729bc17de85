"""What can be asked of a song, and the plan that it becomes with a given model."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TypedDict

from lyricgen.engine.slots import SongPlan
from lyricgen.errors import OptionError, UnknownCharacterError
from lyricgen.model_file.card import ModelCard
from lyricgen.model_file.contract import (
    AFTER_TITLE,
    DEFAULT_MAX_LENGTH,
    MAX_INDEX,
    MAX_LENGTH_LIMIT,
    MAX_TEMPERATURE,
    MAX_TOP_K,
)


class SongOptions(TypedDict, total=False):
    """The options of `Model.stream`, which explains them, `generate` and `songs`; all can be left out.

    Example:
        >>> import lyricgen
        >>> options: lyricgen.SongOptions = {"temperature": 0.75, "seed": 7, "max_length": 100}
        >>> model = lyricgen.load()
        >>> model.generate(**options) == model.generate(**options)
        True
    """

    temperature: float | None
    top_k: int
    top_p: float
    min_p: float
    style: str | None
    title: str | None
    prompt: str
    max_length: int
    exact_length: bool
    seed: int | None


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
    prefix = _prefix(card, options.get("title"), options.get("prompt", ""))
    max_length = whole("max_length", options.get("max_length", DEFAULT_MAX_LENGTH), 1, MAX_LENGTH_LIMIT)
    if len(prefix) > max_length:
        given = "prompt" if options.get("title") is None else "title and prompt"
        raise OptionError("max_length", max_length, f"at least the {given}'s {len(prefix)} characters")
    return SongPlan(
        style=_style(card, options.get("style")),
        prefix=prefix,
        temperature=_number(
            "temperature",
            card.suggested_temperature if temperature is None else temperature,
            MAX_TEMPERATURE,
        ),
        top_k=whole("top_k", options.get("top_k", 0), 0, MAX_TOP_K),
        top_p=_number("top_p", options.get("top_p", 1.0), 1.0, above_zero=True),
        min_p=_number("min_p", options.get("min_p", 0.0), 1.0),
        max_length=max_length,
        exact_length=switch("exact_length", options.get("exact_length", False)),
        seed=choose_seed() if seed is None else whole("seed", seed, 0, MAX_INDEX),
    )


def checked_indexes(indexes: Sequence[int]) -> Sequence[int]:
    """Return indexes of songs, which nobody changes any more, if each is in range and there once.

    Raises:
        OptionError: they are not.
    """
    try:
        len(indexes)  # what has no end is not gathered
        found = indexes if isinstance(indexes, range) else tuple(indexes)
    except TypeError:
        raise OptionError("indexes", indexes, "a range or a list, such as range(100)") from None
    except OverflowError:
        raise OptionError("indexes", indexes, "fewer") from None
    for index in (*found[:1], *found[-1:]) if isinstance(found, range) else found:
        whole("index", index, 0, MAX_INDEX)
    if not isinstance(found, range) and len(set(found)) < len(found):
        ((twice, _),) = Counter(found).most_common(1)
        raise OptionError("indexes", twice, "different numbers")
    return found


def choose_seed() -> int:
    """Return a seed that nobody chose, below 10**9: short enough to type again."""
    return secrets.randbelow(10**9)


def _prefix(card: ModelCard, title: str | None, prompt: str) -> list[int]:
    """Return the token ids of all that the song is to begin with."""
    if title is None:
        return _encoded(card, "prompt", prompt)
    if not card.title_line:
        raise OptionError("title", title, "left out (this model's songs have no titles)")
    if isinstance(title, str) and not title.strip():
        raise OptionError("title", title, "left out, or one line of text that is not empty")
    if not isinstance(title, str) or len(title.strip().splitlines()) != 1:
        raise OptionError("title", title, "one line of text")
    line = " ".join(title.split())  # as training cleans them
    return _encoded(card, "title", line + AFTER_TITLE) + _encoded(card, "prompt", prompt)


def _encoded(card: ModelCard, option: str, text: str) -> list[int]:
    if not isinstance(text, str):
        raise OptionError(option, text, "text")
    try:
        return card.vocabulary.encode(text.replace("\r\n", "\n").replace("\r", "\n"))
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


def switch(name: str, value: object) -> bool:
    """Return the value of an option if it is True or False.

    Raises:
        OptionError: it is not.
    """
    if not isinstance(value, bool):
        raise OptionError(name, value, "True or False")
    return value


def _number(name: str, value: float, high: float, *, above_zero: bool = False) -> float:
    fits = not isinstance(value, bool) and isinstance(value, Real) and 0 <= value <= high
    if not fits or (above_zero and value == 0):
        span = f"above 0, up to {high:g}" if above_zero else f"from 0 to {high:g}"
        raise OptionError(name, value, f"a number {span}")
    return float(value)


def whole(name: str, value: int, low: int, high: int) -> int:
    """Return the value of an option if it is a whole number from `low` to `high`.

    Raises:
        OptionError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= value <= high:
        raise OptionError(name, value, f"a whole number from {low} to {high}")
    return int(value)
