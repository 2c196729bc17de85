"""What a person sees of a training run: a live bar, and a line for each validation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from lyricgen.printable import WIDTH
from train.callbacks import Callbacks, Validation

_LABEL_COLUMNS = 12


class SteadyConsole(Console):
    """A console that goes silent, instead of failing, when its reader or its terminal is gone."""

    def on_broken_pipe(self) -> None:
        """Print nothing from now on: the pipe is closed."""
        self.quiet = True

    @contextmanager
    def tolerant(self) -> Iterator[None]:
        """Print nothing from now on if the terminal is gone."""
        try:
            yield
        except OSError:
            self.quiet = True


class TrainingDisplay(Callbacks):
    """Shows a run on the terminal and writes the same lines to a log file."""

    def __init__(self, console: SteadyConsole, log_path: Path) -> None:
        self.console, self.log_path = console, log_path
        self._task = TaskID(0)
        self._bar = Progress(
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            SpeedColumn(),
            TextColumn("{task.fields[bits]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            speed_estimate_period=60,
            transient=True,
        )

    @contextmanager
    def bar(self, total_symbols: int, done_symbols: int) -> Iterator[None]:
        """Show the live bar, from `done_symbols` of `total_symbols` on."""
        self._task = self._bar.add_task("training", total=total_symbols, completed=done_symbols, bits="…")
        with self.console.tolerant():
            self._bar.start()
        try:
            yield
        finally:
            with self.console.tolerant():
                self._bar.stop()

    def say(self, text: str, label: str = "") -> None:
        """Print a paragraph above the bar, in lines of at most 80 columns, and append it to the log.

        What it is about, `label`, stands to its left.
        """
        indent = _LABEL_COLUMNS if label else 0
        wrapped = Text(text).wrap(self.console, WIDTH - indent)
        for n, part in enumerate(wrapped):
            line = f"{label if not n else '':{indent}}{part.plain.rstrip()}"
            self._print(line)
            try:
                with self.log_path.open("a", encoding="utf-8") as log:
                    log.write(line + "\n")
            except OSError as error:
                self._print(f"warning: {self.log_path}: cannot be written: {error.strerror or error}")

    def _print(self, line: str) -> None:
        with self.console.tolerant():
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def on_progress(self, symbols: int, bits_per_character: float) -> None:
        """Move the bar to `symbols`."""
        self._bar.update(self._task, completed=symbols, bits=f"{bits_per_character:.3f} bits/char")

    def on_validation(self, validation: Validation, *, best: bool) -> None:
        """Print the line of a validation."""
        training = validation.training_bits_per_character
        parts = (
            f"epoch {validation.epoch:6.2f}",
            f"{in_millions(validation.characters):>7} chars",
            f"training {'     –' if math.isnan(training) else f'{training:.4f}'}",
            f"held out {validation.held_out_bits_per_character:.4f}",
            clock(validation.elapsed_seconds),
            "best" if best else "",
        )
        self.say("  ".join(parts).rstrip())

    def on_warning(self, problem: str) -> None:
        """Report what went wrong but does not end the training."""
        self.say(f"warning: {problem}")


class SpeedColumn(ProgressColumn):
    """Characters per second over the last minute, or a placeholder before that is known."""

    def render(self, task: Task) -> Text:  # noqa: D102
        return Text(f"{task.speed:,.0f} characters/s" if task.speed else "… characters/s")


def in_millions(number: int) -> str:
    """Return a large number as millions, a small one as it is."""
    return f"{number / 1e6:,.1f} M" if number >= 1e6 else f"{number:,}"


def clock(seconds: float) -> str:
    """Return seconds as h:mm:ss."""
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
