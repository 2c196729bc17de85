"""`python -m train`: a file of songs → a session."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lyricgen import command
from lyricgen.errors import LyricgenError, OptionError
from train.config import PRESETS, ModelConfig, TrainConfig
from train.progress import SteadyConsole, TrainingDisplay

if TYPE_CHECKING:  # torch takes seconds to import: not for --help
    from train.loop import Trainer
    from train.session import Session

KAGGLE = "https://www.kaggle.com/datasets/mousehead/songlyrics"
TRY_WITHOUT = "python -m train --corpus tests/data/small_songs.csv --preset tiny --epochs 60"
MODEL_OPTIONS = {field.name for field in fields(ModelConfig)}
FIELDS = MODEL_OPTIONS | {field.name for field in fields(TrainConfig)}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def train(
    context: typer.Context,
    corpus: Annotated[
        Path | None,
        typer.Option(
            help="CSV with a column named text; .gz, .xz and .zip are fine.", show_default="songdata.csv"
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="tiny (seconds), seed (2 × 128) or base (2 × 512).", show_default="base"),
    ] = None,
    resume: Annotated[int | None, typer.Option(help="Go on with session N where it stopped.")] = None,
    licence: Annotated[
        str | None, typer.Option(help="Rights in the texts, noted in the model.", show_default="unknown")
    ] = None,
    layers: Annotated[int | None, typer.Option(help="LSTM layers.")] = None,
    hidden_size: Annotated[int | None, typer.Option(help="Units per layer.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Higher memorises less; 0 for large corpora.")] = None,
    epochs: Annotated[float | None, typer.Option(help="How often every song is read.")] = None,
    slots: Annotated[int | None, typer.Option(help="Songs read side by side.")] = None,
    segment_length: Annotated[int | None, typer.Option(help="Characters between updates.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak step size.")] = None,
    warmup_share: Annotated[float | None, typer.Option(help="Share of the run spent climbing.")] = None,
    final_learning_rate_share: Annotated[float | None, typer.Option(help="Where the fall ends.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Pull of weights towards zero.")] = None,
    clip_norm: Annotated[float | None, typer.Option(help="Longest gradient that is left as it is.")] = None,
    held_out_share: Annotated[float | None, typer.Option(help="Share of songs kept for validation.")] = None,
    validations_per_epoch: Annotated[float | None, typer.Option(help="How often they are scored.")] = None,
    rare_character_share: Annotated[
        float | None, typer.Option(help="Characters rarer than this share are left out.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="auto, fp32 or bf16.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides split, order and initial weights.")] = None,
) -> None:
    """Train a character LSTM on songs and leave it in checkpoints/session_N.

    \b
    Examples:
      python -m train                                  songdata.csv, 2 x 512
      python -m train --corpus my.csv --preset tiny    a first try, in seconds
      python -m train --resume 3                       go on after an interruption
    """  # noqa: D301 (the backspace keeps typer from joining the lines)
    given = {name: value for name, value in context.params.items() if value is not None}
    if resume is None:
        config = configure(preset or "base", {name: given[name] for name in given.keys() & FIELDS})
        _start(corpus or Path("songdata.csv"), config, licence or "unknown")
    elif given.keys() <= {"resume", "device"}:
        _continue(resume, device)
    else:
        raise OptionError(
            "resume", "with other options", "alone or with --device: a session keeps its configuration"
        )


def main() -> None:
    """Entry point of `python -m train`."""
    sys.exit(command.run(app, "python -m train"))


def configure(preset: str, wishes: dict[str, Any]) -> TrainConfig:
    """Return the preset with `wishes` (field → value) in place of its own values."""
    if preset not in PRESETS:
        raise OptionError("preset", preset, f"one of {', '.join(PRESETS)}")
    shape = {name: wishes[name] for name in MODEL_OPTIONS if name in wishes}
    rest = {name: value for name, value in wishes.items() if name not in MODEL_OPTIONS}
    config = PRESETS[preset]
    return replace(config, model=replace(config.model, **shape), **rest)


def missing_corpus(path: Path) -> str:
    """Say where songs come from when there is no file at `path`."""
    return (
        f"{path}: no such file. The usual one is at {KAGGLE}; any CSV with a column named text will do. "
        f"To try without it: {TRY_WITHOUT}"
    )


def _start(corpus_path: Path, config: TrainConfig, licence: str) -> None:
    if not corpus_path.exists():
        raise LyricgenError(missing_corpus(corpus_path))
    console = SteadyConsole()
    with console.status(f"reading {corpus_path}"):
        from train.corpus import load_corpus
        from train.loop import choose_device
        from train.session import CHECKPOINTS_FOLDER, Session

        choose_device(config.device)  # before anything is made
        corpus = load_corpus(corpus_path, config.held_out_share, config.rare_character_share, config.seed)
        session = Session.create(CHECKPOINTS_FOLDER, config, corpus, licence)
    _run(console, session, resumes=False, dropped=corpus.dropped)


def _continue(number: int, device: str | None) -> None:
    from train.session import CHECKPOINTS_FOLDER, Session

    session = Session.open(CHECKPOINTS_FOLDER, number)
    if device is not None:
        session.config = replace(session.config, device=device)
    _run(SteadyConsole(), session, resumes=True, dropped={})


def _run(console: Console, session: Session, *, resumes: bool, dropped: dict[str, int]) -> None:
    from train.loop import Trainer

    display = TrainingDisplay(console, session.folder / "train.log")
    try:
        trainer = Trainer(session, display)
        if resumes:
            trainer.resume()
        for line in _beginning(trainer, dropped):
            display.say(line)
        with display.bar(trainer.total_symbols, trainer.progress.symbols):
            finished = trainer.run()
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        raise LyricgenError("not enough memory: lower --hidden-size, --layers or --slots") from error
    if not finished:
        display.say(f"stopped and saved. Go on with: python -m train --resume {session.number}")
        raise KeyboardInterrupt
    display.say(f"done: {trainer.progress.best_held_out:.4f} bits per character on the held-out songs")
    display.say(f"next: python -m export --session {session.number}")


def _beginning(trainer: Trainer, dropped: dict[str, int]) -> list[str]:
    session, model = trainer.session, trainer.config.model
    corpus, millions = session.corpus, sum(p.numel() for p in trainer.model.parameters()) / 1e6
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)
    songs = (
        f"{corpus.name}: {corpus.training_songs:,} songs to train on ({corpus.training_characters:,} "
        f"characters), {corpus.held_out_songs:,} held out"
    )
    network = (
        f"{model.layers} × {model.hidden_size} LSTM, {millions:.1f} M weights, "
        f"{len(session.vocabulary.characters)} characters"
    )
    arithmetic = "bf16" if trainer.uses_bf16 else "fp32"
    lines = [
        str(session.folder),
        f"corpus    {songs}",
        f"model     {network}",
        f"training  {trainer.config.epochs:g} epochs on {trainer.device.type} in {arithmetic}",
    ]
    if left_out:
        lines.insert(2, f"left out  {left_out}")
    if trainer.progress.step:
        done = min(trainer.progress.symbols, trainer.total_symbols)
        lines.append(f"resumed   at {done:,} of {trainer.total_symbols:,} characters")
    return lines
