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
from benchmarks.trainers import Result, train_for
from train.config import PRESETS, fine_tuning
from train.corpus.load import ParentModel, load_corpus
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
    scratch = []
    for name in ("seed", "base"):
        preset = replace(PRESETS[name], corpus=config.corpus)
        scratch.append(_shown(f"{name} from scratch", train_for(seconds or tuned.seconds, preset, songs)))
    gain = min(result.bits_per_character for result in scratch) - tuned.bits_per_character
    print(f"gain over the better from scratch: {gain:.4f} bits per character")


def _shown(name: str, result: Result) -> Result:
    _row(name, f"{result.epochs:.2f}", f"{result.seconds:.0f}", f"{result.bits_per_character:.4f}")
    return result


if __name__ == "__main__":
    run(main)
