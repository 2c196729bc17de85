"""A session: the folder that one training run leaves behind, and all that is needed to go on from it.

    checkpoints/session_3/
        config.json         what was trained on what, and how
        vocabulary.json     characters and their order
        best.safetensors    the weights that scored best on the held-out songs
        initial.safetensors the weights that fine-tuning began with; only there
        last.safetensors    everything needed to continue: weights, optimiser, position
        metrics.csv         one line for each validation
        loss.png            the same as a picture
        samples/            what the model wrote at each validation
        about.txt           what its maker wants people to know of the model; export puts it into the file
        suggested_styles.txt  styles for songs without a wish for one, a line each; likewise
        known_lines.txt     fingerprints of the lines it read, by python -m export --known-lines; likewise
        report/             what the exported model's songs are like, by python -m train.report
        held_out.json       what the exported weights scored on the held-out songs
        train.log           what was printed
        train.lock          held by the process that trains
        songs/              the encoded songs: training.npy, held_out.npy, where each starts, its style

A session is made under another name and then renamed, and so is each file in it, so that half a
session or half a file is never seen. Nothing in it is a pickle, which could run code when it is read.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from lyricgen.files import PART_NAMES, write_atomically
from lyricgen.model_file.contract import MAX_SUGGESTED_STYLES
from lyricgen.schema import from_json
from lyricgen.song.originality import KnownLines, pack_lines
from lyricgen.vocabulary import Vocabulary
from train import tensor_file
from train.callbacks import Validation
from train.config import TrainConfig
from train.corpus.encoded import EncodedSongs, hash_songs, save_songs, song_paths
from train.corpus.load import Corpus
from train.model import CharLSTM, with_new_inputs
from train.plot import draw_losses
from train.session_config import PARTS, SESSION_FORMAT, SessionFacts
from train.session_folders import (
    SessionError,
    damage_named,
    folder_in_the_making,
    known_sessions,
    name_folder,
    read_object,
    write_object,
)

MAX_ABOUT = 4000
"""Characters of about.txt."""
_RESTORE = "train anew, or restore it from a copy"


@dataclass(frozen=True)
class BestWeights:
    """The contents of `best.safetensors`."""

    weights: dict[str, Tensor]
    """State dictionary of a CharLSTM."""
    step: int
    """Updates before these weights."""
    held_out_bits_per_character: float


@dataclass(frozen=True)
class Checkpoint:
    """The contents of `last.safetensors`."""

    tensors: dict[str, Tensor]
    """Weights, moments of the optimiser and carried states."""
    facts: dict[str, Any]
    """The rest: values that JSON can hold."""


@dataclass(frozen=True)
class Parent:
    """What a fine-tuned session began from."""

    name: str
    """Such as "session_0, trained on songs.csv (public domain)"; goes into exported models."""
    weights: dict[str, Tensor]
    vocabulary: Vocabulary
    """What `weights` read; the new session's may have more styles."""
    songs_sha256: str
    """Hash of the encoded songs that it was trained on; "" if it was trained on others as well."""


class Session:
    """One session folder, opened. Make one with `Session.create`, come back with `Session.open`.

    Methods raise a SessionError if a file that they need is missing or damaged, or cannot be written; what
    was there is then kept.
    """

    def __init__(self, folder: Path, facts: SessionFacts, vocabulary: Vocabulary) -> None:
        self.folder, self.facts, self.vocabulary = folder, facts, vocabulary
        self.config, self.corpus = facts.config, facts.corpus

    @property
    def number(self) -> int:
        """The N of session_N."""
        return int(self.folder.name.removeprefix("session_"))

    @classmethod
    def create(
        cls, root_folder: Path, config: TrainConfig, corpus: Corpus, parent: Parent | None = None
    ) -> Session:
        """Make the next free session folder under `root_folder`, with all that is known before training."""
        try:
            with folder_in_the_making(root_folder) as folder:
                session = cls(folder, _begin(folder, config, corpus, parent), corpus.vocabulary)
                session._check_room()
                session.folder = name_folder(folder, root_folder)
        except OSError as error:
            raise SessionError(root_folder, f"cannot write here: {error.strerror or error}") from error
        return session

    @classmethod
    def open(cls, root_folder: Path, number: int) -> Session:
        """Open session `number` under `root_folder`; one with a link in it is refused."""
        folder = root_folder / f"session_{number}"
        if not folder.is_dir():
            raise SessionError(folder, f"no such session; {known_sessions(root_folder)}")
        if link := next((path for path in folder.rglob("*") if path.is_symlink()), None):
            problem = f"{link.relative_to(folder)} is a link, which is not followed: remove it"
            raise SessionError(folder, problem)
        with damage_named(folder, "config.json", _RESTORE):
            found = read_object(folder / "config.json")
            if (version := found.pop("format")) != SESSION_FORMAT:
                problem = f"session format {version} is not supported; expected {SESSION_FORMAT}"
                raise SessionError(folder, f"{problem}; train anew")
            facts = from_json(SessionFacts, found)
        with damage_named(folder, "vocabulary.json", _RESTORE):
            vocabulary = from_json(Vocabulary, read_object(folder / "vocabulary.json"))
        return cls(folder, facts, vocabulary)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training this session; the lock ends with this process, however it ends.

        Raises:
            OSError: what a killed process left behind cannot be removed.
        """
        lock = FileLock(self.folder / "train.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise SessionError(self.folder, "another process is training it") from error
        except OSError as error:
            raise SessionError(self.folder, f"cannot write here: {error.strerror or error}") from error
        try:
            for left_over in self.folder.rglob(PART_NAMES):  # of a process that was killed while it wrote
                left_over.unlink(missing_ok=True)
            yield
        finally:
            lock.release()

    def is_training(self) -> bool:
        """Tell whether a process is training this session now."""
        path = self.folder / "train.lock"
        if not path.is_file():  # nor is it made now
            return False
        try:
            with FileLock(path, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that cannot be written, so no process trains there
            return False

    def new_model(self) -> CharLSTM:
        """Return a network of this session's shape with random weights."""
        return CharLSTM(self.vocabulary.input_size, self.vocabulary.output_size, self.config.model)

    def initial_model(self) -> CharLSTM:
        """Return the network that training begins with: random, or that of the parent."""
        model, name = self.new_model(), "initial.safetensors"
        if self.facts.base_model:
            with damage_named(self.folder, name):
                model.load_state_dict(tensor_file.load(self.folder / name)[0])
        return model

    def as_parent(self) -> Parent:
        """Return what a new session needs to begin with the best weights of this one."""
        name = f"{self.folder.name}, trained on {self.corpus.name} (licence: {self.corpus.licence})"
        if self.facts.base_model not in ("", name):  # an older session may have had this one's number
            name += f", from {self.facts.base_model}"
        own_songs = "" if self.facts.base_with_other_songs else self.facts.songs_sha256["training"]
        return Parent(name, self.load_best().weights, self.vocabulary, own_songs)

    def songs(self, part: str) -> EncodedSongs:
        """Return the encoded songs of a part, "training" or "held_out", memory-mapped."""
        folder, name = self.folder / "songs", f"{part.replace('_', '-')} songs"
        try:
            if hash_songs(folder, part) != self.facts.songs_sha256[part]:
                raise ValueError("their hash differs")
            return EncodedSongs.open(folder, part, self.vocabulary)
        except FileNotFoundError as error:
            raise SessionError(self.folder, f"came without its {name}, which are needed here") from error
        except (OSError, ValueError, EOFError) as error:
            problem = f"its {name} have changed since it began or cannot be read ({error}); train anew"
            raise SessionError(self.folder, problem) from error

    def has_songs(self, part: str) -> bool:
        """Tell whether the session has the songs of a part; a copy of a session may come without them."""
        return song_paths(self.folder / "songs", part)[0].is_file()

    def load_about(self) -> str:
        """Return what about.txt says of the model, as one paragraph; '' if there is none."""
        text = " ".join(self._makers_text("about.txt").split())
        if len(text) > MAX_ABOUT:
            raise SessionError(self.folder, f"about.txt has {len(text):,} characters; at most {MAX_ABOUT:,}")
        return text

    def load_suggested_styles(self) -> tuple[str, ...]:
        """Return the styles in suggested_styles.txt, as the vocabulary has them; none if there is no file."""
        name, known = "suggested_styles.txt", self.vocabulary
        expected = f"expected some of {', '.join(known.styles) or 'no styles'}, a line each"
        with damage_named(self.folder, name, expected):
            lines = filter(None, map(str.strip, self._makers_text(name).splitlines()))
            found = tuple(known.style_name(known.style_token(line)) for line in dict.fromkeys(lines))
            if len(found) > MAX_SUGGESTED_STYLES:
                raise ValueError(f"{len(found)} styles; at most {MAX_SUGGESTED_STYLES}")
        return found

    def save_known_lines(self) -> None:
        """Write fingerprints of the lines of its training songs as known_lines.txt."""
        bodies = self.songs("training").bodies(self.vocabulary, titles=False)
        packed = pack_lines(line for body in bodies for line in body.split("\n"))
        self._write("known_lines.txt", f"{packed}\n".encode())

    def load_known_lines(self) -> str:
        """Return what known_lines.txt says; "" if there is none."""
        packed = self._makers_text("known_lines.txt").strip()
        if packed:
            with damage_named(self.folder, "known_lines.txt", "make it again with --known-lines"):
                KnownLines(packed)
        return packed

    def _makers_text(self, name: str) -> str:
        """Return what a file says that the model's maker may put into the folder; "" if there is none."""
        path = self.folder / name
        if not path.is_file():
            return ""
        with damage_named(self.folder, name, "a text in UTF-8 is expected"):
            return path.read_text("utf-8-sig")

    def save_last(self, checkpoint: Checkpoint) -> None:
        """Save everything needed to continue."""
        content = tensor_file.pack(checkpoint.tensors, {"facts": json.dumps(checkpoint.facts)})
        self._write("last.safetensors", content)

    def load_last(self) -> Checkpoint | None:
        """Return what `save_last` saved, on the CPU; None if training never got as far as a checkpoint."""
        path = self.folder / "last.safetensors"
        if not path.is_file():
            if (self.folder / "last.pt").is_file():
                problem = "was begun by an older version, whose checkpoints are not read; train anew"
                raise SessionError(self.folder, problem)
            if (self.folder / "metrics.csv").is_file():
                raise SessionError(self.folder, f"has no {path.name} any more: it cannot go on; train anew")
            return None
        with damage_named(self.folder, path.name):
            tensors, facts = tensor_file.load(path)
            return Checkpoint(tensors, json.loads(facts["facts"]))

    def save_best(self, best: BestWeights) -> None:
        """Save the weights that export will read, in half precision: it costs 0.00001 bits per character."""
        held_out = repr(best.held_out_bits_per_character)
        facts = {"step": str(best.step), "held_out_bits_per_character": held_out}
        weights = {name: tensor.half() for name, tensor in best.weights.items()}
        self._write("best.safetensors", tensor_file.pack(weights, facts))

    def load_best(self) -> BestWeights:
        """Return what `save_best` saved."""
        path = self.folder / "best.safetensors"
        if not path.is_file():
            raise SessionError(self.folder, "has no best.safetensors: no validation yet, or it was deleted")
        with damage_named(self.folder, path.name):
            weights, facts = tensor_file.load(path)
            return BestWeights(weights, int(facts["step"]), float(facts["held_out_bits_per_character"]))

    def save_metrics(self, rows: Sequence[Validation]) -> None:
        """Write all validations so far as metrics.csv."""
        import pandas as pd  # as the picture does, and not for export

        table = pd.DataFrame(rows).to_csv(index=False, na_rep="nan", lineterminator="\n")
        self._write("metrics.csv", table.encode())

    def save_plot(self, rows: Sequence[Validation]) -> None:
        """Draw all validations so far as loss.png."""
        shape = self.config.model
        title = f"{self.folder.name}: {shape.layers} × {shape.hidden_size} on {self.corpus.name}"
        self._write("loss.png", draw_losses(rows, title))

    def save_samples(self, step: int, heading: str, songs: list[str]) -> None:
        """Write what the model wrote after `step` updates, under a line that says what it is."""
        text = "\n\n\n".join([heading, *songs]) + "\n"
        self._write(f"samples/step_{step:08}.txt", text.encode())

    def _check_room(self) -> None:
        """Find out before training that the disk has no room for checkpoints."""
        with torch.device("meta"):  # sizes only
            weights = sum(p.numel() for p in self.new_model().parameters())
        needed = 4 * weights * 9  # weights and two moments, old and new; best weights, old and new; a margin
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise OSError(f"{free / 1e6:,.0f} MB free, but its checkpoints need {needed / 1e6:,.0f} MB")

    def _write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        try:
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, content)
        except OSError as error:
            problem = f"{name} cannot be written ({error.strerror or error}); the last one is kept"
            raise SessionError(self.folder, problem) from error


def _begin(folder: Path, config: TrainConfig, corpus: Corpus, parent: Parent | None) -> SessionFacts:
    """Write what is known before training, config.json last."""
    songs_folder = folder / "songs"
    songs_folder.mkdir()
    for part, songs in zip(PARTS, (corpus.training, corpus.held_out), strict=True):
        save_songs(songs_folder, part, songs, corpus.vocabulary)
    hashes = {part: hash_songs(songs_folder, part) for part in PARTS}
    vocabulary = {name: list(getattr(corpus.vocabulary, name)) for name in ("characters", "styles")}
    write_object(folder / "vocabulary.json", vocabulary)
    if parent is not None:
        new_styles = len(corpus.vocabulary.styles) - len(parent.vocabulary.styles)
        weights = with_new_inputs(parent.weights, parent.vocabulary.eos, new_styles)
        write_atomically(folder / "initial.safetensors", tensor_file.pack(weights, {}))
    name, parent_sha256 = (parent.name, parent.songs_sha256) if parent else ("", "")
    facts = SessionFacts(config, corpus.facts, corpus.title_line, name, hashes, parent_sha256)
    write_object(folder / "config.json", {"format": SESSION_FORMAT, **asdict(facts)})
    return facts
