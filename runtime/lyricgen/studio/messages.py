"""What comes in and goes out, whoever speaks: bodies, replies in JSON, streams of server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.responses import Response, StreamingResponse

from lyricgen.errors import LyricgenError, OptionError
from lyricgen.studio.errors import RequestError

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_PROMPT = 5_000
"""Characters; a prompt is read in one chunk."""


async def read_body(request: Request) -> dict[str, Any]:
    """Return the object that a request carries.

    Raises:
        RequestError: it carries none.
    """
    try:
        found = json.loads(await request.body())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RequestError(400, "the body must be an object in JSON")
    return found


def check_prompt(name: str, text: object) -> None:
    """Raise an OptionError if a text is longer than what is read in one chunk."""
    if isinstance(text, str) and len(text) > MAX_PROMPT:
        raise OptionError(name, text, f"a text of at most {MAX_PROMPT:,} characters")


def as_json(found: object) -> str:
    """Return something in JSON; dataclasses become objects."""
    return json.dumps(found, default=asdict, separators=(",", ":"))  # ASCII: a surrogate may stand alone


def reply(found: object) -> Response:
    """Return a reply in JSON."""
    return Response(as_json(found), media_type="application/json")


async def streamed(
    chunks: AsyncGenerator[Any],
    event: Callable[[Any], str],
    end: Callable[[], str],
    failure: Callable[[LyricgenError], str],
) -> Response:
    """Return a stream of events; what is wrong before the first one is raised, and so becomes a status.

    Args:
        chunks: of a `Workroom`.
        event: what a chunk is to the client; "" for nothing.
        end: what follows the last one.
        failure: what follows instead where an error comes.
    """
    first = await anext(chunks, None)

    async def sent() -> AsyncGenerator[str]:
        async with aclosing(chunks):
            try:
                if first is not None:
                    yield event(first)
                async for chunk in chunks:
                    yield event(chunk)
                yield end()
            except LyricgenError as error:
                yield failure(error)

    return StreamingResponse(sent(), media_type="text/event-stream")
