"""A studio that listens, and ways to ask it."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

import pytest

import lyricgen
from lyricgen.studio.guard import Door
from lyricgen.studio.server import Server, listen


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def found(self) -> Any:  # noqa: ANN401 (whatever was sent)
        return json.loads(self.text)

    @property
    def events(self) -> list[tuple[str, Any]]:
        """Server-sent events with names."""
        parts = [part.split("\n") for part in self.text.split("\n\n") if part]
        return [
            (name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in parts
        ]

    def assert_refused(self, status: int, *parts: str) -> None:
        """One sentence in JSON."""
        assert self.status == status
        said = self.found["error"]["message"]
        assert said
        assert "\n" not in said
        for part in parts:
            assert part in said


@dataclass(frozen=True)
class Studio:
    """One that runs in this process."""

    model: lyricgen.Model
    door: Door

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Ask as a program does; a body that is no bytes goes as JSON, and `_` in a header's name is `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named = {"content-type": "application/json", **named}
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = HTTPConnection("127.0.0.1", self.door.port, timeout=60)
        try:
            connection.request(method, path, body, named)
            reply = connection.getresponse()
            return Answer(reply.status, dict(reply.getheaders()), reply.read().decode())
        finally:
            connection.close()

    def post(self, path: str, body: object, **headers: str) -> Answer:
        return self.ask("POST", path, body, **headers)


Studios = Callable[..., Studio]


@pytest.fixture(scope="session")
def new_studio() -> Iterator[Studios]:
    """Makes studios; what is given beside the model are fields of their doors."""
    servers = []

    def make(model: lyricgen.Model, **door: str) -> Studio:
        started = threading.Event()
        opened = listen("127.0.0.1", 0)
        made = Door(opened.getsockname()[1], **door)
        server = Server(model, made, started.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
        thread.start()
        assert started.wait(20)
        servers.append((server, thread))
        return Studio(model, made)

    yield make
    for server, thread in servers:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def studio(new_studio: Studios) -> Studio:
    """A studio with the bundled model."""
    return new_studio(lyricgen.load())
