"""`python -m train.report`: what a model's songs are like at each temperature, and which one suits it.

The songs are written by the runtime, from the exported file, and measured against the songs that the
session was trained on and those that it held out. The report stays with the session:

    checkpoints/session_3/report/
        report.json    all figures
        report.md      the same as tables
        report.png     the same as a picture

Exporting the session again writes the suggested temperature and the figures there into the model file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console
from rich.text import Text

from lyricgen.errors import LyricgenError, OptionError
from lyricgen.printable import printable
from lyricgen.terminal import command
from lyricgen.terminal.interrupt import RAISE, on_interrupt
from lyricgen.vocabulary import SOS
from train.session_config import PARTS

if TYPE_CHECKING:
    from lyricgen.generator import Model
    from train.corpus.encoded import EncodedSongs
    from train.report.figures import Figures, Report, StyleFigures
    from train.report.measures import Measures
    from train.session import Session

TEMPERATURES = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0, 1.1, 1.2, 1.3)
STYLE_SHARE = 2
"""So many times fewer songs are written in each style than at each temperature."""
MIN_SONGS = 10

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Order(NamedTuple):
    """What to write and measure."""

    songs: int
    """At each temperature."""
    check_songs: int
    """At the suggested temperature, of another seed."""
    seed: int


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
    check_songs: Annotated[int, typer.Option(help="Songs to write at the suggested one.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the songs; the check's is the next one.")] = 0,
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
    for name, count in (("songs", songs), ("check_songs", check_songs)):
        if not MIN_SONGS <= count <= 100_000:
            raise OptionError(name, count, f"from {MIN_SONGS} to 100000")
    if not 0 <= seed < 2**64 - 1:
        raise OptionError("seed", seed, "from 0 to 2**64 - 2")
    from train.plot import draw_report
    from train.report.tables import to_markdown, to_terminal
    from train.session import CHECKPOINTS_FOLDER, Session  # torch takes seconds to import: not for --help

    import_what_it_needs()
    on_interrupt(RAISE)
    begun = Session.open(CHECKPOINTS_FOLDER, session)
    opened = _opened(begun, model or Path("exported_models") / f"session_{session}.onnx")
    begun.check_report_writable()  # before minutes of work
    console = Console(stderr=True)
    try:
        with console.status("reading the songs") as status:
            done = make_report(
                begun, opened, Order(songs, check_songs, seed), lambda text: status.update(Text(text))
            )
    except KeyboardInterrupt:
        typer.echo("interrupted: nothing was written", err=True)
        raise
    typer.echo("\n".join(map(printable, to_terminal(done).splitlines())))
    folder = begun.save_report(done, to_markdown(done), draw_report(done))
    typer.echo(f"look: {folder / 'report.png'}, {folder / 'report.md'}")
    typer.echo(f"next: python -m export --session {session}   (puts this into the model file)")


def main() -> None:
    """Entry point of `python -m train.report`."""
    command.run_and_exit(app, "python -m train.report")


def make_report(session: Session, model: Model, order: Order, told: Callable[[str], None]) -> Report:
    """Write songs with `model` and measure them against those of its session.

    Args:
        session: with its songs.
        model: exported from it.
        order: how many songs.
        told: what is being done.

    Raises:
        SessionError: the session came without its songs.
        LyricgenError: its held-out songs are too few to compare with.
    """
    from train.report.figures import Report
    from train.report.measures import Measures
    from train.report.suggestion import suggest

    songs = {part: session.songs(part) for part in PARTS}
    texts = {part: _texts(session, songs[part]) for part in PARTS}
    measures = Measures(texts["training"], title_line=session.facts.title_line)
    reference = measures.measure(texts["held_out"], len(texts["held_out"]))
    if not reference.known_pairs:
        raise LyricgenError(
            f"{session.folder}: its held-out songs have no two words in common with the others"
        )
    sweep = {}
    for temperature in TEMPERATURES:
        told(f"writing {order.songs} songs at temperature {temperature:g}")
        sweep[temperature], _ = _measured(measures, model, order.songs, order.seed, temperature)
    suggested = suggest(sweep, reference)
    told(f"writing {order.check_songs} songs at temperature {suggested:g}")
    check, _ = _measured(measures, model, order.check_songs, order.seed + 1, suggested)
    told("writing songs in each style")
    in_style = max(order.songs // STYLE_SHARE, 1)
    by_style = {part: _by_style(session, songs[part], texts[part]) for part in PARTS}
    styles = _style_figures(
        by_style, lambda name: _measured(measures, model, in_style, order.seed, suggested, name)
    )
    return Report(
        tensors_sha256=model.card.tensors_sha256,
        seed=order.seed,
        suggested_temperature=suggested,
        held_out=reference,
        sweep=sweep,
        check=check,
        base_model=session.facts.base_with_other_songs,
        styles=styles,
    )


def _opened(session: Session, path: Path) -> Model:
    """Open the file of a session.

    Raises:
        LyricgenError: it is another session's, or cannot be opened.
    """
    import lyricgen

    if not path.exists():
        raise LyricgenError(
            f"{path}: no such file; make it with: python -m export --session {session.number}"
        )
    model = lyricgen.load(path)
    origin = model.card.provenance
    same = origin.corpus_sha256 == session.corpus.sha256 and model.card.vocabulary == session.vocabulary
    if not same or origin.session != session.folder.name:
        raise LyricgenError(f"{path}: was exported from another session than {session.folder}")
    return model


def _texts(session: Session, songs: EncodedSongs) -> list[str]:
    starts = songs.starts
    pieces = zip(starts[:-1], starts[1:] - 1, strict=True)  # without EOS
    return [session.vocabulary.decode(songs.tokens[start:end].tolist()) for start, end in pieces]


def _measured(
    measures: Measures, model: Model, count: int, seed: int, temperature: float, style: str | None = None
) -> tuple[Figures, list[str]]:
    """Write songs; return what they are like, and their texts."""
    songs = list(model.songs(range(count), seed=seed, temperature=temperature, style=style))
    texts = [song.text for song in songs]
    return measures.measure(texts, sum(song.finished == "eos" for song in songs)), texts


def _style_figures(
    texts: Mapping[str, Mapping[str, Sequence[str]]], write: Callable[[str], tuple[Figures, list[str]]]
) -> dict[str, StyleFigures]:
    """Return what songs of each style are like, and how often a reader who counts words knows the style.

    Args:
        texts: real songs, by part and style.
        write: writes songs of a style, and measures them.
    """
    from train.report.figures import StyleFigures
    from train.report.recognition import StyleReader

    read, unseen = (texts[part] for part in PARTS)
    if not read:
        return {}
    reader, found = StyleReader(read), {}
    for style in read:  # a fine-tuned model knows its parent's, too
        real = unseen.get(style, [])
        figures, written = write(style)
        found[style] = StyleFigures(
            recognised=round(reader.recognised(written, style), 4),
            held_out_recognised=round(reader.recognised(real, style), 4),
            held_out_songs=len(real),
            figures=figures,
        )
    return found


def _by_style(session: Session, songs: EncodedSongs, texts: Sequence[str]) -> dict[str, list[str]]:
    """Return the texts of each style that has any."""
    found: dict[str, list[str]] = {style: [] for style in session.vocabulary.styles}
    for token, text in zip(songs.styles.tolist(), texts, strict=True):
        if token:
            found[session.vocabulary.styles[token - SOS - 1]].append(text)
    return {style: those for style, those in found.items() if those}


def import_what_it_needs() -> None:
    """Let a package that is missing be found now, and not after minutes of writing songs.

    Raises:
        ModuleNotFoundError: one is.
    """
    import matplotlib  # noqa: F401
    import pronouncing  # noqa: F401
    import pydivsufsort  # noqa: F401
