"""Every error that a user of lyricgen can meet, in one tree.

    LyricgenError
    ├── ModelNotFoundError      no file at the path given
    ├── ModelFormatError        a file, but not a lyricgen model that this version reads
    ├── UnknownCharacterError   text with characters that the model has never seen
    ├── DraftError              a song with gaps that makes no sense
    ├── OptionError             an option outside its range, such as a negative temperature
    ├── ExcludedOptionError     an OptionError: an option beside something that excludes it
    ├── NonFiniteLogitsError    the model computed NaN or infinity
    └── OrtError                onnxruntime could not do what it was asked to

The self-test, the studio, training and export add their own leaves (a request, a corpus, a failed proof)
under the same base, so that a caller or a command line needs to catch only `LyricgenError`. Messages say what
is wrong, where, what was expected and what to do; the facts are also attributes.
"""

from __future__ import annotations

import os
from pathlib import Path

from lyricgen.printable import printable, shortened

_SHOWN_OF_A_VALUE, _SHOWN_OF_ONNXRUNTIME = 40, 500
"""Characters."""


class LyricgenError(Exception):
    """Base of all errors that lyricgen raises on purpose. Its text is one printable line, fit for a user.

    They may be pickled, so that they come back from other processes.
    """

    def __init__(self, text: str) -> None:
        super().__init__(printable(text))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).__new__, (type(self), *self.args), vars(self)  # `__init__` wants other things


class ModelNotFoundError(LyricgenError):
    """No model file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        problem = "no such model file; is its name right? python -m export makes them"
        if os.path.exists(path):  # noqa: PTH110 (unlike pathlib's, it never raises)
            problem = "is a folder, not a model file" if path.is_dir() else "is no ordinary file"
        super().__init__(f"{path}: {problem}")


class ModelFormatError(LyricgenError):
    """The file at `path` is not a lyricgen model that this version can read: `what` is not as `expected`."""

    def __init__(self, path: Path, what: str, expected: object, found: object) -> None:
        self.path, self.what, self.expected, self.found = path, what, expected, found
        super().__init__(f"{path}: {what}: expected {expected}, found {found}")


class UnknownCharacterError(LyricgenError):
    """The text contains characters that are not in the vocabulary.

    `positions` are 0-based offsets into the text after Unicode normalisation (NFC), one for each
    of `characters`. `option` names the text ("title", "prompt") where it is known, else it is "".

    Example:
        >>> import lyricgen
        >>> try:
        ...     lyricgen.load().generate(prompt="Let it ☃")
        ... except lyricgen.UnknownCharacterError as error:
        ...     print(error.characters, error.positions, error.option)
        ['☃'] [7] prompt
    """

    def __init__(self, characters: list[str], positions: list[int], option: str = "") -> None:
        self.characters, self.positions, self.option = characters, positions, option
        places = zip(characters[:5], positions[:5], strict=True)
        shown = ", ".join(f"{character!r} at position {position + 1}" for character, position in places)
        more = f" and {len(characters) - 5} more" if len(characters) > 5 else ""
        where = f" in the {option}" if option else ""
        super().__init__(f"the model has never seen {shown}{more}{where}; leave that out or replace it")


class DraftError(LyricgenError):
    """A draft makes no sense in `line`, counted from 1; 0: as a whole.

    Example:
        >>> import lyricgen
        >>> try:
        ...     lyricgen.load().suggest(draft="All is said")
        ... except lyricgen.DraftError as error:
        ...     print(error.line, error)
        0 the draft has no gap: write ... where a line is missing, or name lines to rewrite
    """

    def __init__(self, line: int, problem: str) -> None:
        self.line, self.problem = line, problem
        super().__init__(f"the draft, line {line}: {problem}" if line else f"the draft {problem}")


class OptionError(LyricgenError, ValueError):
    """The option `name`, as the Python API spells it, has a `value` that lies outside `expected`.

    Example:
        >>> import lyricgen
        >>> try:
        ...     lyricgen.load().generate(temperature=-1)
        ... except lyricgen.OptionError as error:
        ...     print(error.name, error.value, error.expected, sep=" | ")
        temperature | -1 | a number from 0 to 100
    """

    def __init__(self, name: str, value: object, expected: str) -> None:
        self.name, self.value, self.expected = name, value, expected
        super().__init__(self.message_for(name))

    def message_for(self, name: str) -> str:
        """Return the message with `name` as the user typed it, such as --max-length."""
        text = str(self.value)
        plain = text.strip() and text.isprintable() and not (isinstance(self.value, str) and _is_number(text))
        shown = shortened(text if plain else repr(self.value), _SHOWN_OF_A_VALUE)
        return f"{name} must be {self.expected}, not {shown}"


class ExcludedOptionError(OptionError):
    """An option was given together with something that excludes it; `expected` says with what, and why."""

    def message_for(self, name: str) -> str:
        """Return the message with `name` as the user typed it, such as --epochs."""
        return f"{name} cannot be used with {self.expected}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class NonFiniteLogitsError(LyricgenError):
    """The model's scores for the character at the 0-based `position` held NaN or infinity."""

    def __init__(self, position: int) -> None:
        self.position = position
        super().__init__(
            f"the model computed a score that is not finite at character {position + 1}: "
            "its weights are damaged; export the session again"
        )


class OrtError(LyricgenError):
    """onnxruntime failed; the text is its own, or the beginning of it."""

    def __init__(self, said: str) -> None:
        super().__init__(shortened(" ".join(said.split()), _SHOWN_OF_ONNXRUNTIME))
