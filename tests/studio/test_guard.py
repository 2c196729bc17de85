"""Who is let in, before anything is computed."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

import lyricgen
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.errors import OptionError
from lyricgen.studio import guard
from lyricgen.studio.guard import Door, Guard
from lyricgen.studio.server import listen
from tests.studio.conftest import Answer, Studio, Studios

SONG = {"form": "free", "max_length": 30, "seed": 1}


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
def test_the_names_of_this_machine_are_let_in(studio: Studio, name: str) -> None:
    host = f"{name}:{studio.door.port}"
    assert studio.ask("GET", "/api/card", host=host).status == 200
    assert studio.post("/api/write", SONG, host=host, origin=f"http://{host}").status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.:{port}", ""),
        *(
            "127.0.0.1:{port}@evil.example",
            "evil.example#127.0.0.1:{port}",
            "127.0.0.1:{port}/x",
            "127.1:{port}",
        ),
        *("::1", "[::1]:{port}x", "127.0.0.1:0{port}", "0.0.0.0:{port}", "[::ffff:127.0.0.1]:{port}"),
    ],
)
def test_other_hosts_are_refused_before_a_step(studio: Studio, host: str) -> None:
    steps = counted_steps(lambda: studio.post("/api/write", SONG, host=host.format(port=studio.door.port)))
    assert steps == (421, 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:{port}"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://localhost:{port}"},  # of another name than the one asked for
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "origin": "http://127.0.0.1:{port}"},
    ],
)
def test_other_origins_are_refused_before_a_step(studio: Studio, headers: dict[str, str]) -> None:
    named = {name: value.format(port=studio.door.port) for name, value in headers.items()}
    assert counted_steps(lambda: studio.post("/api/write", SONG, **named)) == (403, 0)
    assert studio.ask("GET", "/", **named).status == 403


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", ""],
)
@pytest.mark.parametrize("path", ["/api/write", "/api/suggest", "/v1/completions"])
def test_other_content_types_are_refused_before_a_step(studio: Studio, path: str, kind: str) -> None:
    assert counted_steps(lambda: studio.post(path, SONG, content_type=kind)) == (415, 0)


def test_json_may_say_its_charset(studio: Studio) -> None:
    assert studio.post("/api/write", SONG, content_type="Application/JSON; charset=utf-8").status == 200


def counted_steps(ask: Callable[[], Answer]) -> tuple[int, int]:
    """Return the status of a reply, and how many networks were set up for it; each step needs one."""
    begun, own = [], StepModel.__init__

    def counting(steps: StepModel, file: ModelFile, size: int = 1) -> None:
        begun.append(file)
        own(steps, file, size)

    with patch.object(StepModel, "__init__", counting):
        answer = ask()
    return answer.status, len(begun)


def test_steps_are_counted(studio: Studio) -> None:
    status, steps = counted_steps(lambda: studio.post("/api/write", SONG))
    assert (status, steps > 0) == (200, True)


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        ([b"127.0.0.1:8765"], None),
        ([b"127.0.0.1:8765", b"evil.example"], 421),
        ([b"127.0.0.1:8765", b"127.0.0.1:8765"], 421),
        ([], 421),
    ],
)
def test_there_is_one_host(hosts: list[bytes], status: int | None) -> None:
    """Asked by hand, since servers refuse two hosts already."""
    sent: list[Any] = []
    passed: list[Any] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:  # noqa: ANN401
        passed.append(scope)

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    headers = [(b"host", host) for host in hosts]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
    asyncio.run(Guard(app, Door(8765))(scope, None, send))  # type: ignore[arg-type]
    assert (sent[0]["status"] if sent else None) == status
    assert bool(passed) == (status is None)


def test_replies_say_what_a_page_may_do(studio: Studio) -> None:
    for path in ("/", "/api/card", "/nothing"):
        headers = studio.ask("GET", path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
    assert studio.ask("OPTIONS", "/api/write", origin="http://evil.example").status == 403


def head_of_a_post(studio: Studio, header: str) -> bytes:
    lines = ["POST /api/score HTTP/1.1", f"Host: 127.0.0.1:{studio.door.port}", "Connection: close"]
    return "\r\n".join([*lines, "Content-Type: application/json", header, "", ""]).encode()


@pytest.mark.parametrize("length", [guard.MAX_BODY + 1, 10**18])
def test_a_body_that_is_too_large_is_refused_unread(studio: Studio, length: int) -> None:
    with socket.create_connection(("127.0.0.1", studio.door.port)) as connection:
        connection.sendall(head_of_a_post(studio, f"Content-Length: {length}"))
        assert connection.makefile().readline().split()[1] == "413"


def test_a_body_in_chunks_that_is_too_large_is_refused(studio: Studio) -> None:
    with socket.create_connection(("127.0.0.1", studio.door.port)) as connection:
        connection.sendall(head_of_a_post(studio, "Transfer-Encoding: chunked"))
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        connection.sendall(chunk * (guard.MAX_BODY // 0x8000 + 1))
        assert connection.makefile().readline().split()[1] == "413"


def test_elsewhere_needs_the_token(new_studio: Studios, fake_model: lyricgen.Model) -> None:
    studio = new_studio(fake_model, host="0.0.0.0", token="secret")
    assert studio.door.address.endswith("/?token=secret")
    assert studio.door.address.startswith(f"http://{socket.gethostname()}:")
    studio.ask("GET", "/api/card").assert_refused(401, "token")
    studio.ask("GET", "/api/card?token=secret").assert_refused(401)
    studio.ask("GET", "/?token=wrong").assert_refused(401)
    assert studio.ask("GET", "/api/card", authorization="bearer secret").status == 200
    entered = studio.ask("GET", "/?token=secret", host="songs.example:1")
    cookie = entered.headers["set-cookie"]
    assert (entered.status, entered.headers["location"]) == (303, "/")
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert studio.ask("GET", "/api/card", cookie=f"a=b; {cookie.split(';')[0]}").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        *({"authorization": "secret"}, {"authorization": "Basic secret"}, {"authorization": "Bearer"}),
        *({"cookie": "secret"}, {"cookie": "lyricgen_token=secret"}, {"cookie": "=secret"}),
        {"authorization": "Bearer secretly"},
    ],
)
def test_other_tokens_are_refused(
    new_studio: Studios, fake_model: lyricgen.Model, headers: dict[str, str]
) -> None:
    studio = new_studio(fake_model, host="0.0.0.0", token="secret")
    studio.ask("GET", "/api/card", **headers).assert_refused(401)


def test_an_address_that_is_asked_for_is_a_name_too() -> None:
    door = Door(80, host="192.168.1.5", token="x")
    assert door.has_name("192.168.1.5")
    assert door.has_name("192.168.1.5:80")
    assert not door.has_name("192.168.1.6:80")
    assert Door(8765, host="::1").address == "http://[::1]:8765/"


@pytest.mark.parametrize("host", ["not a host", "192.0.2.1", "a" * 300, "\ud800", "::zz", "a\0b"])
def test_a_host_that_cannot_be_listened_at_is_named(host: str) -> None:
    with pytest.raises(OptionError, match="host must be one to listen at"):
        listen(host, 0)


def test_a_port_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0) as opened, pytest.raises(OptionError, match="in use"):
        listen("127.0.0.1", opened.getsockname()[1])
