"""The studio's server: its routes behind the guard, listening until Ctrl-C."""

from __future__ import annotations

import errno
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from lyricgen.engine.threads import choose_threads
from lyricgen.errors import LyricgenError, OptionError
from lyricgen.options import CANDIDATES
from lyricgen.studio import completions, desk
from lyricgen.studio.errors import RequestError
from lyricgen.studio.guard import Door, Guard
from lyricgen.studio.work import Workroom

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from lyricgen.generator import Model

PAGE_FOLDER = Path(__file__).parent / "page"
_PAGE = {"/": "studio.html"} | {f"/studio.{kind}": f"studio.{kind}" for kind in ("css", "js", "svg")}


def application(model: Model, door: Door, threads: int | None = None) -> ASGIApp:
    """Return the whole studio as an ASGI application.

    Args:
        model: writes and reads the songs.
        door: where it will listen.
        threads: how many work; None: as many as the process may use CPUs.
    """
    room = Workroom(threads or choose_threads(CANDIDATES))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            room.close()

    app = Starlette(
        routes=[*_page_routes(), *desk.routes(model, room), *completions.routes(model, room)],
        exception_handlers={LyricgenError: _refuse, HTTPException: _refuse_http},  # type: ignore[dict-item]
        lifespan=lifespan,
    )
    return Guard(app, door)


def _page_routes() -> list[Route]:
    def shown(name: str) -> Callable[[Request], Response]:
        return lambda _request: FileResponse(PAGE_FOLDER / name)

    return [Route(path, shown(name), methods=["GET"]) for path, name in _PAGE.items()]


async def _refuse(_request: Request, error: LyricgenError) -> Response:
    return desk.refusal(error)


async def _refuse_http(request: Request, error: HTTPException) -> Response:
    """Answer a path that nobody serves, or a wrong method."""
    said = f"{request.method} {request.url.path}: {error.detail.lower()}"
    return desk.refusal(RequestError(error.status_code, said))


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


def new_server(model: Model, door: Door, on_start: Callable[[], object]) -> uvicorn.Server:
    """Return the server of the studio; its `run` wants what `listen` returned. Ctrl-C ends it.

    Args:
        model: writes and reads the songs.
        door: where it listens.
        on_start: called once it answers.
    """

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_start()

    return Server(
        uvicorn.Config(
            application(model, door),
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=1,
            server_header=False,
        )
    )
