"""A session: the folder that one training run leaves behind, and all that is needed to go on from it.

    checkpoints/session_3/
        config.json         what was trained on what, and how
        vocabulary.json     characters and their order
        best.safetensors    the weights that scored best on the held-out songs
        last.pt             everything needed to continue: weights, optimiser, position
        metrics.csv         one line for each validation
        held_out.json       what the exported file scored on the held-out songs
        train.log           what was printed
        songs/              the encoded songs: training.npy, held_out.npy and where each starts

Files are written under another name and then renamed, so a reader never sees half a file; config.json
comes after the songs, and a folder without it is no session. `last.pt`
holds tensors and plain numbers only and is read with `weights_only=True`.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lyricgen.errors import LyricgenError
from lyricgen.files import write_atomically
from lyricgen.vocabulary import Vocabulary
from train.batches import EncodedSongs
from train.config import ModelConfig, TrainConfig
from train.corpus import Corpus
from train.model import CharLSTM

CHECKPOINTS_FOLDER = Path("checkpoints")
SESSION_FORMAT = 1
MEASURED_NAME = "held_out.json"
_SESSION_NAME = re.compile(r"session_(\d+)")


class SessionError(LyricgenError):
    """The session in `folder` is missing or damaged."""

    def __init__(self, folder: Path, problem: str) -> None:
        self.folder, self.problem = folder, problem
        super().__init__(f"{folder}: {problem}")


@dataclass(frozen=True)
class CorpusFacts:
    """What a model was trained on, as its provenance tells."""

    name: str
    sha256: str
    licence: str
    """What the owner of the texts allows, in the trainer's words."""
    training_songs: int
    training_characters: int
    held_out_songs: int
    held_out_characters: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not (str if name in ("name", "sha256", "licence") else int):
                raise TypeError(f"corpus.{name} is {value!r}")

    @classmethod
    def of(cls, corpus: Corpus, licence: str) -> CorpusFacts:
        """Collect the facts of a corpus that was just read."""
        return cls(
            name=corpus.name,
            sha256=corpus.sha256,
            licence=licence,
            training_songs=len(corpus.training),
            training_characters=corpus.training_characters,
            held_out_songs=len(corpus.held_out),
            held_out_characters=sum(map(len, corpus.held_out)),
        )


@dataclass(frozen=True)
class BestWeights:
    """The contents of `best.safetensors`."""

    weights: dict[str, Tensor]
    step: int
    """Updates before these weights."""
    held_out_bits_per_character: float
    """Measured in PyTorch, in fp32, on the session's held-out songs."""


class Session:
    """One session folder, opened. Make one with `Session.create`, come back with `Session.open`."""

    def __init__(
        self, folder: Path, config: TrainConfig, corpus: CorpusFacts, vocabulary: Vocabulary
    ) -> None:
        self.folder, self.config, self.corpus, self.vocabulary = folder, config, corpus, vocabulary

    @property
    def number(self) -> int:
        """The N of session_N."""
        match = _SESSION_NAME.fullmatch(self.folder.name)
        if match is None:
            raise SessionError(self.folder, "the folder of a session is called session_<number>")
        return int(match.group(1))

    @classmethod
    def create(cls, root_folder: Path, config: TrainConfig, corpus: Corpus, licence: str) -> Session:
        """Make the next free session folder under `root_folder` and write what is known before training.

        Raises:
            SessionError: the folder cannot be written.
        """
        try:
            folder = _make_next_folder(root_folder)
        except OSError as error:
            raise SessionError(root_folder, f"cannot write here: {error.strerror or error}") from error
        session = cls(folder, config, CorpusFacts.of(corpus, licence), corpus.vocabulary)
        try:
            session._write_beginning(corpus)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise SessionError(folder, f"cannot write here: {error.strerror or error}") from error
        return session

    @classmethod
    def open(cls, root_folder: Path, number: int) -> Session:
        """Open session `number` under `root_folder`.

        Raises:
            SessionError: there is no such session, or its description is damaged.
        """
        folder = root_folder / f"session_{number}"
        if not folder.is_dir():
            raise SessionError(folder, f"no such session; {_existing(root_folder)}")
        try:
            facts = json.loads((folder / "config.json").read_text("utf-8"))
            if facts["format"] != SESSION_FORMAT:
                raise SessionError(
                    folder, f"session format {facts['format']} is not supported; expected {SESSION_FORMAT}"
                )
            training = {**facts["training"], "model": ModelConfig(**facts["training"]["model"])}
            words = json.loads((folder / "vocabulary.json").read_text("utf-8"))
            vocabulary = Vocabulary(tuple(words["characters"]), tuple(words["styles"]))
            return cls(folder, TrainConfig(**training), CorpusFacts(**facts["corpus"]), vocabulary)
        except FileNotFoundError as error:
            raise SessionError(
                folder, f"has no {Path(error.filename).name}: it was never begun; train anew"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SessionError(folder, f"damaged: {error!r}; train anew or restore it from a copy") from error

    def new_model(self) -> CharLSTM:
        """Return a network of this session's shape with random weights."""
        return CharLSTM(self.vocabulary.input_size, self.vocabulary.output_size, self.config.model)

    def songs(self, part: str) -> EncodedSongs:
        """Return the encoded songs of a part, "training" or "held_out", memory-mapped.

        Raises:
            SessionError: the session came without its songs, or they are damaged.
        """
        try:
            tokens = np.load(self.folder / "songs" / f"{part}.npy", mmap_mode="r")
            starts = np.load(self.folder / "songs" / f"{part}_starts.npy")
            songs = EncodedSongs(tokens, starts, self.vocabulary.eos)
            if not songs.is_sound(self.vocabulary.input_size):
                raise ValueError("the arrays do not fit each other or the vocabulary")
            return songs
        except FileNotFoundError as error:
            raise SessionError(
                self.folder, f"came without its {part} songs; train anew to use them"
            ) from error
        except (OSError, ValueError, EOFError) as error:
            raise SessionError(self.folder, f"its {part} songs are damaged; train anew") from error

    def has_songs(self, part: str) -> bool:
        """Tell whether the session still has the songs of a part; one that travelled may not."""
        return (self.folder / "songs" / f"{part}.npy").is_file()

    def save_measured_quality(self, weights_sha256: str, bits_per_character: float, symbols: int) -> None:
        """Note what exported weights scored on the held-out songs.

        Raises:
            OSError: the session cannot be written.
        """
        facts = {
            "weights_sha256": weights_sha256,
            "bits_per_character": bits_per_character,
            "symbols": symbols,
        }
        _write_json(self.folder / MEASURED_NAME, facts)

    def measured_quality(self, weights_sha256: str) -> tuple[float | None, int]:
        """Return the figure and its symbols noted for exactly these weights; None and 0 if there is none.

        Raises:
            SessionError: the note is damaged.
        """
        path = self.folder / MEASURED_NAME
        if not path.is_file():
            return None, 0
        try:
            facts = json.loads(path.read_text("utf-8"))
            if facts["weights_sha256"] != weights_sha256:
                return None, 0
            return float(facts["bits_per_character"]), int(facts["symbols"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SessionError(self.folder, f"{MEASURED_NAME} is damaged") from error

    def save_last(self, state: dict[str, Any]) -> None:
        """Save everything needed to continue."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self._write("last.pt", buffer.getvalue())

    def load_last(self) -> dict[str, Any]:
        """Return what `save_last` saved.

        Raises:
            SessionError: training never got as far as a checkpoint, or it is damaged.
        """
        path = self.folder / "last.pt"
        if not path.is_file():
            raise SessionError(self.folder, "has no last.pt: nothing to resume; train anew")
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            if not isinstance(state, dict):
                raise TypeError("not a dictionary")
            return state
        except Exception as error:  # torch names no common base for what a damaged file raises
            raise SessionError(self.folder, "last.pt is damaged; train anew") from error

    def save_best(self, best: BestWeights) -> None:
        """Save the weights that export will read."""
        facts = {
            "step": str(best.step),
            "held_out_bits_per_character": repr(best.held_out_bits_per_character),
        }
        weights = {name: weight.detach().cpu().contiguous() for name, weight in best.weights.items()}
        self._write("best.safetensors", save(weights, metadata=facts))

    def load_best(self) -> BestWeights:
        """Return what `save_best` saved.

        Raises:
            SessionError: there was no validation yet, or the file is damaged.
        """
        path = self.folder / "best.safetensors"
        if not path.is_file():
            raise SessionError(self.folder, "has no best.safetensors: no validation yet, or it was deleted")
        try:
            with safe_open(path, framework="pt") as file:
                facts = file.metadata()
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return BestWeights(weights, int(facts["step"]), float(facts["held_out_bits_per_character"]))
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            raise SessionError(self.folder, "best.safetensors is damaged; train anew") from error

    def save_metrics(self, rows: list[dict[str, float]]) -> None:
        """Write all validations so far as metrics.csv."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self._write("metrics.csv", text.getvalue().encode())

    def _write(self, name: str, content: bytes) -> None:
        try:
            write_atomically(self.folder / name, content)
        except OSError as error:
            problem = error.strerror or error
            raise SessionError(
                self.folder, f"{name} cannot be written ({problem}); the last one is kept"
            ) from error

    def _write_beginning(self, corpus: Corpus) -> None:
        (self.folder / "songs").mkdir()
        for part, songs in (("training", corpus.training), ("held_out", corpus.held_out)):
            encoded = EncodedSongs.encode(songs, corpus.vocabulary)
            np.save(self.folder / "songs" / f"{part}.npy", encoded.tokens)
            np.save(self.folder / "songs" / f"{part}_starts.npy", encoded.starts)
        words = {"characters": list(self.vocabulary.characters), "styles": list(self.vocabulary.styles)}
        _write_json(self.folder / "vocabulary.json", words)
        facts = {"format": SESSION_FORMAT, "corpus": asdict(self.corpus), "training": asdict(self.config)}
        _write_json(self.folder / "config.json", facts)


def session_numbers(root_folder: Path) -> list[int]:
    """Return the numbers of the sessions under `root_folder`, ascending."""
    names = (_SESSION_NAME.fullmatch(folder.name) for folder in root_folder.glob("session_*"))
    return sorted(int(match.group(1)) for match in names if match)


def _make_next_folder(root_folder: Path) -> Path:
    root_folder.mkdir(parents=True, exist_ok=True)
    number = max(session_numbers(root_folder), default=-1) + 1
    while True:  # another training may take the number between the look and the mkdir
        folder = root_folder / f"session_{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def _existing(root_folder: Path) -> str:
    numbers = session_numbers(root_folder)
    if not numbers:
        return f"there are none in {root_folder}. Make one with: python -m train"
    return f"those in {root_folder}: {', '.join(map(str, numbers))}"


def _write_json(path: Path, value: object) -> None:
    write_atomically(path, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())
