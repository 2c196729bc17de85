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


class SteadyConsole(Console):
    """A console that goes silent when its pipe closes: nobody's `| head` should end a training."""

    def on_broken_pipe(self) -> None:
        """Print nothing from now on."""
        self.quiet = True


class TrainingDisplay:
    """Shows a run on the terminal and writes the same lines to a log file."""

    def __init__(self, console: Console, log_path: Path) -> None:
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
        with self._bar:
            yield

    def say(self, line: str) -> None:
        """Print one line above the bar and append it to the log."""
        with self.log_path.open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def advanced(self, symbols: int, bits_per_character: float) -> None:
        """Move the bar to `symbols`."""
        self._bar.update(self._task, completed=symbols, bits=f"{bits_per_character:.3f} bits/char")

    def validated(self, row: dict[str, float], *, best: bool) -> None:
        """Print the line of a validation."""
        mark = "  best so far" if best else ""
        training = row["training_bits_per_character"]
        learned = "     –" if math.isnan(training) else f"{training:.4f}"
        self.say(
            f"epoch {row['epoch']:6.2f}   characters {row['characters']:>12,.0f}   "
            f"training {learned}   "
            f"held out {row['held_out_bits_per_character']:.4f} bits/char   "
            f"{clock(row['elapsed_seconds'])}{mark}"
        )


class SpeedColumn(ProgressColumn):
    """Characters per second over the last minute."""

    def render(self, task: Task) -> Text:
        """Return the speed, or a placeholder before it is known."""
        speed = f"{task.speed:,.0f}" if task.speed else "…"
        return Text(f"{speed} characters/s")


def clock(seconds: float) -> str:
    """Return seconds as h:mm:ss."""
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
