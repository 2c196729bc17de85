"""The studio's server: its routes behind the guard, listening until Ctrl-C."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from lyricgen.engine.threads import choose_threads
from lyricgen.errors import LyricgenError, OptionError
from lyricgen.options import CANDIDATES
from lyricgen.studio import completions, desk
from lyricgen.studio.errors import RequestError, refusal
from lyricgen.studio.guard import Door, Guard
from lyricgen.studio.work import Workroom

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from lyricgen.generator import Model

MAX_CONNECTIONS = 512
PAGE_FOLDER = Path(__file__).parent / "page"
_PAGE = {"/": "studio.html"} | {f"/studio.{kind}": f"studio.{kind}" for kind in ("css", "js", "svg")}


def application(model: Model, door: Door, room: Workroom) -> ASGIApp:
    """Return the whole studio as an ASGI application.

    Args:
        model: writes and reads the songs.
        door: where it will listen.
        room: where it works.
    """
    handlers = {
        LyricgenError: _refuse,
        HTTPException: _refuse_http,
        ClientDisconnect: _forget,
        Exception: _admit,
    }
    app = Starlette(
        routes=[*_page_routes(), *desk.routes(model, room), *completions.routes(model, room)],
        exception_handlers=handlers,  # type: ignore[arg-type]
    )
    return Guard(app, door)


def _page_routes() -> list[Route]:
    def shown(name: str) -> Callable[[Request], Response]:
        return lambda _request: FileResponse(PAGE_FOLDER / name)

    return [Route(path, shown(name), methods=["GET"]) for path, name in _PAGE.items()]


async def _refuse(request: Request, error: LyricgenError) -> Response:
    return refusal(error, request.url.path)


async def _refuse_http(request: Request, error: HTTPException) -> Response:
    """Answer a path that nobody serves, or a wrong method."""
    wrong = RequestError(error.status_code, f"{request.method} {request.url.path}: {error.detail.lower()}")
    return refusal(wrong, request.url.path, error.headers)


async def _forget(_request: Request, _error: ClientDisconnect) -> Response:
    """Answer a client that went away before it had asked."""
    return Response(status_code=400)


async def _admit(request: Request, _error: Exception) -> Response:
    """Answer where lyricgen has a defect, whose traceback is on stderr."""
    return refusal(LyricgenError("lyricgen has a defect here; the terminal shows it"), request.url.path)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0: one that is free.

    Raises:
        OptionError: the host is not one of this machine's, or the port is taken or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
    except (OSError, ValueError, TypeError) as error:  # the latter: what is no name at all
        opened.close()
        is_taken = isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES)
        name, value = ("port", port) if is_taken else ("host", host)
        why = getattr(error, "strerror", None) or error
        raise OptionError(name, value, f"one to listen at ({why})") from None
    opened.listen(128)
    return opened


class Server(uvicorn.Server):
    """The studio, listening. `run` wants what `listen` returned; Ctrl-C ends it.

    Args:
        model: writes and reads the songs.
        door: where it listens.
        on_start: called once it answers.
    """

    def __init__(self, model: Model, door: Door, on_start: Callable[[], object]) -> None:
        self._room = Workroom(choose_threads(CANDIDATES))
        self._on_start = on_start
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # what clients do wrong is told to them
        config = uvicorn.Config(
            application(model, door, self._room),
            log_config=None,
            access_log=False,
            lifespan="off",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop the work, so that whoever waits for it is told, and then the server."""
        await asyncio.to_thread(self._room.close)
        await super().shutdown(sockets)
