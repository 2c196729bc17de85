"""Second opinions on a model file: what other programs and other CPUs compute from it.

Each module is a command: python -m checks.<name>.
"""

from __future__ import annotations

from benchmarks import run
from lyricgen.errors import LyricgenError

__all__ = ["CheckError", "run"]


class CheckError(LyricgenError):
    """A check failed or could not be made."""
