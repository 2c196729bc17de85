"""Damage: bytes changed at random, texts that no reader hopes for, options nobody should type."""

from __future__ import annotations

import random

_NASTY = (
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
_COLUMNS = ("text", "song", "style", "artist", "link", "", "text", "Text", "\x1b[31m")


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Return the content with one to four changes, of which none may change anything."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        start = draw.randrange(len(changed) + 1)
        end = min(len(changed), start + draw.choice((0, 1, 4, 64, 4096)))
        kind = draw.randrange(6)
        if kind == 0:
            for _ in range(draw.choice((1, 8, 100))):
                if changed:
                    changed[draw.randrange(len(changed))] = draw.randrange(256)
        elif kind == 1:
            del changed[start:]
        elif kind == 2:
            del changed[start:end]
        elif kind == 3:
            changed[start:start] = draw.randbytes(draw.choice((1, 16, 1000)))
        elif kind == 4:
            changed[start:start] = changed[start:end] * draw.choice((1, 50))
        else:
            changed[start:end] = draw.choice(_NASTY)
    return bytes(changed)


def table_of_songs(draw: random.Random) -> tuple[bytes, bool]:
    """Return a CSV that might be one of songs, and whether a row of it has too many or too few fields."""
    columns = draw.sample(_COLUMNS, draw.randint(1, 5))
    if draw.random() < 0.8 and "text" not in columns:
        columns.append("text")
    rows, has_bad_rows = [",".join(columns)], False
    for _ in range(draw.choice((0, 1, 2, 12, 40))):
        cells = [_cell(draw) for _ in columns]
        if draw.random() < 0.03:
            cells = cells[: draw.randrange(1, len(cells) + 1)] + ["more"] * draw.randrange(3)
            has_bad_rows |= len(cells) != len(columns)
        rows.append(",".join(cells))
    text = draw.choice(("\n", "\n", "\n", "\r\n", "\r")).join(rows) + draw.choice(("\n", "", '"'))
    encoding = draw.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"))
    return text.encode(encoding, "replace"), has_bad_rows


def _cell(draw: random.Random) -> str:
    words = ("moon", "river", "low", "sings", "and the", "O", "é", "夜", "😀", "it's", "\n", "\n\n", "  ")
    text = " ".join(draw.choices(words, k=draw.choice((0, 1, 5, 60, 300))))
    if draw.random() < 0.1:
        text += draw.choice(_NASTY).decode("utf-8", "replace")
    quoted = text.replace('"', '""')
    return text if draw.random() < 0.03 else f'"{quoted}"'


Offer = tuple[tuple[str, ...], tuple[str, ...]]
"""Values of an option that make sense, and others; none of either for a switch."""
SWITCH: Offer = ((), ())


def options(offered: dict[str, Offer], draw: random.Random) -> list[str]:
    """Return some of the options offered, by name, each once; in half of the cases one has any value."""
    words: list[str] = []
    chosen = draw.sample(sorted(offered), draw.randint(0, min(6, len(offered))))
    odd = draw.choice(chosen) if chosen and draw.random() < 0.5 else None
    for name in chosen:
        good, others = offered[name]
        values = good + others if name == odd or not good else good
        words += [name, draw.choice(values)] if values else [name]
    if draw.random() < 0.05:
        words.append(draw.choice(("--nothing", "stray", "", "-", "--", "--seed", "\x1b[31m", "--seed=")))
    return words


NUMBERS = (
    "0",
    "1",
    "-1",
    "7",
    "2.5",
    "1e3",
    "nan",
    "inf",
    "-inf",
    "",
    "abc",
    "99999999999999999999",
    "0,75",
    "\u0663",
)
"""For options that want a number."""
TEXTS = (
    "",
    " ",
    "The moon",
    "\n",
    "\t",
    "é",
    "😀",
    "\x1b[2J",
    "%",
    "--",
    "../x",
    "A" * 300,
    "[red]",
    "\udcff",
)
"""For options that want text."""
