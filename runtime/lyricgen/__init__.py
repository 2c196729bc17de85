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
    "SelfTestError",
    "Song",
    "SongOptions",
    "SongStream",
    "UnknownCharacterError",
    "Vocabulary",
    "__version__",
    "load",
    "self_test",
]

_HOME_OF = {
    "GoldenSong": "card",
    "HeldOut": "card",
    "LyricgenError": "errors",
    "Model": "generator",
    "ModelCard": "card",
    "ModelFormatError": "errors",
    "ModelNotFoundError": "errors",
    "NonFiniteLogitsError": "errors",
    "OptionError": "errors",
    "OrtError": "errors",
    "Parity": "card",
    "Provenance": "card",
    "Report": "card",
    "SelfTestError": "errors",
    "Song": "generator",
    "SongOptions": "options",
    "SongStream": "generator",
    "UnknownCharacterError": "errors",
    "Vocabulary": "vocabulary",
    "load": "generator",
    "self_test": "golden",
}

if TYPE_CHECKING:
    from lyricgen.card import GoldenSong, HeldOut, ModelCard, Parity, Provenance, Report
    from lyricgen.errors import (
        LyricgenError,
        ModelFormatError,
        ModelNotFoundError,
        NonFiniteLogitsError,
        OptionError,
        OrtError,
        SelfTestError,
        UnknownCharacterError,
    )
    from lyricgen.generator import Model, Song, SongStream, load
    from lyricgen.golden import self_test
    from lyricgen.options import SongOptions
    from lyricgen.vocabulary import Vocabulary


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'lyricgen' has no attribute {name!r}")
    return getattr(import_module(f"lyricgen.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
