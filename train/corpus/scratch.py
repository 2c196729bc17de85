"""Songs on disk: texts in a scratch file, and only numbers about them in memory.

So a corpus may be larger than the memory.
"""

from __future__ import annotations

import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from lyricgen.files import writing_errors_named
from lyricgen.model_file.contract import AFTER_TITLE

_SCRATCH_IN_MEMORY_BYTES = 64 * 2**20


class CorpusSong(NamedTuple):
    """A song as the model learns it."""

    text: str
    """With its title line if the corpus has titles."""
    style: str = ""
    """Name of its style token; "" if it has none."""


def with_title(title: str, body: str) -> str:
    """Return a song's text as the model learns it; an empty title leaves no trace."""
    return f"{title}{AFTER_TITLE}{body}" if title else body


class Scratch:
    """Texts in a temporary file without a name, which is gone however the program ends.

    Raises:
        LyricgenError: `folder` cannot be written. Adding and looking at songs may raise it, too.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder or Path(tempfile.gettempdir())
        with writing_errors_named(self.folder):
            place = str(self.folder)
            self._file = tempfile.SpooledTemporaryFile(_SCRATCH_IN_MEMORY_BYTES, dir=place)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._end = 0
        self._starts, self._sizes = array("q"), array("q")
        self.characters = array("q")
        """Characters of each text, its title line included."""
        self.title_characters = array("H")
        self.style_ids = array("q")
        self.styles: list[str] = []

    def __len__(self) -> int:
        return len(self._starts)

    def append(self, title: str, body: str, style_id: int) -> None:
        """Add a song; `title` and `style_id` may be empty and 0."""
        for numbers in (self._starts, self._sizes, self.characters, self.title_characters):
            numbers.append(0)
        self.style_ids.append(style_id)
        self.replace(len(self) - 1, title, body)

    def replace(self, n: int, title: str, body: str) -> None:
        """Put another title and body in the place of song `n`'s."""
        text = with_title(title, body)
        content = text.encode()
        with writing_errors_named(self.folder):
            self._file.seek(self._end)
            self._file.write(content)
        self._starts[n], self._sizes[n] = self._end, len(content)
        self.characters[n], self.title_characters[n] = len(text), len(title)
        self._end += len(content)

    def text(self, n: int) -> str:
        """Return the text of song `n`, its title line included."""
        with writing_errors_named(self.folder):  # what waited to be written may not fit
            self._file.seek(self._starts[n])
        return self._file.read(self._sizes[n]).decode()

    def parts(self, n: int) -> tuple[str, str]:
        """Return title and body."""
        text, size = self.text(n), self.title_characters[n]
        return (text[:size], text[size + len(AFTER_TITLE) :]) if size else ("", text)


class Songs(Sequence[CorpusSong]):
    """Songs that are read from a scratch file when they are looked at.

    Args:
        scratch: holds them, and perhaps others.
        numbers: (songs,) of them in it.
    """

    def __init__(self, scratch: Scratch, numbers: NDArray[np.int64]) -> None:
        self._scratch, self._numbers = scratch, numbers

    @classmethod
    def of(cls, songs: Iterable[CorpusSong]) -> Songs:
        """Make songs from songs in memory."""
        scratch = Scratch(None)
        ids: dict[str, int] = {"": 0}
        for song in songs:
            scratch.append("", song.text, ids.setdefault(song.style, len(ids)))
        scratch.styles = list(ids)
        return cls(scratch, np.arange(len(scratch)))

    def where(self, wanted: NDArray[np.bool_]) -> Songs:
        """Return the songs for which `wanted` (songs,) is true."""
        return Songs(self._scratch, self._numbers[wanted])

    @property
    def characters(self) -> int:
        """Characters of all texts, ends of songs not counted."""
        return sum(self._scratch.characters[n] for n in self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> CorpusSong: ...
    @overload
    def __getitem__(self, index: slice) -> Songs: ...
    def __getitem__(self, index: int | slice) -> CorpusSong | Songs:
        if isinstance(index, slice):
            return Songs(self._scratch, self._numbers[index])
        n = int(self._numbers[index])
        return CorpusSong(self._scratch.text(n), self._scratch.styles[self._scratch.style_ids[n]])

    def bodies(self) -> Iterator[str]:
        """Yield the songs' texts one by one, without their title lines."""
        return (self._scratch.parts(int(n))[1] for n in self._numbers)

    def __iter__(self) -> Iterator[CorpusSong]:
        return (self[n] for n in range(len(self)))
