"""The golden song: by it any machine can tell that a model writes what it wrote where it was exported."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lyricgen.errors import LyricgenError
from lyricgen.generator import Model, Song
from lyricgen.model_file.card import GoldenSong
from lyricgen.model_file.contract import FREE_FORM

_MAX_LENGTH = 2000
_MIN_LENGTH = 500
_SEEDS = range(10)


class SelfTestError(LyricgenError):
    """The model at `path` does not write its `expected` golden song here, but the one `found`."""

    def __init__(self, path: Path, expected: GoldenSong, found: GoldenSong) -> None:
        self.path, self.expected, self.found = path, expected, found
        super().__init__(
            f"{path}: self-test failed: its golden song comes out differently here: expected "
            f"{expected.characters:,} characters with sha256 {expected.sha256[:16]}…, found "
            f"{found.characters:,} with {found.sha256[:16]}…. Its weights are whole, but this machine rounds "
            "differently: a seed gives another song here than elsewhere"
        )


def write_golden_song(model: Model, temperature: float) -> GoldenSong:
    """Write the song that goes into the file of a new model."""
    songs: list[Song] = []
    for seed in _SEEDS:  # a song of a few characters would prove little
        songs.append(
            model.generate(seed=seed, temperature=temperature, max_length=_MAX_LENGTH, form=FREE_FORM)
        )
        if len(songs[-1].text) >= _MIN_LENGTH:
            break
    return _golden(max(songs, key=lambda song: len(song.text)), temperature, _MAX_LENGTH)


def self_test(model: Model) -> GoldenSong:
    """Write the golden song again; return it if it came out as it did when the model was exported.

    Raises:
        SelfTestError: it came out differently.
        NonFiniteLogitsError: the model's weights are not finite.
        OrtError: onnxruntime failed.

    Example:
        >>> import lyricgen
        >>> model = lyricgen.load()
        >>> try:
        ...     golden = lyricgen.self_test(model)
        ... except lyricgen.SelfTestError as error:  # a CPU that rounds differently
        ...     golden = error.found
        >>> golden.seed == model.card.golden_song.seed
        True
    """
    expected = model.card.golden_song
    song = model.generate(
        seed=expected.seed,
        temperature=expected.temperature,
        max_length=expected.max_length,
        form=FREE_FORM,
    )
    found = _golden(song, expected.temperature, expected.max_length)
    if found != expected:
        raise SelfTestError(model.path, expected, found)
    return found


def _golden(song: Song, temperature: float, max_length: int) -> GoldenSong:
    digest = hashlib.sha256(song.text.encode()).hexdigest()
    return GoldenSong(song.seed, temperature, max_length, len(song.text), digest)
