"""How fast the studio answers, alone and with eight clients at once, and what an hour of load leaves.

    python -m benchmarks.studio                 half a minute of load
    python -m benchmarks.studio --minutes 60    an hour

The studio runs as a command of its own, with the bundled model; clients are threads of this process.
"""

from __future__ import annotations

import json
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

import lyricgen
from benchmarks import columns, run
from lyricgen.engine.threads import choose_threads
from lyricgen.errors import LyricgenError
from lyricgen.options import CANDIDATES

CLIENTS, ASKED = 8, 20
DRAFT = "Low Moon\n\nThe moon is on the hill\n...\nAnd every star is still\nAnd I am on my way\n"
SONG = {"form": "song", "title": "Low Moon"}
_row = columns(52, 12)
_LINE = re.compile(r"event: open\n|event: text\ndata: .*\\n")  # not the title alone


def main(
    minutes: Annotated[float, typer.Option(help="How long the mixed load lasts.")] = 0.5,
    songs: Annotated[int, typer.Option(help="Songs that are written with eight clients, and without.")] = 48,
) -> None:
    """Measure the studio."""
    with _studio() as (port, process):
        _ask(port, "/api/write", {**SONG, "seed": 0})
        _row("median seconds to the first line", f"{_median(lambda n: _first_event(port, n)):.2f}")
        _row("median seconds for 8 suggestions", f"{_median(lambda n: _suggest(port, n)):.2f}")
        alone, together = _songs_alone(songs), _songs_together(port, songs)
        _row(f"songs a second, {CLIENTS} clients / --samples", f"{together / alone:.2f}")
        _load(port, process, minutes)


@contextmanager
def _studio() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    code = "from lyricgen.__main__ import commands; commands()"
    command = [sys.executable, "-c", code, "studio", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            said = ""
            for line in process.stderr or ():
                said += line
                if found := re.search(r":(\d+)/$", line):
                    threading.Thread(target=process.communicate, daemon=True).start()  # reads what it says
                    yield int(found[1]), process
                    return
            raise LyricgenError(f"the studio does not open: {said}")
        finally:
            process.terminate()


def _ask(port: int, path: str, body: object) -> str:
    """Return the reply to a request, made over a connection of its own."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=300)) as connection:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        reply = connection.getresponse()
        text = reply.read().decode()
    if reply.status != 200:
        raise LyricgenError(f"{path}: {text}")
    return text


def _median(seconds: Callable[[int], float]) -> float:
    return statistics.median(seconds(n) for n in range(ASKED))


def _first_event(port: int, seed: int) -> float:
    """Return the seconds until the first line of a song is there; then go away."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    start = time.perf_counter()
    body = json.dumps({**SONG, "seed": seed})
    connection.request("POST", "/api/write", body, {"content-type": "application/json"})
    reply = connection.getresponse()
    text = ""
    while not _LINE.search(text):
        if not (line := reply.readline()):
            raise LyricgenError(f"/api/write: {reply.status} {text}")
        text += line.decode()
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


def _suggest(port: int, seed: int) -> float:
    start = time.perf_counter()
    _ask(port, "/api/suggest", {"draft": DRAFT, "seed": seed})
    return time.perf_counter() - start


def _songs_alone(number: int) -> float:
    """Return songs a second, written side by side by as many threads as the studio has."""
    model = lyricgen.load()
    model.generate(seed=0, **SONG)  # type: ignore[arg-type]
    start = time.perf_counter()
    threads = choose_threads(CANDIDATES)
    written = list(model.songs(range(number), seed=1, threads=threads, **SONG))  # type: ignore[arg-type]
    return len(written) / (time.perf_counter() - start)


def _songs_together(port: int, number: int) -> float:
    """Return songs a second, asked for by all clients at once."""
    numbers = count()

    def client() -> None:
        while (index := next(numbers)) < number:
            _ask(port, "/api/write", {**SONG, "seed": 1, "index": index})

    start = time.perf_counter()
    _all_at_once(client)
    return number / (time.perf_counter() - start)


def _load(port: int, process: subprocess.Popen[str], minutes: float) -> None:
    """Ask for all kinds of things at once; print what was asked, what failed and how memory grew."""
    end = time.monotonic() + 60 * minutes
    asked, wrong, memory = [0], list[str](), list[float]()
    seeds = count()

    def client() -> None:
        draw = random.Random(next(seeds))  # noqa: S311
        while time.monotonic() < end:
            path, body = draw.choice(_kinds(draw.randrange(10**6)))
            try:
                text = _ask(port, path, body)
                if path in ("/api/write", "/api/suggest") and not text.endswith("event: end\ndata: {}\n\n"):
                    wrong.append(f"{path}: lost its end")
            except (OSError, LyricgenError, ValueError) as error:
                wrong.append(f"{path}: {error!r}")
            asked[0] += 1
            memory.append(_resident_mb(process.pid))

    _all_at_once(client)
    tenth = max(1, len(memory) // 10)
    _row(f"requests in {minutes:g} minutes of mixed load", f"{asked[0]:,}")
    _row("of them failed", f"{len(wrong)}")
    growth = statistics.median(memory[-tenth:]) - statistics.median(memory[tenth : 2 * tenth])
    _row("MB more in the last tenth than in the second", f"{growth:+.1f}")
    if wrong:
        raise LyricgenError("; ".join(wrong[:5]))


def _kinds(seed: int) -> list[tuple[str, object]]:
    """Return one request of each kind."""
    return [
        ("/api/write", {**SONG, "seed": seed}),
        ("/api/write", {"seed": seed, "form": "free", "max_length": 1000}),
        ("/api/write", {"seed": seed, "draft": DRAFT}),
        ("/api/suggest", {"draft": DRAFT, "seed": seed}),
        ("/api/rhymes", {"word": "night", "after": "The stars are burning"}),
        ("/api/score", {"text": DRAFT}),
        ("/v1/completions", {"model": "bundled", "prompt": "The moon", "max_tokens": 200, "seed": seed}),
    ]


def _all_at_once(client: Callable[[], None]) -> None:
    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _resident_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text("utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    run(main)
