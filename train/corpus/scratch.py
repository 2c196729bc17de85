"""Songs on disk: texts in a scratch file, and only numbers about them in memory.

A corpus may therefore be larger than the memory.
"""

from __future__ import annotations

import sys
import tempfile
import weakref
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lyricgen.files import writing_errors_named
from lyricgen.model_file.contract import join_title, split_title

_SCRATCH_IN_MEMORY_BYTES = 64 * 2**20


class CorpusSong(NamedTuple):
    """A song as the model learns it."""

    text: str
    """With its title line if the corpus has titles."""
    style: str = ""
    """Name of its style token; "" if it has none."""
    sections: str = ""
    """A word for each stanza, such as "verse chorus verse chorus"; "" if nobody said."""


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
        self._starts = array("q", [0])
        self.characters = array("q")
        """Characters of each text, its title line included."""
        self.has_title = array("b")
        self.styles: list[str] = []
        """Name of each text's style; "" for none."""
        self.sections: list[str] = []
        """A word for each stanza of each text; "" if nobody said."""

    def append(self, title: str, body: str, style: str, sections: str = "") -> int:
        """Add a song and return its number; all but its text may be empty."""
        text = join_title(title, body)
        content = text.encode()
        with writing_errors_named(self.folder):
            self._file.seek(self._starts[-1])
            self._file.write(content)
        self._starts.append(self._starts[-1] + len(content))
        self.characters.append(len(text))
        self.has_title.append(bool(title))
        self.styles.append(sys.intern(style))
        self.sections.append(sys.intern(sections))
        return len(self.styles) - 1

    def text(self, n: int) -> str:
        """Return the text of song `n`, its title line included."""
        with writing_errors_named(self.folder):  # what waited to be written may not fit
            self._file.seek(self._starts[n])
        return self._file.read(self._starts[n + 1] - self._starts[n]).decode()

    def parts(self, n: int) -> tuple[str, str]:
        """Return title and body."""
        return split_title(self.text(n)) if self.has_title[n] else ("", self.text(n))


class Songs:
    """The songs of some numbers (songs,) in a scratch file, which are read each time they are looked at."""

    def __init__(self, scratch: Scratch, numbers: NDArray[np.int64]) -> None:
        self._scratch, self._numbers = scratch, numbers

    @classmethod
    def of(cls, songs: Iterable[CorpusSong]) -> Songs:
        """Make songs from songs in memory; their titles count as text."""
        scratch = Scratch(None)
        return cls(scratch, np.array([scratch.append("", *song) for song in songs], np.int64))

    def select(self, chosen: NDArray[np.generic]) -> Songs:
        """Return some of the songs: those of the indexes in `chosen` (n,), or where it (songs,) is True."""
        return Songs(self._scratch, self._numbers[chosen])

    @property
    def characters(self) -> int:
        """Characters of all texts, title lines included."""
        return sum(self._scratch.characters[n] for n in self._numbers)

    @property
    def titled(self) -> int:
        """How many songs have a title line."""
        return sum(self._scratch.has_title[n] for n in self._numbers)

    def styles(self) -> Counter[str]:
        """Return how many songs have each style; "" is that of songs without one."""
        return Counter(self._scratch.styles[n] for n in self._numbers)

    def keep_styles(self, names: Collection[str]) -> None:
        """Take all other styles from the songs in the scratch file."""
        self._scratch.styles = [name if name in names else "" for name in self._scratch.styles]

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> CorpusSong:
        n = int(self._numbers[index])
        return CorpusSong(self._scratch.text(n), self._scratch.styles[n], self._scratch.sections[n])

    def __iter__(self) -> Iterator[CorpusSong]:
        return map(self.__getitem__, range(len(self)))

    def bodies(self) -> Iterator[str]:
        """Yield the songs' texts one by one, without their title lines."""
        return (self._scratch.parts(int(n))[1] for n in self._numbers)

    def without_titles(self, step: int = 1) -> Iterator[CorpusSong]:
        """Yield every `step`-th song, without its title line."""
        return (
            CorpusSong(self._scratch.parts(n)[1], self._scratch.styles[n], self._scratch.sections[n])
            for n in map(int, self._numbers[::step])
        )
