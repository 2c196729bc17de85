"""`python -m train`: a file of songs → a session."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from lyricgen.errors import LyricgenError, OptionError
from lyricgen.printable import printable
from lyricgen.terminal import command
from lyricgen.terminal.interrupt import RAISE, on_interrupt
from train.config import PRESETS, CorpusConfig, ModelConfig, TrainConfig, fine_tuning
from train.progress import SteadyConsole, TrainingDisplay, clock

if TYPE_CHECKING:  # torch takes seconds to import: not for --help
    from train.corpus.encoded import EncodedSongs
    from train.distributed import World
    from train.loop import Trainer
    from train.session import Session

KAGGLE = "https://www.kaggle.com/datasets/mousehead/songlyrics"
TRY_WITHOUT = "python -m train --corpus tests/data/small_songs.csv --preset tiny --epochs 60"
DEFAULT_CORPUS = Path("songdata.csv")
PARTS: dict[str, type[ModelConfig | CorpusConfig]] = {"model": ModelConfig, "corpus": CorpusConfig}
"""Fields of TrainConfig that are dataclasses themselves; on the command line all options are flat."""
FIELDS = {field.name for kind in (TrainConfig, *PARTS.values()) for field in fields(kind)} - PARTS.keys()
FIXED_BY_PARENT = {"preset", "layers", "hidden_size", "no_titles", "rare_character_share"}
"""Options that make no sense when a session begins from another one's weights and vocabulary."""
COLUMN_OPTIONS = {"text_column", "style_column", "no_titles"}
"""Options that only a CSV has a use for."""


def _usual(option: str) -> str:
    """Say what an option is if it is left out: in the preset base, and where it differs."""
    shown = {}
    for name, config in {**PRESETS, "--from": fine_tuning(PRESETS["base"])}.items():
        parts = [config, *(getattr(config, part) for part in PARTS)]
        value = next(getattr(part, option) for part in parts if hasattr(part, option))
        shown[name] = f"{value:g}" if isinstance(value, float) else str(value)
    usual = shown.pop("base")
    others = ", ".join(f"{name} {value}" for name, value in shown.items() if value != usual)
    return f"{usual}; {others}" if others else usual


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(context_settings=command.SETTINGS)
def train(
    context: typer.Context,
    corpus: Annotated[
        Path | None,
        typer.Option(
            help="CSV with a column named text (.gz, .xz and .zip are fine), or a folder of .txt.",
            show_default="songdata.csv",
            parser=command.path,
            metavar="PATH",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="tiny (seconds), seed (2 × 128), base (2 × 512) or large (2 × 1024, for a GPU).",
            show_default="base",
        ),
    ] = None,
    resume: Annotated[int | None, typer.Option(help="Go on with session N where it stopped.")] = None,
    from_session: Annotated[
        int | None,
        typer.Option("--from", help="Fine-tune session N; 0 is that of the bundled model."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="Rights in the texts, noted in the model.", show_default="unknown")
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="Column with the texts.", show_default=_usual("text_column"))
    ] = None,
    style_column: Annotated[
        str | None,
        typer.Option(help="Column with styles, such as artist.", show_default=_usual("style_column")),
    ] = None,
    no_titles: Annotated[
        bool | None,
        typer.Option(
            "--no-titles", help="Leave out the titles in column song or title, with which texts begin."
        ),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of the files.", show_default=_usual("encoding"))
    ] = None,
    skip_bad_rows: Annotated[
        bool | None,
        typer.Option("--skip-bad-rows", help="Leave out rows that cannot be read, and count them."),
    ] = None,
    layers: Annotated[int | None, typer.Option(help="LSTM layers.", show_default=_usual("layers"))] = None,
    hidden_size: Annotated[
        int | None, typer.Option(help="Units per layer.", show_default=_usual("hidden_size"))
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(help="Higher memorises less; 0 for large corpora.", show_default=_usual("dropout")),
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="How often every song is read.", show_default=_usual("epochs"))
    ] = None,
    slots: Annotated[
        int | None, typer.Option(help="Songs read side by side.", show_default=_usual("slots"))
    ] = None,
    segment_length: Annotated[
        int | None, typer.Option(help="Characters between updates.", show_default=_usual("segment_length"))
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak step size.", show_default=_usual("learning_rate"))
    ] = None,
    warmup_share: Annotated[
        float | None,
        typer.Option(help="Share of the run spent climbing.", show_default=_usual("warmup_share")),
    ] = None,
    final_learning_rate_share: Annotated[
        float | None,
        typer.Option(help="Where the fall ends.", show_default=_usual("final_learning_rate_share")),
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="Pull of weights towards zero.", show_default=_usual("weight_decay"))
    ] = None,
    clip_norm: Annotated[
        float | None,
        typer.Option(help="Longest gradient that is left as it is.", show_default=_usual("clip_norm")),
    ] = None,
    held_out_share: Annotated[
        float | None,
        typer.Option(help="Share of songs kept for validation.", show_default=_usual("held_out_share")),
    ] = None,
    style_dropout: Annotated[
        float | None,
        typer.Option(
            help="Share of songs that are read without their style.", show_default=_usual("style_dropout")
        ),
    ] = None,
    auxiliary_weight: Annotated[
        float | None,
        typer.Option(
            help="Weight of each question for line ends and style; try 0.05.",
            show_default=_usual("auxiliary_weight"),
        ),
    ] = None,
    validations_per_epoch: Annotated[
        float | None,
        typer.Option(help="How often they are scored.", show_default=_usual("validations_per_epoch")),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Stop after so many validations without a better one; 0: never.",
            show_default=_usual("patience"),
        ),
    ] = None,
    rare_character_share: Annotated[
        float | None,
        typer.Option(
            help="Characters rarer than this share are left out.", show_default=_usual("rare_character_share")
        ),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="auto, fp32 or bf16.", show_default=_usual("precision"))
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu or cuda.", show_default=_usual("device"))
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Decides split, order and initial weights.", show_default=_usual("seed")),
    ] = None,
) -> None:
    """Train a character LSTM on songs and leave it in checkpoints/session_N.

    \b
    Examples:
      python -m train                                  songdata.csv, 2 x 512
      python -m train --corpus my.csv --preset seed    a quick model
      python -m train --corpus my_songs/ --from 0      fine-tune the bundled model
      python -m train --resume 3                       go on after a break
      torchrun --nproc-per-node 2 -m train             on two GPUs
    """  # noqa: D301 (the backspace keeps typer from joining the lines)
    given = {name: value for name, value in context.params.items() if value is not None}
    if resume is not None:
        why = f"left out with --resume (a session keeps its configuration; --from {resume} begins another)"
        _refuse(given, given.keys() - {"resume", "device", "corpus"}, why)
        _continue(resume, device, corpus)
        return
    if from_session is not None:
        _refuse(given, FIXED_BY_PARENT, "left out with --from (a fine-tuned model keeps its parent's)")
    wishes = {name: given[name] for name in given.keys() & FIELDS}
    if no_titles:
        wishes["titles"] = False
    order = Order(corpus or DEFAULT_CORPUS, preset or "base", from_session, licence or "unknown", wishes)
    _check(order)
    _start(order)


def main() -> None:
    """Entry point of `python -m train`."""
    command.run_and_exit(app, "python -m train")


@dataclass(frozen=True)
class Order:
    """What a new training is to do."""

    corpus_path: Path
    preset: str
    from_session: int | None
    """Session to begin from instead of a preset's random weights."""
    licence: str
    wishes: dict[str, Any]
    """Field of TrainConfig, or of its parts, → value, where the user chose."""


def configure(config: TrainConfig, wishes: dict[str, Any]) -> TrainConfig:
    """Return the configuration with `wishes` (field of it or of its parts → value) in place of its own.

    Raises:
        OptionError: a value is out of its range.
    """

    def chosen(kind: type[TrainConfig | ModelConfig | CorpusConfig]) -> dict[str, Any]:
        return {field.name: wishes[field.name] for field in fields(kind) if field.name in wishes}

    parts = {name: replace(getattr(config, name), **chosen(kind)) for name, kind in PARTS.items()}
    return replace(config, **parts, **chosen(TrainConfig))


def missing_corpus(path: Path, from_session: int | None = None) -> str:
    """Say where songs come from when there is no file at `path`."""
    if from_session is not None and path == DEFAULT_CORPUS:
        return f"{path}: no such file. Name your songs, a CSV or a folder of .txt files, with --corpus PATH"
    return (
        f"{path}: no such file. The usual one is at {KAGGLE}; any CSV with a column named text will do, "
        f"and so will a folder of .txt files. To try without it: {TRY_WITHOUT}"
    )


def _refuse(given: dict[str, Any], options: Set[str], expected: str) -> None:
    """Raise OptionError for the first of `options` that was given."""
    for name in sorted(given.keys() & options):
        raise OptionError("from" if name == "from_session" else name, given[name], expected)


def _check(order: Order) -> None:
    """Find what is wrong with an order before torch is loaded, which takes seconds."""
    if order.preset not in PRESETS:
        raise OptionError("preset", order.preset, f"one of {', '.join(PRESETS)}")
    configure(PRESETS[order.preset], order.wishes)
    if not order.corpus_path.exists():
        raise LyricgenError(missing_corpus(order.corpus_path, order.from_session))
    if order.corpus_path.is_dir():
        given = {**order.wishes, **({} if order.wishes.get("titles", True) else {"no_titles": True})}
        _refuse(given, COLUMN_OPTIONS, "left out with a folder of .txt files, which have no columns")


def _import_all() -> None:
    """Import what takes seconds; a package that is missing is found now, and not at a validation."""
    import matplotlib.figure  # noqa: F401
    import pandas  # noqa: F401

    import train.corpus.load
    import train.distributed
    import train.loop
    import train.session  # noqa: F401

    on_interrupt(RAISE)


def _start(order: Order) -> None:
    _import_all()
    from train.distributed import joined

    with joined(order.wishes.get("device", "auto")) as world:
        console, doing = _console(world), Text(printable(f"reading {order.corpus_path}"))
        with _memory_errors_explained("end other programs, or train on fewer songs"), console.status(doing):
            number = world.first_does(lambda: _create(order, world))
        _run(world, console, number, resumes=False)


def _create(order: Order, world: World) -> int:
    """Read the corpus and make a session of it; return its number."""
    from train.corpus.load import Given, load_corpus
    from train.session import CHECKPOINTS_FOLDER, Session

    config, parent, given = PRESETS[order.preset], None, None
    if order.from_session is not None:
        begun = Session.open(CHECKPOINTS_FOLDER, order.from_session)
        config, parent = fine_tuning(begun.config), begun.as_parent()
        given = Given(
            begun.vocabulary,
            begun.facts.title_line,
            _songs_to_compare(begun, "training"),
            _songs_to_compare(begun, "held_out"),
            has_other_songs=bool(begun.facts.base_with_other_songs),
        )
    config = configure(config, order.wishes)
    world.columns(config.slots)  # before anything is made
    corpus = load_corpus(
        order.corpus_path,
        config.corpus,
        seed=config.seed,
        licence=order.licence,
        given=given,
        scratch_folder=Path(),
    )
    return Session.create(CHECKPOINTS_FOLDER, config, corpus, parent).number


def _songs_to_compare(begun: Session, part: str) -> EncodedSongs | None:
    """Return a part of the songs of the session to begin from, if they are at hand.

    Raises:
        SessionError: it is damaged.
    """
    from train.session import SessionError

    if not begun.has_songs(part):
        return None
    try:
        return begun.songs(part)
    except SessionError as error:
        name = part.replace("_", "-")
        advice = f"its {name} songs are damaged; remove its folder songs to do without a comparison with them"
        raise SessionError(begun.folder, advice) from error


def _continue(number: int, device: str | None, corpus_path: Path | None) -> None:
    _import_all()
    from train.corpus.reading import hash_files
    from train.distributed import joined
    from train.session import CHECKPOINTS_FOLDER, Session, SessionError

    session = Session.open(CHECKPOINTS_FOLDER, number)
    if corpus_path is not None and hash_files(corpus_path) != session.corpus.sha256:
        problem = f"was begun with another {session.corpus.name} than {corpus_path} is (their hashes differ)"
        advice = "train anew, or leave out --corpus to go on with the old songs"
        raise SessionError(session.folder, f"{problem}; {advice}")
    with joined(device or session.config.device) as world:
        _run(world, _console(world), number, resumes=True)


def _console(world: World) -> SteadyConsole:
    return SteadyConsole(quiet=not world.is_first)


def _run(world: World, console: SteadyConsole, number: int, *, resumes: bool) -> None:
    from train.loop import Trainer
    from train.session import CHECKPOINTS_FOLDER, Session

    session = Session.open(CHECKPOINTS_FOLDER, number)
    log_path = session.folder / "train.log" if world.is_first else Path(os.devnull)
    display = TrainingDisplay(console, log_path)
    advice = "train anew with fewer --slots, a shorter --segment-length or a smaller network"
    with ExitStack() as held, _memory_errors_explained(advice):
        world.first_does(lambda: held.enter_context(session.locked()))
        trainer = Trainer(session, display, world)
        if resumes:
            trainer.resume()
        for line in _beginning(trainer):
            display.say(line)
        with display.bar(trainer.total_symbols, trainer.progress.symbols):
            signal_number = trainer.run()
        if signal_number:
            display.say(f"stopped and saved. Go on with: python -m train --resume {number}")
            raise typer.Exit(128 + signal_number)
        for line in _end(trainer):
            display.say(line)


@contextmanager
def _memory_errors_explained(advice: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and not re.search(
            "out of memory|can't allocate memory", str(error)
        ):
            raise
        raise LyricgenError(f"not enough memory: {advice}") from error


def _beginning(trainer: Trainer) -> list[str]:
    """Say what is about to be trained on what."""
    from train.corpus.facts import describe

    session, model = trainer.session, trainer.config.model
    weights = sum(p.numel() for p in trainer.model.parameters())
    processes = f", {trainer.world.size} processes" if trainer.world.size > 1 else ""
    arithmetic = "bf16" if trainer.uses_bf16 else "fp32"
    rows = describe(session.corpus, session.vocabulary)
    size = f"{weights / 1e6:.1f} M" if weights >= 1e6 else f"{weights:,}"
    rows.append(("model", f"{model.layers} × {model.hidden_size} LSTM, {size} weights"))
    if session.facts.base_model:
        rows.append(("begun from", printable(session.facts.base_model)))
        if not session.corpus.base_was_compared:
            rows.append(("beware", "not all that it learned from is here: it may know songs held out"))
    epochs = f"{trainer.config.epochs:g} epoch{'' if trainer.config.epochs == 1 else 's'}"
    training = f"{epochs} on {trainer.world.device.type} in {arithmetic}{processes}"
    rows.append(("training", training))
    if trainer.progress.step:
        at = f"at {trainer.progress.symbols:,} of {trainer.total_symbols:,} characters"
        over = f"after its {trainer.progress.symbols:,} characters: it was finished, nothing to do"
        rows.append(("resumed", over if trainer.finished else at))
    width = max(len(label) for label, _ in rows)
    return [str(session.folder), *(f"{label:{width}}  {text}" for label, text in rows)]


def _end(trainer: Trainer) -> list[str]:
    """Say what came of it and what to do next."""
    progress, folder = trainer.progress, trainer.session.folder
    early = f" (stopped early: none better in {trainer.config.patience} validations)"
    return [
        f"done: {progress.best_held_out:.4f} bits per character on the held-out songs, after "
        f"{progress.symbols:,} characters in {clock(progress.elapsed_seconds)}"
        + (early if trainer.stopped_early else ""),
        f"look: {folder / 'loss.png'} shows the curves, {folder / 'samples'} the songs it wrote on the way",
        f"next: python -m export --session {trainer.session.number}",
    ]
