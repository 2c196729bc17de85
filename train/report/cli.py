"""`python -m train.report`: what a model's songs are like at each temperature, and which one suits it.

The report (`report.json`, `report.md` and its pictures) stays in the session's folder `report`; the next
export of the session puts the suggested temperature and the figures there into the model file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lyricgen.files import check_writable
from lyricgen.options import checked
from lyricgen.schema import Range
from lyricgen.terminal import command
from lyricgen.terminal.interrupt import RAISE, on_interrupt
from train.report.figures import Seed, save_report
from train.session_folders import CHECKPOINTS_FOLDER, exported_path

Songs = Annotated[int, Range(10, 100_000)]
FormSongs = Annotated[int, Range(0, 100_000)]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(context_settings=command.SETTINGS)
def report(
    session: Annotated[int, typer.Option(help="Number of the training session.")],
    model: Annotated[
        Path | None,
        typer.Option(
            help="Its exported file.",
            show_default="exported_models/session_N.onnx",
            parser=command.path,
            metavar="PATH",
        ),
    ] = None,
    songs: Annotated[int, typer.Option(help="Songs to write at each temperature.")] = 200,
    check_songs: Annotated[int, typer.Option(help="Songs to write at the suggested temperature.")] = 1000,
    form_songs: Annotated[
        int, typer.Option(help="Songs to write with each form (see lyricgen-run --forms); 0 for none.")
    ] = 50,
    seed: Annotated[
        int, typer.Option(help="Seed of the songs; those at the suggested temperature have the next one.")
    ] = 0,
) -> None:
    """Find out what a model's songs are like at each temperature, and which one suits it.

    Are they sound, are they new, are they shaped like songs? Each figure stands
    beside that of real songs which the model has never seen.

    \b
    Examples:
      python -m export --session 3
      python -m train.report --session 3
      python -m export --session 3      puts the suggested temperature into the file
    """  # noqa: D301 (the backspace keeps typer from joining the lines)
    checked(Songs, songs, "songs")
    checked(Songs, check_songs, "check_songs")
    checked(FormSongs, form_songs, "form_songs")
    checked(Seed, seed, "seed")
    from rich.console import Console
    from rich.text import Text

    from train.report.plot import draw_forms, draw_report
    from train.report.run import ReportRequest, make_report, open_exported
    from train.report.tables import to_markdown, to_terminal
    from train.session import Session  # torch takes seconds to import: not for --help

    on_interrupt(RAISE)
    trained = Session.open(CHECKPOINTS_FOLDER, session)
    exported = open_exported(trained, model or exported_path(session))
    folder = trained.folder / "report"
    check_writable(folder / "report.json" if folder.exists() else folder)  # before minutes of work
    request = ReportRequest(songs, check_songs, form_songs, seed)
    try:
        with Console(stderr=True).status("reading the songs") as status:
            done = make_report(trained, exported, request, lambda text: status.update(Text(text)))
    except KeyboardInterrupt:
        typer.echo("interrupted: nothing was written", err=True)
        raise
    typer.echo(to_terminal(done))
    pictures = {"report.png": draw_report(done)} | ({"forms.png": draw_forms(done)} if done.depths else {})
    save_report(trained.folder, done, to_markdown(done), pictures)
    typer.echo(f"look: report.md and {' and '.join(pictures)} in {folder}")
    typer.echo(f"next: python -m export --session {session}   (puts this into the model file)")


def main() -> None:
    """Entry point of `python -m train.report`."""
    command.run_and_exit(app, "python -m train.report")
