"""What is wrong with a request: a status and one sentence."""

from __future__ import annotations

from lyricgen.errors import DraftError, LyricgenError, OptionError, UnknownCharacterError
from lyricgen.studio.work import BusyError, TooLongError


class RequestError(LyricgenError):
    """A request that is refused with `status`, a number of HTTP from 400 to 499."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


def status_of(error: LyricgenError) -> int:
    """Return the status of a reply that says this error."""
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, BusyError):
        return 429
    if isinstance(error, (OptionError, DraftError, UnknownCharacterError, TooLongError)):
        return 400
    return 500


def option_of(error: LyricgenError) -> str | None:
    """Return the name of the option that an error is about; None if it is about none."""
    if isinstance(error, OptionError):
        return error.name
    if isinstance(error, DraftError):
        return "draft"
    return (error.option or None) if isinstance(error, UnknownCharacterError) else None
