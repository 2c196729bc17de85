"""How every command of lyricgen ends: one clear line on stderr and a documented exit code.

    0    done
    1    an error that a person can act on
    2    a wrong option or argument
    130  interrupted with Ctrl-C

A closed pipe (`lyricgen-run | head -1`) is no error. Used by `lyricgen-run`, `python -m train` and
`python -m export`.
"""

from __future__ import annotations

import os
import sys

import typer

from lyricgen.errors import LyricgenError, OptionError

EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def run(app: typer.Typer, name: str, arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code; anything but a defect of ours ends without a traceback."""
    command = typer.main.get_command(app)
    try:
        result = command.main(arguments, prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except LyricgenError as error:
        return _fail(str(error), EXIT_USAGE if isinstance(error, OptionError) else EXIT_ERROR)
    except BrokenPipeError:
        _silence_stdout()
        return 0
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return _fail(f"{error.format_message()} (see {name} --help)", EXIT_USAGE)  # the parser's usage errors
    return result if isinstance(result, int) else 0


def _fail(message: str, code: int) -> int:
    typer.echo("error: " + " ".join(message.split()), err=True)
    return code


def _silence_stdout() -> None:
    """Point stdout elsewhere, so that the interpreter's last flush does not fail on the closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
