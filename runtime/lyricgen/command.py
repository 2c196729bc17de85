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
        # Not command.main(): it has its own opinions on closed pipes and Ctrl-C.
        with command.make_context(name, sys.argv[1:] if arguments is None else arguments) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as ended:
        return ended.exit_code
    except LyricgenError as error:
        return _fail(str(error), EXIT_USAGE if isinstance(error, OptionError) else EXIT_ERROR)
    except BrokenPipeError:
        _silence_stdout()
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except Exception as error:
        if not hasattr(error, "format_message"):  # the mark of the parser's usage errors
            raise
        return _fail(f"{error.format_message()} (see {name} --help)", EXIT_USAGE)
    return 0


def _fail(message: str, code: int) -> int:
    typer.echo("error: " + " ".join(message.split()), err=True)
    return code


def _silence_stdout() -> None:
    """Point stdout elsewhere, so that the interpreter's last flush does not fail on the closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
