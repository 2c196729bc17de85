"""`python -m train`: a file of songs → a session."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args, get_origin

import typer
from rich.text import Text

from lyricgen.errors import ExcludedOptionError, LyricgenError, OptionError
from lyricgen.printable import printable
from lyricgen.terminal import command
from lyricgen.terminal.interrupt import RAISE, on_interrupt
from train.config import OPTIONS, PRESETS, Help, configure, fine_tuning, option_value
from train.progress import SteadyConsole, TrainingDisplay, clock, in_millions
from train.session_folders import CHECKPOINTS_FOLDER, SessionError

if TYPE_CHECKING:  # torch takes seconds to import: not for --help
    from train.corpus.encoded import EncodedSongs
    from train.distributed import World
    from train.loop import Trainer
    from train.session import Session

OWN_SONGS = Path(__file__).parent / "data/modern_songs.csv.xz"
"""Songs that come with lyricgen, for those who have none at hand."""
OWN_LICENCE = "CC0 1.0 (written for lyricgen with a large language model)"
NAME_SONGS = "Name your songs, a CSV or a folder of .txt files, with --corpus PATH"
DEFAULT_CORPUS = Path("songdata.csv")
FIXED_BY_PARENT = {"preset", "layers", "hidden_size", "no_titles", "rare_character_share"}
"""Options that make no sense when a session begins from another one's weights and vocabulary."""
NOT_COMPARED = (
    "some songs that the first model was trained on are not here to compare with. If any of them are held "
    "out now, the scores look better than they should"
)
COLUMN_OPTIONS = {"text_column", "style_column", "no_titles"}
"""Options that only a CSV has a use for."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class TrainRequest(NamedTuple):
    """A new training that a user asks for."""

    corpus_path: Path
    preset: str
    from_session: int | None
    """Session to begin from instead of a preset's random weights."""
    licence: str
    overrides: dict[str, Any]
    """Options of the configuration that the user chose, and their values."""


def _flag(option: str) -> str:
    """Return the name of an option as a parameter of the command: what is on by default is turned off."""
    return f"no_{option}" if option_value(PRESETS["base"], option) is True else option


def _usual(option: str) -> str:
    """Say what an option is if it is left out: in the preset base, and where it differs."""
    configs = {**PRESETS, "--from": fine_tuning(PRESETS["base"])}
    values = {name: option_value(config, option) for name, config in configs.items()}
    shown = {name: f"{v:g}" if isinstance(v, float) else str(v) for name, v in values.items()}
    usual = shown.pop("base")
    others = ", ".join(f"{name} {value}" for name, value in shown.items() if value != usual)
    return f"{usual}; {others}" if others else usual


def _parameter(option: str, annotation: object) -> inspect.Parameter:
    """Return the parameter of the command that sets an option of the configuration."""
    kind, *notes = get_args(annotation)
    explained = next(note for note in notes if isinstance(note, Help))
    name = _flag(option)
    if kind is bool:
        info = typer.Option("--" + name.replace("_", "-"), help=explained)
    else:
        info = typer.Option(help=explained, show_default=_usual(option))
    kind = str if get_origin(kind) is Literal else kind
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, info]
    )


def _with_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add all options of the configuration to the signature of a command, which typer reads."""
    signature = inspect.signature(function, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name != "_options"]
    parameters = own + [_parameter(option, annotation) for option, annotation in OPTIONS.items()]
    function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return function


@app.command(context_settings=command.SETTINGS)
@_with_options
def train(
    context: typer.Context,
    corpus: Annotated[
        Path | None,
        typer.Option(
            help="CSV with a column named text (.gz, .xz and .zip are fine), or a folder of .txt.",
            show_default="songdata.csv; else songs of lyricgen's own",
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
    **_options: object,
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
        why = f"--resume: a session keeps its configuration; --from {resume} begins another one"
        _refuse(given, given.keys() - {"resume", "device", "corpus"}, why)
        _continue(resume, given.get("device"), corpus)
        return
    if from_session is not None:
        _refuse(given, FIXED_BY_PARENT, "--from: a fine-tuned model keeps that of its parent")
    overrides = {
        option: given[name] if name == option else not given[name]
        for option in OPTIONS
        if (name := _flag(option)) in given
    }
    path = corpus or DEFAULT_CORPUS
    if corpus is None and from_session is None and not DEFAULT_CORPUS.exists():
        path, licence = OWN_SONGS, licence or OWN_LICENCE
    _start(TrainRequest(path, preset or "base", from_session, licence or "unknown", overrides))


def main() -> None:
    """Entry point of `python -m train`."""
    command.run_and_exit(app, "python -m train")


def _refuse(given: Mapping[str, Any], options: Set[str], why: str) -> None:
    """Raise an error about the first of `options` that was given."""
    for name in sorted(given.keys() & options):
        raise ExcludedOptionError("from" if name == "from_session" else name, given[name], why)


def _check(request: TrainRequest) -> None:
    """Find what is wrong with a request before torch is loaded, which takes seconds."""
    if request.preset not in PRESETS:
        raise OptionError("preset", request.preset, f"one of {', '.join(PRESETS)}")
    configure(PRESETS[request.preset], request.overrides)
    if not request.corpus_path.exists():
        raise LyricgenError(f"{request.corpus_path}: no such file. {NAME_SONGS}")
    if request.corpus_path.is_dir():
        given = {_flag(option): value for option, value in request.overrides.items()}
        _refuse(given, COLUMN_OPTIONS, "a folder of .txt files, which have no columns")


def _import_all() -> None:
    """Import what takes seconds; a package that is missing is found now, and not at a validation."""
    import matplotlib.figure  # noqa: F401
    import pandas  # noqa: F401

    import train.loop  # noqa: F401

    on_interrupt(RAISE)


def _start(request: TrainRequest) -> None:
    _check(request)
    _import_all()
    from train.distributed import joined
    from train.session import Session

    with joined(request.overrides.get("device", "auto")) as world:
        if request.corpus_path == OWN_SONGS and world.is_first:
            typer.echo(
                f"there is no {DEFAULT_CORPUS} here: reading {OWN_SONGS.name}, the songs of lyricgen's own"
            )
        doing = Text(printable(f"reading {request.corpus_path}"))
        console = SteadyConsole(quiet=not world.is_first)
        with _memory_errors_explained("end other programs, or train on fewer songs"), console.status(doing):
            number = world.first_does(lambda: _create(request, world))
        _run(world, Session.open(CHECKPOINTS_FOLDER, number), resumes=False)


def _create(request: TrainRequest, world: World) -> int:
    """Read the corpus and make a session of it; return its number."""
    from train.corpus.load import ParentModel, load_corpus
    from train.session import Session

    config, parent, parent_model = PRESETS[request.preset], None, None
    if request.from_session is not None:
        session = Session.open(CHECKPOINTS_FOLDER, request.from_session)
        config, parent = fine_tuning(session.config), session.as_parent()
        parent_model = ParentModel(
            session.vocabulary,
            session.facts.title_line,
            _songs_to_compare(session, "training"),
            _songs_to_compare(session, "held_out"),
            has_other_songs=bool(session.facts.base_with_other_songs),
        )
    config = configure(config, request.overrides)
    world.columns(config.slots)  # before anything is made
    corpus = load_corpus(
        request.corpus_path,
        config.corpus,
        seed=config.seed,
        licence=request.licence,
        parent=parent_model,
        scratch_folder=Path(),
    )
    for name in config.weight_of_style.keys() - set(corpus.vocabulary.styles):
        raise OptionError(
            "style_weights", name, f"of styles with a token: {', '.join(corpus.vocabulary.styles)}"
        )
    return Session.create(CHECKPOINTS_FOLDER, config, corpus, parent).number


def _songs_to_compare(parent: Session, part: str) -> EncodedSongs | None:
    """Return a part of the songs of the session to begin from; None if they are not at hand."""
    try:
        return parent.songs(part) if parent.has_songs(part) else None
    except SessionError as error:
        name = part.replace("_", "-")
        advice = f"its {name} songs are damaged; remove its folder songs to do without a comparison with them"
        raise SessionError(parent.folder, advice) from error


def _continue(number: int, device: str | None, corpus_path: Path | None) -> None:
    _import_all()
    from train.corpus.reading import hash_files
    from train.distributed import joined
    from train.session import Session

    session = Session.open(CHECKPOINTS_FOLDER, number)
    if corpus_path is not None and hash_files(corpus_path) != session.corpus.sha256:
        problem = f"was begun with another {session.corpus.name} than {corpus_path} is (their hashes differ)"
        advice = "train anew, or leave out --corpus to go on with the old songs"
        raise SessionError(session.folder, f"{problem}; {advice}")
    with joined(device or session.config.device) as world:
        _run(world, session, resumes=True)


def _run(world: World, session: Session, *, resumes: bool) -> None:
    from train.loop import Trainer

    log_path = session.folder / "train.log" if world.is_first else Path(os.devnull)
    display = TrainingDisplay(SteadyConsole(quiet=not world.is_first), log_path)
    advice = "train anew with fewer --slots, a shorter --segment-length or a smaller network"
    with ExitStack() as held, _memory_errors_explained(advice):
        world.first_does(lambda: held.enter_context(session.locked()))
        trainer = Trainer(session, display, world)
        if resumes:
            trainer.resume()
        display.say(str(session.folder))
        for label, text in _facts(trainer):
            display.say(text, label)
        with display.bar(trainer.total_symbols, trainer.progress.symbols):
            signal_number = trainer.run()
        if signal_number:
            display.say(f"stopped and saved. Go on with: python -m train --resume {session.number}")
            raise typer.Exit(128 + signal_number)
        _say_result(display, trainer)


@contextmanager
def _memory_errors_explained(advice: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and not re.search("out of memory|can't allocate", str(error)):
            raise
        raise LyricgenError(f"not enough memory: {advice}") from error


def _facts(trainer: Trainer) -> list[tuple[str, str]]:
    """Say what is about to be trained on what: rows of a label and a text."""
    from train.corpus.facts import describe

    session, model, progress = trainer.session, trainer.config.model, trainer.progress
    weights = sum(p.numel() for p in trainer.model.parameters())
    rows = describe(session.corpus, session.vocabulary)
    rows.append(("model", f"{model.layers} × {model.hidden_size} LSTM, {in_millions(weights)} weights"))
    if session.facts.base_model:
        rows.append(("begun from", printable(session.facts.base_model)))
        if not session.corpus.base_was_compared:
            rows.append(("beware", NOT_COMPARED))
    epochs = f"{trainer.config.epochs:g} epoch{'' if trainer.config.epochs == 1 else 's'}"
    where = f"on {trainer.world.device.type} in {'bf16' if trainer.uses_bf16 else 'fp32'}"
    where += f", {trainer.world.size} processes" if trainer.world.size > 1 else ""
    rows.append(("training", f"{epochs} {where}; scores are bits per character"))
    if progress.step:
        at = f"at {progress.symbols:,} of {trainer.total_symbols:,} characters"
        over = f"after its {progress.symbols:,} characters: it was finished, nothing to do"
        rows.append(("resumed", over if trainer.finished else at))
    return rows


def _say_result(display: TrainingDisplay, trainer: Trainer) -> None:
    """Say how good the model became and what to do next."""
    progress, folder = trainer.progress, trainer.session.folder
    early = f" (stopped early: none better in {trainer.config.patience} validations)"
    display.say(
        f"{progress.best_held_out:.4f} bits per character on the held-out songs, after {progress.symbols:,} "
        f"characters in {clock(progress.elapsed_seconds)}{early if trainer.stopped_early else ''}",
        "done",
    )
    display.say(
        f"{folder / 'loss.png'} (the curves), {folder / 'samples'} (songs it wrote on the way)", "look"
    )
    display.say(f"next: python -m export --session {trainer.session.number}")
