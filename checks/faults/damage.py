"""Damage at random: changed bytes, tables that are hardly tables, options that nobody should type."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from random import Random

from checks.faults.process import ROOT

ODD_BYTES = (
    *(
        b"",
        b"\0",
        b"\0" * 4096,
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\r",
        b"\r\n",
        b"\n",
    ),
    *(b'"', b",", b'""', b"{", b"[" * 3000, b"NaN", b"1e999", b"-1", b"9" * 400, b"null", b"true"),
    *(b"\x1b]0;title\x07", b"\x1b[2J", b"\xc2\x9b31m", "\u202e".encode(), "\u2028".encode(), b"\x08" * 20),
    *(b"../../etc/passwd", b"A" * 70_000, "é\u0301😀".encode(), b"%s%n", b"[red]", b"[/]"),
)
ODD_VALUES = (
    *(
        "0",
        "-1",
        "2.5",
        "nan",
        "inf",
        "-inf",
        "",
        " ",
        "abc",
        "9" * 20,
        "0,75",
        "\u0663",
        "\n",
        "\t",
        "é",
        "😀",
    ),
    *("\x1b[2J", "%", "--", "../x", "A" * 300, "[red]", "\udcff", "/dev/null", "/proc/self/mem", "/dev/full"),
)
USUAL_VALUES = (
    "1",
    "1",
    "7",
    "0.1",
    "0.5",
    "text",
    "The moon",
    "utf-8",
    "cpu",
    "jsonl",
    "json",
    "int8",
    "tiny",
)
"""Each is good for some options."""


def damaged(content: bytes, random: Random) -> bytes:
    """Return the content with one to four changes; some may change nothing."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        start = random.randrange(len(changed) + 1)
        end = min(len(changed), start + random.choice((0, 1, 4, 64, 4096)))
        kind = random.choice(("other bytes", "cut off", "left out", "put in", "repeated", "odd"))
        if kind == "other bytes":
            changed[start:end] = random.randbytes(end - start)
        elif kind == "cut off":
            del changed[start:]
        elif kind == "left out":
            del changed[start:end]
        elif kind == "put in":
            changed[start:start] = random.randbytes(random.choice((1, 16, 1000)))
        elif kind == "repeated":
            changed[start:start] = changed[start:end] * random.choice((1, 50))
        else:
            changed[start:end] = random.choice(ODD_BYTES)
    return bytes(changed)


@cache
def offered(module: str) -> dict[str, bool]:
    """Return the options that the help of a command shows, and whether each wants a value."""
    words = [sys.executable, "-m", module, "--help"]
    environment = {"COLUMNS": "200", "PYTHONPATH": f"{ROOT}:{ROOT}/runtime"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    found = re.findall(r"^[│ *]+(--[a-z-]+) +(?:-\w +)?(\S*)", done.stdout, re.MULTILINE)
    kinds = {name: bool(re.match(r"<(?!bool)|[A-Z]{3}|\[?\w+\|", kind)) for name, kind in found}
    return {name: kinds[name] for name in kinds if not name.endswith("-completion")}


def options(module: str, random: Random) -> list[str]:
    """Return up to four options of a command, each with a usual or an odd value."""
    words: list[str] = []
    kinds = offered(module)
    for name in random.sample(sorted(kinds), random.randint(0, 4)):
        words.append(name)
        if kinds[name]:
            words.append(random.choice(random.choice((USUAL_VALUES, USUAL_VALUES, ODD_VALUES))))
    if random.random() < 0.05:
        words.append(random.choice(("--nothing", "stray", "", "-", "--", "--seed", "\x1b[31m", "--seed=")))
    return words
