"""What the studio answers: the same as the Python API, and a sentence for every mistake."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import lyricgen
from lyricgen.errors import OrtError
from lyricgen.generator import Piece
from lyricgen.studio import work
from tests.studio.conftest import Studio, Studios

DRAFT = "Low Moon\n\nThe moon is on the hill\n...\nAnd every star is still\n... light\n"
QUICK = {"candidates": 8, "seed": 3}
_CODE = "from lyricgen.__main__ import commands; commands()"
COMMAND = [sys.executable, "-c", _CODE, "studio", "--no-browser", "--port", "0"]


def port_in(line: str) -> int:
    """Return the port of the address that the command prints."""
    return int(line.rpartition(":")[2].strip().strip("/"))


def begun(port: int, asked: object) -> tuple[HTTPConnection, HTTPResponse]:
    """Ask for a song; return the connection and the reply, of which nothing is read."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/api/write", json.dumps(asked), {"content-type": "application/json"})
    return connection, connection.getresponse()


def as_sent(found: object) -> Any:  # noqa: ANN401 (as JSON has it)
    return json.loads(json.dumps(found, default=vars))


def test_the_card_names_styles_and_characters(studio: Studio) -> None:
    found = studio.ask("GET", "/api/card").found
    card = studio.model.card
    assert found["styles"] == list(card.vocabulary.styles)
    assert found["characters"] == "".join(card.vocabulary.characters)
    assert found["knows_lines"]


def test_the_forms_have_shapes(studio: Studio) -> None:
    found = studio.ask("GET", "/api/forms").found
    assert {"auto", "free", "hymn", "song"} <= found.keys()
    assert found["hymn"]


@pytest.mark.parametrize(
    "options",
    [
        {"form": "limerick", "title": "The Cat", **QUICK},
        {"rhyme": "AABB", "stanzas": 2, "about": "a lantern", "index": 5, **QUICK},
        {"form": "free", "max_length": 300, "seed": 3},
        {"draft": DRAFT, **QUICK},
        {"draft": DRAFT.replace("...", "It all is well"), "rewrite": "2", **QUICK},
    ],
)
def test_songs_are_those_of_python(studio: Studio, options: dict[str, Any]) -> None:
    events = studio.post("/api/write", options).events
    song = studio.model.generate(**options)
    assert [name for name, _ in events[-2:]] == ["song", "end"]
    assert events[-2][1] == json.loads(json.dumps(song.to_json()))
    assert "".join(found for name, found in events if name == "text") == song.text


def test_suggestions_are_those_of_python(studio: Studio) -> None:
    asked: Any = {"draft": DRAFT, "count": 2, **QUICK}
    events = studio.post("/api/suggest", asked).events
    gaps = list(studio.model.suggest(**asked))
    assert [found for name, found in events if name == "gap"] == [as_sent(gap) for gap in gaps]
    assert [name for name, _ in events] == ["gap", "gap", "end"]
    (only, _end) = studio.post("/api/suggest", {**asked, "lines": "4"}).events
    assert only[1]["line"] == 4


def test_rhymes_and_scores_are_those_of_python(studio: Studio) -> None:
    asked: Any = {"word": "night", "after": "The stars are burning", "count": 5}
    assert studio.post("/api/rhymes", asked).found == as_sent(studio.model.rhymes(**asked))
    assert studio.post("/api/score", {"text": DRAFT}).found == as_sent(studio.model.score(DRAFT))


@pytest.mark.parametrize(
    ("path", "body", "part"),
    [
        ("/api/write", b"", "an object in JSON"),
        ("/api/write", b"{", "an object in JSON"),
        ("/api/write", b"[]", "an object in JSON"),
        ("/api/write", b"[" * 100_000, "an object in JSON"),
        ("/api/write", b'{"seed": ' + b"1" * 5000 + b"}", "an object in JSON"),
        ("/api/write", b"\xff\xfe{}", "an object in JSON"),
        (
            "/api/write",
            {"temprature": 1},
            "temprature cannot be used with this request, which takes temperature, ",
        ),
        ("/api/write", {"temperature": "hot"}, "temperature must be a number"),
        ("/api/write", b'{"temperature": NaN}', "temperature"),
        ("/api/write", {"temperature": -1}, "temperature"),
        ("/api/write", {"seed": 2**64}, "seed"),
        ("/api/write", {"seed": 1.5}, "seed"),
        ("/api/write", {"index": "first"}, "index"),
        ("/api/write", {"style": "polka"}, "style must be one of"),
        ("/api/write", {"form": "verse QQQQ 900"}, "900"),
        ("/api/write", {"title": ["a"]}, "title"),
        ("/api/write", {"prompt": "☃"}, "never seen"),
        ("/api/write", {"prompt": "\ud800"}, "never seen"),
        ("/api/write", {"candidates": 2049}, "candidates must be at most 2,048 here"),
        ("/api/write", {"max_length": 10**9}, "max_length must be at most 50,000 here"),
        ("/api/write", {"prompt": "la " * 2000}, "prompt must be a text of at most 5,000 characters"),
        ("/api/rhymes", {"word": "night", "after": "la " * 2000}, "at most 5,000 characters"),
        ("/api/write", {"draft": ""}, "draft"),
        ("/api/write", {"draft": "la\n" * 5000}, "draft"),
        ("/api/suggest", {}, "draft"),
        ("/api/suggest", {"draft": DRAFT, "count": 0}, "count"),
        ("/api/suggest", {"draft": DRAFT, "lines": "99"}, "lines"),
        ("/api/suggest", {"draft": DRAFT, "threads": 99}, "threads"),
        ("/api/suggest", {"draft": "All is said"}, "no gap"),
        ("/api/rhymes", {}, "word is missing"),
        ("/api/rhymes", {"word": 5}, "word"),
        ("/api/rhymes", {"word": ""}, "word"),
        ("/api/rhymes", {"word": "night", "count": 10**9}, "count"),
        ("/api/score", {"text": ""}, "line"),
        ("/api/score", {"text": "a\0b" * 2000}, "line"),
        ("/api/score", {"song": "x"}, "song"),
    ],
)
def test_mistakes_are_a_sentence(studio: Studio, path: str, body: object, part: str) -> None:
    studio.post(path, body).assert_refused(400, part)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/write", 405),
        ("DELETE", "/api/card", 405),
        ("GET", "/api", 404),
        ("GET", "/../etc/passwd", 404),
    ],
)
def test_what_nobody_serves_is_a_sentence(studio: Studio, method: str, path: str, status: int) -> None:
    studio.ask(method, path).assert_refused(status)


def test_odd_texts_come_back_as_they_went(studio: Studio) -> None:
    text = 'Low "Moon" ☃\n\nThe moon is on the hill \U0001f600\nAnd <b>every</b> star\\n is still'
    found = studio.post("/api/score", {"text": text}).found
    assert [found["title"], *(line["text"] for line in found["lines"])] == [
        line for line in text.split("\n") if line
    ]


def test_an_error_after_the_beginning_is_an_event(studio: Studio) -> None:
    def broken(*_: object, **__: object) -> Iterator[Piece]:
        yield Piece("The Cat")
        raise OrtError("it broke")

    with patch("lyricgen.generator._composed", broken):
        events = studio.post("/api/write", {"form": "limerick"}).events
    assert events == [("text", "The Cat"), ("error", {"message": "it broke", "option": None})]


def test_an_error_of_the_network_is_no_traceback(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    with patch("lyricgen.generator.rhymes_of", side_effect=OrtError("it broke")):
        studio.post("/api/rhymes", {"word": "night"}).assert_refused(500, "it broke")
    assert not caplog.records


def test_a_model_file_that_goes_away_is_not_missed(
    new_studio: Studios, tmp_path: Path, fake_model_path: Path
) -> None:
    path = tmp_path / "fake.onnx"
    path.write_bytes(fake_model_path.read_bytes())
    studio = new_studio(lyricgen.load(path))
    path.unlink()
    assert studio.post("/api/write", {"form": "free", "seed": 1, "max_length": 50}).status == 200


def test_many_at_once_all_get_their_songs(studio: Studio) -> None:
    """200 requests, 200 songs."""

    def ask(seed: int) -> int:
        answer = studio.post("/api/write", {"form": "free", "seed": seed, "max_length": 60})
        if answer.status == 200:
            expected = studio.model.generate(form="free", seed=seed, max_length=60)
            assert answer.events[-2][1]["text"] == expected.text
        return answer.status

    with ThreadPoolExecutor(200) as pool:
        assert list(pool.map(ask, range(200))) == [200] * 200


def test_too_many_are_told_to_wait(studio: Studio) -> None:
    with patch.object(work, "MAX_JOBS", 0):
        studio.post("/api/score", {"text": DRAFT}).assert_refused(429, "try again")


def test_a_request_that_takes_too_long_ends(studio: Studio) -> None:
    with patch.object(work, "MAX_SECONDS", 0.0):
        studio.post("/api/score", {"text": DRAFT}).assert_refused(400, "ask for less")


def test_a_client_that_goes_away_with_half_a_body_is_forgotten(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(("127.0.0.1", studio.door.port)) as connection:
        lines = ["POST /api/score HTTP/1.1", f"Host: 127.0.0.1:{studio.door.port}", "Content-Length: 100"]
        head = "\r\n".join([*lines, "Content-Type: application/json", "", ""])
        connection.sendall(head.encode() + b'{"text"')
        time.sleep(0.2)
    time.sleep(0.2)
    assert studio.ask("GET", "/api/card").status == 200
    assert not caplog.records


def test_a_client_that_does_not_read_lets_its_work_rest(studio: Studio) -> None:
    done = []

    def long(*_: object, **__: object) -> Iterator[Piece]:
        for n in range(100_000):
            done.append(n)
            yield Piece("la " * 1000)

    with patch("lyricgen.generator._composed", long):
        connection, reply = begun(studio.door.port, {"form": "limerick"})
        before = -1
        while len(done) > before or not done:
            before = len(done)
            time.sleep(0.3)
        assert work.MAX_AHEAD <= len(done) < 100_000
        assert studio.post("/api/rhymes", {"word": "night"}).status == 200
        before = len(done)
        reply.read(50_000_000)
        assert len(done) > before
        reply.close()
        connection.close()


def test_a_defect_is_a_sentence_in_json(studio: Studio) -> None:
    with patch("lyricgen.generator.rhymes_of", side_effect=ZeroDivisionError):
        studio.post("/api/rhymes", {"word": "night"}).assert_refused(500, "a defect here")


def test_a_client_that_goes_away_stops_its_work(studio: Studio) -> None:
    closed = threading.Event()

    def endless(*_: object, **__: object) -> Iterator[Piece]:
        try:
            while True:
                time.sleep(0.01)
                yield Piece("la\n")
        finally:
            closed.set()

    with patch("lyricgen.generator._composed", endless):
        connection, reply = begun(studio.door.port, {"form": "limerick"})
        assert b"la" in reply.read(30)
        reply.close()
        connection.close()
        assert closed.wait(5)


def test_a_short_request_does_not_wait_for_a_long_one(studio: Studio) -> None:
    def slow(*_: object, **__: object) -> Iterator[Piece]:
        for _n in range(40):
            time.sleep(0.05)
            yield Piece("la\n")

    with patch("lyricgen.generator._composed", slow), ThreadPoolExecutor(4) as pool:
        songs = [pool.submit(studio.post, "/api/write", {"form": "limerick"}) for _ in range(4)]
        time.sleep(0.3)
        start = time.monotonic()
        assert studio.post("/api/rhymes", {"word": "night"}).status == 200
        assert time.monotonic() - start < 1
        assert not any(song.done() for song in songs)


def test_the_command_prints_its_address_and_ends_with_ctrl_c(fake_model_path: Path) -> None:
    command = [*COMMAND, "--model", str(fake_model_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        connection = HTTPConnection("127.0.0.1", port_in(process.stderr.readline()), timeout=10)
        connection.request("GET", "/api/card")
        assert connection.getresponse().status == 200
        connection.close()
        os.kill(process.pid, signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(10) == 130
    assert rest == "Ctrl-C closes it\n"


def test_ctrl_c_ends_what_is_being_written(model_server: subprocess.Popen[str]) -> None:
    """Whoever waits for a song is told, and the terminal shows nothing more."""
    assert model_server.stderr is not None
    asked = {"rhyme": "AAAA", "stanzas": 50, "candidates": 512}
    connection, reply = begun(port_in(model_server.stderr.readline()), asked)
    first = reply.readline()
    os.kill(model_server.pid, signal.SIGINT)
    text = (first + reply.read()).decode()
    connection.close()
    assert model_server.wait(20) == 130
    assert text.endswith('data: {"message":"the studio closes","option":null}\n\n')
    assert model_server.stderr.read() == "Ctrl-C closes it\n"


@pytest.fixture
def model_server() -> Iterator[subprocess.Popen[str]]:
    """`lyricgen studio` with the bundled model."""
    with subprocess.Popen(COMMAND, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_the_command_says_what_is_missing() -> None:
    code = "import sys; sys.modules['uvicorn'] = None; sys.argv = ['lyricgen', 'studio']; "
    code += "from lyricgen.__main__ import commands; commands()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: lyricgen needs uvicorn; install it with: pip install -e '.[studio]'\n"
