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
    "GoldenSong": "model_file.card",
    "HeldOut": "model_file.card",
    "LyricgenError": "errors",
    "Model": "generator",
    "ModelCard": "model_file.card",
    "ModelFormatError": "errors",
    "ModelNotFoundError": "errors",
    "NonFiniteLogitsError": "errors",
    "OptionError": "errors",
    "OrtError": "errors",
    "Parity": "model_file.card",
    "Provenance": "model_file.card",
    "Report": "model_file.card",
    "SelfTestError": "golden",
    "Song": "generator",
    "SongOptions": "options",
    "SongStream": "generator",
    "UnknownCharacterError": "errors",
    "Vocabulary": "vocabulary",
    "load": "generator",
    "self_test": "golden",
}

if TYPE_CHECKING:
    from lyricgen.errors import (
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
    from lyricgen.vocabulary import Vocabulary


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'lyricgen' has no attribute {name!r}")
    return getattr(import_module(f"lyricgen.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
