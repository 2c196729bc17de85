"""Which requests are let in: those of the page itself and of programs on this machine.

A page of another site can make a browser send requests to 127.0.0.1, or let a name of its own point there
(DNS rebinding). What it cannot do is to choose the headers Host, Origin and Sec-Fetch-Site. So these are
checked first, before anything is read or computed.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import JSONResponse

from lyricgen.studio.errors import RequestError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 256 * 1024
"""Bytes."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_COOKIE = "lyricgen_token"
_HTTP_PORT = 80
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
"""Of every reply."""


@dataclass(frozen=True)
class Door:
    """Where the server listens, and who may come in."""

    port: int
    host: str = "127.0.0.1"
    """As it was asked for; an IPv6 address without brackets."""
    token: str = ""
    """What a request must carry; "" if the server listens on this machine only."""

    @property
    def shown_host(self) -> str:
        """The host as it stands in an address."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def address(self) -> str:
        """What a person types into a browser."""
        return f"http://{self.shown_host}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def has_name(self, host: str) -> bool:
        """Tell whether a Host header names this server; where anybody may ask, the token decides instead."""
        if self.host in ("0.0.0.0", "::"):  # noqa: S104 (compared, not bound)
            return True
        names = {*LOOPBACK, self.shown_host.lower()}
        ports = {f":{self.port}", *([""] if self.port == _HTTP_PORT else [])}
        return host.lower() in {name + port for name in names for port in ports}


class Guard:
    """An ASGI application around another: refuses requests from elsewhere and limits what is read of them.

    Args:
        app: what answers the requests that are let in.
        door: where it listens.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a web socket, which nobody offers
            return
        headers = _headers(scope)
        cookie = ""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = {**_HEADERS, **({"set-cookie": cookie} if cookie else {})}
                own = [(name.encode(), value.encode()) for name, value in added.items()]
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        try:
            self._check(scope, headers)
            if self._door.token and _token_in_query(scope):
                cookie = f"{_COOKIE}_{self._door.port}={self._door.token}; HttpOnly; SameSite=Strict; Path=/"
            await self._app(scope, _limited(receive), send_with_headers)
        except RequestError as error:
            refused = JSONResponse({"error": {"message": str(error), "option": None}}, error.status)
            await refused(scope, receive, send_with_headers)

    def _check(self, scope: Scope, headers: dict[str, list[str]]) -> None:
        hosts, origins = headers.get("host", []), headers.get("origin", [])
        if len(hosts) != 1 or not self._door.has_name(hosts[0]):
            raise RequestError(421, f"this server is {self._door.shown_host}:{self._door.port}; ask for that")
        if origins and origins != [f"http://{hosts[0]}"]:
            raise RequestError(403, "only the studio's own page may ask")
        if not {"same-origin", "none"}.issuperset(headers.get("sec-fetch-site", [])):
            raise RequestError(403, "only the studio's own page may ask")
        if self._door.token and not self._has_token(scope, headers):
            raise RequestError(401, "open the address that the server printed, with its token")
        if scope["method"] == "POST":
            kind = headers.get("content-type", [""])[0].partition(";")[0].strip().lower()
            if kind != "application/json":
                raise RequestError(415, "the content type must be application/json")
            length = headers.get("content-length", ["0"])[0]
            if not length.isdecimal() or len(length) > len(str(MAX_BODY)) or int(length) > MAX_BODY:
                raise _too_large()

    def _has_token(self, scope: Scope, headers: dict[str, list[str]]) -> bool:
        bearer = [value.removeprefix("Bearer ") for value in headers.get("authorization", [])]
        cookies = [
            crumb.strip().removeprefix(f"{_COOKIE}_{self._door.port}=")
            for value in headers.get("cookie", [])
            for crumb in value.split(";")
        ]
        shown = [*_token_in_query(scope), *bearer, *cookies]
        wanted = self._door.token.encode()
        return any(secrets.compare_digest(one.encode(), wanted) for one in shown)


def _token_in_query(scope: Scope) -> list[str]:
    return parse_qs(scope["query_string"].decode("latin-1")).get("token", [])


def _headers(scope: Scope) -> dict[str, list[str]]:
    """Return a request's headers: all values by the name in small letters."""
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _limited(receive: Receive) -> Receive:
    """Return a `receive` that raises a RequestError once more came than a body may hold."""
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > MAX_BODY:
            raise _too_large()
        return message

    return limited


def _too_large() -> RequestError:
    return RequestError(413, f"a request may have at most {MAX_BODY:,} bytes")
