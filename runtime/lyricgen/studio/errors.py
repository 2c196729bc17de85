"""What is wrong with a request: a status and one sentence, in the shape that its path has."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from lyricgen.errors import DraftError, LyricgenError, OptionError, UnknownCharacterError
from lyricgen.studio.work import BusyError, ClosingError, TooLongError

_PROTOCOL = "/v1/"
"""How the paths of the completions protocol begin, whose errors have another shape."""


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
    if isinstance(error, ClosingError):
        return 503
    if isinstance(error, (OptionError, DraftError, UnknownCharacterError, TooLongError)):
        return 400
    return 500


def said(error: LyricgenError, path: str) -> dict[str, object]:
    """Return what the reply to a request for `path` says of an error."""
    if not path.startswith(_PROTOCOL):
        return {"error": {"message": str(error), "option": _option_of(error)}}
    status = status_of(error)
    kinds = {429: "rate_limit_error", 500: "server_error", 503: "server_error"}
    kind = kinds.get(status, "invalid_request_error")
    code = "model_not_found" if status == 404 else None
    return {"error": {"message": str(error), "type": kind, "param": _option_of(error), "code": code}}


def refusal(error: LyricgenError, path: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the reply to a request for `path` that says an error."""
    return JSONResponse(said(error, path), status_of(error), headers)


def _option_of(error: LyricgenError) -> str | None:
    """Return the name of the option that an error is about; None if it is about none."""
    if isinstance(error, OptionError):
        return error.name
    if isinstance(error, DraftError):
        return "draft"
    return (error.option or None) if isinstance(error, UnknownCharacterError) else None
