"""What stands in a session's config.json: what was trained on what, and how."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lyricgen.schema import from_json
from train.config import CorpusConfig, ModelConfig, TrainConfig
from train.corpus.facts import CorpusFacts

SESSION_FORMAT = 2
PARTS = ("training", "held_out")
"""Of a session's songs."""


@dataclass(frozen=True)
class SessionFacts:
    """The contents of config.json."""

    config: TrainConfig
    corpus: CorpusFacts
    title_line: bool
    """Whether the songs begin with their title, as a line of its own and an empty one after it."""
    base_model: str
    """What the session was fine-tuned from; "" for one trained from scratch."""
    songs_sha256: dict[str, str]
    """Hash of the encoded songs of each part."""
    base_songs_sha256: str = ""
    """Hash of the encoded songs that the base model was trained on; "" if none, or if it had a base of its
    own that was trained on others."""

    @property
    def base_with_other_songs(self) -> str:
        """The base model, if it was trained on other songs than the session is; else ""."""
        return "" if self.base_songs_sha256 == self.songs_sha256["training"] else self.base_model

    def to_json(self) -> dict[str, Any]:
        """Return the facts as they stand in the file; the inverse of `from_json`."""
        return {"format": SESSION_FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> SessionFacts:
        """Read the facts.

        Raises:
            KeyError, TypeError, ValueError: something is missing or wrong.
        """
        facts = {name: value for name, value in facts.items() if name != "format"}
        shape, reading = ModelConfig(**facts["config"]["model"]), CorpusConfig(**facts["config"]["corpus"])
        config = TrainConfig(**{**facts["config"], "model": shape, "corpus": reading})
        read = cls(**{**facts, "config": config, "corpus": from_json(CorpusFacts, facts["corpus"], "corpus")})
        if type(read.title_line) is not bool:
            raise TypeError("title_line must be a bool")
        if not (type(read.base_model) is type(read.base_songs_sha256) is str):
            raise TypeError("base_model and base_songs_sha256 must be strings")
        if not all(type(read.songs_sha256[part]) is str for part in PARTS):
            raise TypeError("songs_sha256 must hold a hash for each part")
        return read
