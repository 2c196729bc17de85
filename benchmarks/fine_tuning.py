"""What fine-tuning gains: a small corpus learned from a trained session, and from nothing, in equal time.

    python -m benchmarks.fine_tuning --corpus songdata.csv
    python -m benchmarks.fine_tuning --corpus songdata.csv --from 0 --minutes 3

Fine-tunes the session as `python -m train --from N` does, then trains each preset from scratch on the
same songs and the same split for as many seconds, as `python -m train` does, with a schedule that ends
just then. All use the session's vocabulary, so that they predict the same texts. Prints held-out bits per
character on the songs that none of them was trained on.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import columns, run
from benchmarks.trainers import train_for
from train.config import PRESETS, fine_tuning
from train.corpus.load import ParentModel, load_corpus
from train.loop import TrainingProgress
from train.session import Session
from train.session_folders import CHECKPOINTS_FOLDER

_row = columns(24, 8, 9, 21)


def main(
    corpus: Annotated[Path, typer.Option(help="The small corpus.")] = Path("songdata.csv"),
    from_session: Annotated[int, typer.Option("--from", help="Session to fine-tune.")] = 0,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="Time for each run; else as long as fine-tuning takes."),
    ] = None,
) -> None:
    """Print one line for each run."""
    begun = Session.open(CHECKPOINTS_FOLDER, from_session)
    config = fine_tuning(begun.config)
    songs = load_corpus(corpus, config.corpus, parent=ParentModel(begun.vocabulary, begun.facts.title_line))
    print(f"{songs.facts.name}: {songs.facts.training_songs:,} songs, {songs.facts.held_out_songs} held out")
    _row("", "epochs", "seconds", "bits per character")
    seconds = minutes and minutes * 60
    tuned = _shown(f"from session {from_session}", train_for(seconds, config, songs, begun.as_parent()))
    seconds, scratch = seconds or tuned.elapsed_seconds, []
    for name in ("seed", "base"):
        preset = replace(PRESETS[name], corpus=config.corpus)
        scratch.append(_shown(f"{name} from scratch", train_for(seconds, preset, songs)).best_held_out)
    print(f"gain over the better from scratch: {min(scratch) - tuned.best_held_out:.4f} bits per character")


def _shown(name: str, found: TrainingProgress) -> TrainingProgress:
    _row(name, f"{found.rows[-1].epoch:.2f}", f"{found.elapsed_seconds:.0f}", f"{found.best_held_out:.4f}")
    return found


if __name__ == "__main__":
    run(main)
