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
        report/             what the exported model's songs are like, by python -m train.report
        held_out.json       what the exported weights scored on the held-out songs
        train.log           what was printed
        train.lock          held by the process that trains
        songs/              the encoded songs: training.npy, held_out.npy, where each starts, its style

A session is made under another name and then renamed, and so is each file in it: nobody ever meets
half of one. Nothing in it is a pickle, which could run code when it is read.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lyricgen.errors import LyricgenError
from lyricgen.files import PART_NAMES, check_writable, write_atomically
from lyricgen.vocabulary import Vocabulary
from train.config import TrainConfig
from train.corpus.encoded import EncodedSongs, hash_songs, save_songs, song_paths
from train.corpus.facts import CorpusFacts
from train.corpus.load import Corpus
from train.model import CharLSTM
from train.plot import draw_losses
from train.report.figures import SongReport
from train.session_config import PARTS, SESSION_FORMAT, SessionFacts
from train.session_folders import folder_in_the_making, name_folder, session_number, session_numbers

Parsed = TypeVar("Parsed")

CHECKPOINTS_FOLDER = Path("checkpoints")
MEASURED_NAME = "held_out.json"
REPORT_NAME = "report/report.json"
MAX_ABOUT = 4000
"""Characters of about.txt."""
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What reading JSON raises that is damaged, or of another kind."""
_HASH = "sha256"
"""Key in the metadata of files of tensors."""


class SessionError(LyricgenError):
    """The session in `folder` is missing or damaged."""

    def __init__(self, folder: Path, problem: str) -> None:
        self.folder, self.problem = folder, problem
        super().__init__(f"{folder}: {problem}")


@dataclass(frozen=True)
class BestWeights:
    """The contents of `best.safetensors`."""

    weights: dict[str, Tensor]
    """The state dictionary of a CharLSTM."""
    step: int
    """Updates before these weights."""
    held_out_bits_per_character: float
    """Measured in PyTorch, in fp32, on the session's held-out songs."""


@dataclass(frozen=True)
class Checkpoint:
    """The contents of `last.safetensors`."""

    tensors: dict[str, Tensor]
    """Weights, moments of the optimiser and carried states, by name."""
    facts: dict[str, Any]
    """The rest: values that JSON can hold."""


@dataclass(frozen=True)
class Measured:
    """What exported steps scored on songs, in bits per character."""

    symbols: int
    """Symbols measured over: characters, and one EOS for each song."""
    coverage: float
    """Share of the songs' characters that the model knows."""
    pytorch: float
    fp32: float
    int8: float

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Measured:
        """Read what `asdict` gave.

        Raises:
            TypeError, ValueError: something is missing or wrong.
        """
        measured = cls(**found)
        symbols, *numbers = astuple(measured)
        if type(symbols) is not int or any(type(number) not in (int, float) for number in numbers):
            raise TypeError("figures are numbers")
        if symbols < 1 or not 0 <= measured.coverage <= 1 or not all(0 <= n < math.inf for n in numbers):
            raise ValueError("figures that cannot be")
        return cls(symbols, *map(float, numbers))


@dataclass(frozen=True)
class Parent:
    """What a fine-tuned session began from."""

    name: str
    """Such as "session_0, trained on songs.csv (public domain)"; goes into exported models."""
    weights: dict[str, Tensor]
    songs_sha256: str
    """Hash of the encoded songs that alone it was trained on; "" if others went into it."""


class Session:
    """One session folder, opened. Make one with `Session.create`, come back with `Session.open`."""

    def __init__(self, folder: Path, facts: SessionFacts, vocabulary: Vocabulary) -> None:
        self.folder, self.facts, self.vocabulary = folder, facts, vocabulary

    @property
    def config(self) -> TrainConfig:
        """How the session is trained."""
        return self.facts.config

    @property
    def corpus(self) -> CorpusFacts:
        """What it is trained on."""
        return self.facts.corpus

    @property
    def number(self) -> int:
        """The N of session_N.

        Raises:
            SessionError: the folder is called otherwise.
        """
        number = session_number(self.folder)
        if number is None:
            raise SessionError(self.folder, "the folder of a session is called session_<number>")
        return number

    @classmethod
    def create(
        cls, root_folder: Path, config: TrainConfig, corpus: Corpus, parent: Parent | None = None
    ) -> Session:
        """Make the next free session folder under `root_folder`, with all that is known before training.

        Raises:
            SessionError: the folder cannot be written, or has no room for the session.
        """
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
        """Open session `number` under `root_folder`.

        Raises:
            SessionError: there is no such session, its description is damaged, or a link is in it.
        """
        folder = root_folder / f"session_{number}"
        if not folder.is_dir():
            raise SessionError(folder, f"no such session; {_existing(root_folder)}")
        if link := next((path for path in folder.rglob("*") if path.is_symlink()), None):
            raise SessionError(
                folder, f"{link.relative_to(folder)} is a link, which nobody follows: remove it"
            )

        def facts_in(found: dict[str, Any]) -> SessionFacts:
            if found["format"] != SESSION_FORMAT:
                problem = f"session format {found['format']} is not supported; expected {SESSION_FORMAT}"
                raise SessionError(folder, f"{problem}; train anew")
            return SessionFacts.from_json(found)

        def vocabulary_in(found: dict[str, Any]) -> Vocabulary:
            return Vocabulary(tuple(found["characters"]), tuple(found["styles"]))

        facts = _read_json(folder, "config.json", facts_in)
        return cls(folder, facts, _read_json(folder, "vocabulary.json", vocabulary_in))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training this session; a killed one keeps nobody out.

        Raises:
            SessionError: another one does, or the folder cannot be written.
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
        except OSError:  # a folder that cannot be written: nobody trains there
            return False

    def new_model(self) -> CharLSTM:
        """Return a network of this session's shape with random weights."""
        return CharLSTM(self.vocabulary.input_size, self.vocabulary.output_size, self.config.model)

    def initial_model(self) -> CharLSTM:
        """Return the network that training begins with: random, or that of the parent.

        Raises:
            SessionError: the parent's weights are damaged.
        """
        model = self.new_model()
        if self.facts.base_model:
            try:
                model.load_state_dict(self._load_tensors("initial.safetensors")[0])
            except RuntimeError as error:
                raise SessionError(self.folder, "initial.safetensors does not fit its config.json") from error
        return model

    def as_parent(self) -> Parent:
        """Return what a session needs to begin from the best weights of this one.

        Raises:
            SessionError: it has none yet, or they are damaged.
        """
        corpus = self.corpus
        name = f"{self.folder.name}, trained on {corpus.name} (licence: {corpus.licence})"
        if self.facts.base_model not in ("", name):  # an older session may have had this one's number
            name += f", from {self.facts.base_model}"
        own_songs = "" if self.facts.base_with_other_songs else self.facts.songs_sha256["training"]
        return Parent(name, self.load_best().weights, own_songs)

    def songs(self, part: str) -> EncodedSongs:
        """Return the encoded songs of a part, "training" or "held_out", memory-mapped.

        Raises:
            SessionError: the session came without its songs, or they are not those that it began with.
        """
        folder, known = self.folder / "songs", self.facts.songs_sha256
        changed = f"its {part} songs have changed since it began (their hash differs); train anew"
        try:
            if hash_songs(folder, part) != known[part]:
                raise SessionError(self.folder, changed)
            return EncodedSongs.open(folder, part, self.vocabulary)
        except FileNotFoundError as error:
            raise SessionError(
                self.folder, f"came without its {part.replace('_', '-')} songs, which are needed here"
            ) from error
        except OSError as error:
            raise SessionError(self.folder, f"its {part} songs cannot be read: {error.strerror}") from error
        except (ValueError, EOFError) as error:
            raise SessionError(self.folder, changed) from error

    def has_songs(self, part: str) -> bool:
        """Tell whether the session still has the songs of a part; one that travelled may not."""
        return song_paths(self.folder / "songs", part)[0].is_file()

    def save_measured(self, steps_sha256: str, measured: Measured) -> None:
        """Note what exported steps scored on the held-out songs.

        Args:
            steps_sha256: of all that decides the figures.
            measured: the figures.

        Raises:
            OSError: the session cannot be written.
        """
        _write_json(self.folder / MEASURED_NAME, {"steps_sha256": steps_sha256, **asdict(measured)})

    def load_measured(self, steps_sha256: str) -> Measured | None:
        """Return what was noted for exactly these steps; None if nothing was.

        Raises:
            SessionError: the note is damaged.
        """
        path = self.folder / MEASURED_NAME
        if not path.is_file():
            return None
        try:
            facts = json.loads(path.read_text("utf-8"))
            if facts.pop("steps_sha256") != steps_sha256:
                return None
            return Measured.from_json(facts)
        except UNREADABLE as error:
            raise SessionError(self.folder, f"{MEASURED_NAME} is damaged") from error

    def save_report(self, report: SongReport, page: str, picture: bytes) -> Path:
        """Keep a report on the songs of the exported model; return its folder.

        Raises:
            SessionError: the session cannot be written.
        """
        self._write("report/report.png", picture)
        self._write("report/report.md", page.encode())
        self._write(REPORT_NAME, (json.dumps(report.to_json(), ensure_ascii=False, indent=2) + "\n").encode())
        return self.folder / "report"

    def check_report_writable(self) -> None:
        """Make sure that `save_report` will find a place.

        Raises:
            LyricgenError: it will not.
        """
        path = self.folder / REPORT_NAME
        check_writable(path if path.parent.exists() else path.parent)

    def load_report(self) -> SongReport | None:
        """Return the figures that `save_report` kept; None if there are none.

        Raises:
            SessionError: they are damaged.
        """
        path = self.folder / REPORT_NAME
        if not path.is_file():
            return None
        try:
            return SongReport.from_json(json.loads(path.read_text("utf-8")))
        except UNREADABLE as error:
            raise SessionError(self.folder, f"{REPORT_NAME} is damaged; make the report again") from error

    def load_about(self) -> str:
        """Return what about.txt says of the model, as one paragraph; '' if there is none.

        Raises:
            SessionError: it cannot be read, or is too long.
        """
        path = self.folder / "about.txt"
        if not path.is_file():
            return ""
        try:
            text = " ".join(path.read_text("utf-8-sig").split())
        except (OSError, ValueError) as error:
            raise SessionError(
                self.folder, "about.txt cannot be read: a text in UTF-8 is expected"
            ) from error
        if len(text) > MAX_ABOUT:
            raise SessionError(self.folder, f"about.txt has {len(text):,} characters; at most {MAX_ABOUT:,}")
        return text

    def save_last(self, checkpoint: Checkpoint) -> None:
        """Save everything needed to continue.

        Raises:
            SessionError: it cannot be written.
        """
        facts = {"facts": json.dumps(checkpoint.facts)}
        self._write("last.safetensors", _pack(checkpoint.tensors, facts))

    def load_last(self) -> Checkpoint | None:
        """Return what `save_last` saved, on the CPU; None if training never got as far as a checkpoint.

        Raises:
            SessionError: the checkpoint is damaged, or gone although there were validations.
        """
        path = self.folder / "last.safetensors"
        if not path.is_file():
            if (self.folder / "last.pt").is_file():
                problem = "was begun by an older version, whose checkpoints are not read; train anew"
                raise SessionError(self.folder, problem)
            if (self.folder / "metrics.csv").is_file():
                raise SessionError(self.folder, f"has no {path.name} any more: it cannot go on; train anew")
            return None
        tensors, facts = self._load_tensors(path.name)
        try:
            return Checkpoint(tensors, json.loads(facts["facts"]))
        except UNREADABLE as error:
            raise SessionError(self.folder, f"{path.name} is damaged; train anew") from error

    def save_best(self, best: BestWeights) -> None:
        """Save the weights that export will read.

        Raises:
            SessionError: it cannot be written.
        """
        facts = {
            "step": str(best.step),
            "held_out_bits_per_character": repr(best.held_out_bits_per_character),
        }
        self._write("best.safetensors", _pack(best.weights, facts))

    def load_best(self) -> BestWeights:
        """Return what `save_best` saved.

        Raises:
            SessionError: there was no validation yet, or the file is damaged.
        """
        path = self.folder / "best.safetensors"
        if not path.is_file():
            raise SessionError(self.folder, "has no best.safetensors: no validation yet, or it was deleted")
        weights, facts = self._load_tensors(path.name)
        try:
            return BestWeights(weights, int(facts["step"]), float(facts["held_out_bits_per_character"]))
        except (KeyError, ValueError) as error:
            raise SessionError(self.folder, "best.safetensors is damaged; train anew") from error

    def _load_tensors(self, name: str) -> tuple[dict[str, Tensor], dict[str, str]]:
        try:
            with safe_open(self.folder / name, framework="pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                facts: dict[str, str] = file.metadata() or {}
        except (SafetensorError, OSError) as error:
            raise SessionError(self.folder, f"{name} is damaged; train anew") from error
        hashed = facts.pop(_HASH, None)  # older files have none
        if hashed is not None and hashed != _hash(tensors, facts):
            raise SessionError(self.folder, f"{name} is damaged (its hash differs); train anew")
        return tensors, facts

    def save_metrics(self, rows: list[dict[str, float]]) -> None:
        """Write all validations so far as metrics.csv.

        Raises:
            SessionError: it cannot be written.
        """
        if not rows:
            return
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self._write("metrics.csv", text.getvalue().encode())

    def save_plot(self, rows: list[dict[str, float]]) -> None:
        """Draw all validations so far as loss.png.

        Raises:
            SessionError: it cannot be written.
        """
        shape = self.config.model
        title = f"{self.folder.name}: {shape.layers} × {shape.hidden_size} on {self.corpus.name}"
        self._write("loss.png", draw_losses(rows, title))

    def save_samples(self, step: int, heading: str, songs: list[str]) -> None:
        """Write what the model wrote after `step` updates, under a line that says what it is.

        Raises:
            SessionError: it cannot be written.
        """
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
            problem = error.strerror or error
            raise SessionError(
                self.folder, f"{name} cannot be written ({problem}); the last one is kept"
            ) from error


def _begin(folder: Path, config: TrainConfig, corpus: Corpus, parent: Parent | None) -> SessionFacts:
    """Write what is known before training, config.json last."""
    songs_folder = folder / "songs"
    songs_folder.mkdir()
    for part, songs in zip(PARTS, (corpus.training, corpus.held_out), strict=True):
        save_songs(songs_folder, part, songs, corpus.vocabulary)
    hashes = {part: hash_songs(songs_folder, part) for part in PARTS}
    words = {"characters": list(corpus.vocabulary.characters), "styles": list(corpus.vocabulary.styles)}
    _write_json(folder / "vocabulary.json", words)
    if parent is not None:
        write_atomically(folder / "initial.safetensors", _pack(parent.weights, {}))
    base = ("", "") if parent is None else (parent.name, parent.songs_sha256)
    facts = SessionFacts(config, corpus.facts, corpus.title_line, base[0], hashes, base[1])
    _write_json(folder / "config.json", facts.to_json())
    return facts


def _pack(tensors: dict[str, Tensor], facts: dict[str, str]) -> bytes:
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save(plain, metadata={**facts, _HASH: _hash(plain, facts)})


def _hash(tensors: dict[str, Tensor], facts: dict[str, str]) -> str:
    """Return a hash of tensors on the CPU and of facts: a file of them may change on a disk."""
    digest = hashlib.sha256(json.dumps(sorted(facts.items())).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())  # of any type
    return digest.hexdigest()


def _existing(root_folder: Path) -> str:
    numbers = session_numbers(root_folder)
    if not numbers:
        return f"there are none in {root_folder}. Make one with: python -m train"
    return f"those in {root_folder}: {', '.join(map(str, numbers))}"


def _read_json(folder: Path, name: str, parse: Callable[[dict[str, Any]], Parsed]) -> Parsed:
    """Return what `parse` makes of a file of a session.

    Raises:
        SessionError: the file is missing or damaged.
    """
    try:
        return parse(json.loads((folder / name).read_text("utf-8")))
    except FileNotFoundError as error:
        raise SessionError(folder, f"has no {name}: it is no session") from error
    except UNREADABLE as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else error
        problem = f"{name} is damaged ({why}); train anew, or restore it from a copy"
        raise SessionError(folder, problem) from error


def _write_json(path: Path, value: object) -> None:
    write_atomically(path, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())
