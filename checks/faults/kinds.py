"""The kinds of faults: each is a function that makes one case and yields the promises that were broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from checks.faults import running, training
from checks.faults.place import Place

Kind = Callable[[Place], Iterator[str]]


@dataclass(frozen=True)
class Share:
    """A kind of fault, and how many of a hundred cases are of it."""

    name: str
    kind: Kind
    percent: int


KINDS = (
    Share("songs killed", running.songs_killed, 8),
    Share("songs interrupted", running.songs_interrupted, 6),
    Share("songs in a folder killed", running.songs_in_a_folder_killed, 4),
    Share("songs on a full disk", running.songs_on_a_full_disk, 4),
    Share("runs at once", running.runs_at_once, 2),
    Share("pipe closed", running.pipe_closed, 4),
    Share("streams missing", running.streams_missing, 5),
    Share("read-only install", running.read_only_install, 2),
    Share("options of lyricgen-run", running.options_of_run, 16),
    Share("models damaged", running.models_damaged, 10),
    Share("journals damaged", running.journals_damaged, 5),
    Share("training killed", training.training_killed, 4),
    Share("training interrupted", training.training_interrupted, 4),
    Share("trainings at once", training.trainings_at_once, 2),
    Share("training on a full disk", training.training_on_a_full_disk, 3),
    Share("export stopped", training.export_stopped, 4),
    Share("export on a full disk", training.export_on_a_full_disk, 2),
    Share("options of train", training.options_of_train, 6),
    Share("options of export", training.options_of_export, 3),
    Share("corpora damaged", training.corpora_damaged, 6),
    Share("sessions damaged", training.sessions_damaged, 4),
)
