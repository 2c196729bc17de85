"""The content of a session's config.json: what was trained on what, and how."""

from __future__ import annotations

from dataclasses import dataclass

from train.config import TrainConfig
from train.corpus.facts import CorpusFacts

SESSION_FORMAT = 2
PARTS = ("training", "held_out")
"""The two parts that the songs of a session are split into."""


@dataclass(frozen=True)
class SessionFacts:
    """The contents of config.json, apart from its format."""

    config: TrainConfig
    corpus: CorpusFacts
    title_line: bool
    """Whether the songs begin with their title, as a line of its own and an empty one after it."""
    base_model: str
    """The session that this one was fine-tuned from, in words; "" if it was trained from scratch."""
    songs_sha256: dict[str, str]
    """Hash of the encoded songs of each part."""
    base_songs_sha256: str = ""
    """Hash of the encoded songs that the base model was trained on; "" if there is no base model, or if it
    was itself fine-tuned from a model that was trained on other songs."""

    @property
    def base_with_other_songs(self) -> str:
        """The base model, if it was trained on other songs than the session is; else ""."""
        return "" if self.base_songs_sha256 == self.songs_sha256["training"] else self.base_model

    def __post_init__(self) -> None:
        if missing := set(PARTS) - self.songs_sha256.keys():
            raise ValueError(f"songs_sha256 lacks {missing.pop()}")
