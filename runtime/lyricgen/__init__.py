"""lyricgen writes song lyrics, character by character, with a small LSTM and without PyTorch.

    import lyricgen

    model = lyricgen.load()
    song = model.generate(temperature=0.75, seed=1)
    print(song.text)

Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "DraftError",
    "Gap",
    "GoldenSong",
    "HeldOut",
    "LyricgenError",
    "Model",
    "ModelCard",
    "ModelFormatError",
    "ModelNotFoundError",
    "NonFiniteLogitsError",
    "OptionError",
    "OrtError",
    "Parity",
    "Provenance",
    "Report",
    "RhymeWord",
    "Score",
    "ScoredLine",
    "SelfTestError",
    "Song",
    "SongOptions",
    "SongStream",
    "UnknownCharacterError",
    "Vocabulary",
    "__version__",
    "best_songs",
    "load",
    "self_test",
]

_NAMES_IN = {
    "song.choice": "best_songs",
    "song.suggestions": "Gap",
    "song.rhyming": "RhymeWord",
    "song.score": "Score ScoredLine",
    "errors": "DraftError LyricgenError ModelFormatError ModelNotFoundError NonFiniteLogitsError OptionError"
    " OrtError UnknownCharacterError",
    "generator": "Model Song SongStream load",
    "golden": "SelfTestError self_test",
    "model_file.card": "GoldenSong HeldOut ModelCard Parity Provenance Report",
    "options": "SongOptions",
    "vocabulary": "Vocabulary",
}
_MODULE_OF = {name: module for module, names in _NAMES_IN.items() for name in names.split()}

if TYPE_CHECKING:
    from lyricgen.errors import (
        DraftError,
        LyricgenError,
        ModelFormatError,
        ModelNotFoundError,
        NonFiniteLogitsError,
        OptionError,
        OrtError,
        UnknownCharacterError,
    )
    from lyricgen.generator import Model, Song, SongStream, load
    from lyricgen.golden import SelfTestError, self_test
    from lyricgen.model_file.card import GoldenSong, HeldOut, ModelCard, Parity, Provenance, Report
    from lyricgen.options import SongOptions
    from lyricgen.song.choice import best_songs
    from lyricgen.song.rhyming import RhymeWord
    from lyricgen.song.score import Score, ScoredLine
    from lyricgen.song.suggestions import Gap
    from lyricgen.vocabulary import Vocabulary


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'lyricgen' has no attribute {name!r}")
    return getattr(import_module(f"lyricgen.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
