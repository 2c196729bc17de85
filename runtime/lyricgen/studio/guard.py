"""Which requests are let in: those of the page itself and of programs on this machine.

A page of another site can make a browser send requests to 127.0.0.1, or let a name of its own point there
(DNS rebinding). What it cannot do is to choose the headers Host, Origin and Sec-Fetch-Site. So these are
checked first, before anything is read or computed.
"""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import RedirectResponse

from lyricgen.studio.errors import RequestError, refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 256 * 1024
"""Bytes."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 (compared, not bound)
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
    """Where the server listens, and who may come in.

    Example:
        >>> from lyricgen.studio.guard import Door
        >>> Door(8765).address, Door.opened(8765, "127.0.0.1").token
        ('http://127.0.0.1:8765/', '')
        >>> len(Door.opened(8765, "192.168.1.5").token)
        32
    """

    port: int
    host: str = "127.0.0.1"
    """As it was asked for; an IPv6 address without brackets."""
    token: str = ""
    """What a request must carry; "" if the server listens on this machine only."""

    @classmethod
    def opened(cls, port: int, host: str) -> Door:
        """Return a door with a new token, if other machines can knock at it."""
        return cls(port, host, "" if host in LOOPBACK else secrets.token_urlsafe(24))

    @property
    def shown_host(self) -> str:
        """The host as it stands in an address: this machine's name if it listens at all of its addresses."""
        host = socket.gethostname() if self.host in _EVERYWHERE else self.host
        return _in_address(host)

    @property
    def address(self) -> str:
        """What a person types into a browser."""
        return f"http://{self.shown_host}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def has_name(self, host: str) -> bool:
        """Tell whether a Host header names this server; where anybody may ask, the token decides instead."""
        if self.host in _EVERYWHERE:
            return True
        names = {_in_address(name).lower() for name in (*LOOPBACK, self.host)}
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
        if scope["type"] != "http":  # a web socket, which nobody offers
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        try:
            self._check(scope, _headers(scope))
            app = self._entrance() if self._brings_token(scope) else self._app
            await app(scope, _limited(receive), send_with_headers)
        except RequestError as error:
            await refusal(error, scope["path"])(scope, receive, send_with_headers)

    def _brings_token(self, scope: Scope) -> bool:
        """Tell whether a person opened the address that was printed."""
        return bool(self._door.token) and scope["path"] == "/" and bool(_token_in_query(scope))

    def _entrance(self) -> RedirectResponse:
        """Return a reply that moves the token from the address to a cookie."""
        reply = RedirectResponse("/", status_code=303)
        reply.set_cookie(self._cookie, self._door.token, httponly=True, samesite="strict")
        return reply

    @property
    def _cookie(self) -> str:
        return f"lyricgen_token_{self._door.port}"

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
        shown = _token_in_query(scope) if scope["path"] == "/" else []
        for value in headers.get("authorization", []):
            scheme, _, token = value.partition(" ")
            shown += [token.strip()] if scheme.lower() == "bearer" else []
        for crumb in ";".join(headers.get("cookie", [])).split(";"):
            name, _, token = crumb.strip().partition("=")
            shown += [token] if name == self._cookie else []
        return any(secrets.compare_digest(one.encode(), self._door.token.encode()) for one in shown)


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


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
