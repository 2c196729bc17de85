"""Damage at random: changed bytes, and options that nobody should type."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from random import Random

from checks.faults.process import ROOT

ODD_BYTES = (
    *(b"", b"\0", b"\0" * 4096, b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"\r", b"\r\n"),
    *(b"\n", b'"', b",", b'""', b"{", b"[" * 3000, b"NaN", b"1e999", b"-1", b"9" * 400, b"null", b"true"),
    *(b"\x1b]0;title\x07", b"\x1b[2J", b"\xc2\x9b31m", "\u202e".encode(), "\u2028".encode(), b"\x08" * 20),
    *(b"../../etc/passwd", b"A" * 70_000, "é\u0301😀".encode(), b"%s%n", b"[red]", b"[/]"),
)
ODD_VALUES = (
    *("0", "-1", "2.5", "nan", "inf", "-inf", "", " ", "abc", "9" * 20, "0,75", "\u0663", "\n", "\t"),
    *("é", "😀", "\x1b[2J", "%", "--", "../x", "A" * 300, "[red]", "\udcff", "/dev/null", "/dev/full"),
    *("/proc/self/mem",),
)
USUAL_VALUES = ("1", "1", "7", "0.1", "0.5", "text", "A moon", "cpu", "jsonl", "json", "int8", "tiny")
"""Each is good for some options."""
STRAY_WORDS = ["--nothing", "stray", "", "-", "--", "--seed", "\x1b[31m", "--seed="]


def damaged(content: bytes, random: Random) -> bytes:
    """Return the content with one to four pieces changed; some may be as they were."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        start = random.randrange(len(content) + 1)
        piece = content[start : start + random.choice((0, 1, 4, 64, 4096))]
        more = random.randbytes(random.choice((1, 16, 1000)))
        repeated = piece * random.choice((2, 50))
        others = (random.randbytes(len(piece)), b"", piece + more, repeated, random.choice(ODD_BYTES))
        rest = content[start + len(piece) :] if random.randrange(6) else b""
        content = content[:start] + random.choice(others) + rest
    return content


@cache
def offered(module: str) -> dict[str, bool]:
    """Return the options that the help of a command shows, and whether each wants a value."""
    words = [sys.executable, "-m", module, "--help"]
    environment = {"COLUMNS": "200", "PYTHONPATH": f"{ROOT}:{ROOT}/runtime"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    found = re.findall(r"^[│ *]+(--[a-z-]+) +(?:-\w +)?(\S*)", done.stdout, re.MULTILINE)
    wants_value = re.compile(r"<(?!bool)|[A-Z]{3}|\[?\w+\|")
    return {name: bool(wants_value.match(kind)) for name, kind in found if not name.endswith("-completion")}


def options(module: str, random: Random) -> list[str]:
    """Return up to four options of a command, each with a usual or an odd value."""
    words: list[str] = []
    for name in random.sample(sorted(offered(module)), random.randint(0, 4)):
        words.append(name)
        if offered(module)[name]:
            words.append(random.choice(random.choice((USUAL_VALUES, USUAL_VALUES, ODD_VALUES))))
    return words if random.randrange(20) else [*words, random.choice(STRAY_WORDS)]
