"""How every command of lyricgen ends: one clear line on stderr and a documented exit code.

    0    done
    1    an error that a person can act on
    2    a wrong option or argument
    130  interrupted with Ctrl-C

A stdout whose reader has gone (`lyricgen-run | head -1`) is no error, and no word on stderr is worth the
end of the work.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn, TextIO

import typer

from lyricgen.errors import LyricgenError, OptionError
from lyricgen.printable import printable, shortened, wrapped
from lyricgen.terminal.interrupt import EXIT_INTERRUPTED, IGNORE, on_interrupt

EXIT_ERROR, EXIT_USAGE = 1, 2
EXTRAS = {
    "train": ("datasketch", "filelock", "matplotlib", "onnx", "pandas", "rich", "safetensors", "torch"),
    "report": ("pydivsufsort",),
    "dev": ("pyppmd",),
    "studio": ("starlette", "uvicorn"),
}
"""What an environment that only runs models lacks, by the extra that brings it."""
SETTINGS = {"help_option_names": ["--help", "-h"]}
"""Settings of every command."""


def run(app: typer.Typer, name: str, arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code; anything but a defect of ours ends without a traceback."""
    typed = sys.argv[1:] if arguments is None else arguments
    try:
        _prepare_output()
        command = typer.main.get_command(app)
        if f"_{name.replace('-', '_').upper()}_COMPLETE" in os.environ:  # set by the shell's completion
            command.main(prog_name=name)
        # Not command.main(): it has its own opinions on closed pipes and Ctrl-C.
        with command.make_context(name, list(typed)) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as ended:
        return ended.exit_code
    except OptionError as error:
        is_argument = error.name in _arguments(command, typed)
        shown = error.name.upper() if is_argument else "--" + error.name.replace("_", "-")
        return _fail(error.message_for(shown), EXIT_USAGE)
    except LyricgenError as error:
        return _fail(str(error), EXIT_ERROR)
    except (BrokenPipeError, SystemExit):  # rich, which prints the help, exits on a closed pipe
        _silence(sys.stdout)
    except OSError as error:
        where = error.filename or "standard output"  # all else that is written is named where it is written
        _silence(sys.stdout)
        return _fail(printable(f"{where}: {error.strerror or error}"), EXIT_ERROR)
    except ModuleNotFoundError as error:
        missing = [extra for extra, packages in EXTRAS.items() if error.name in packages]
        if not missing:
            raise
        advice = f"install it with: pip install -e '.[{missing[0]}]'"
        return _fail(f"{name} needs {error.name}; {advice}", EXIT_ERROR)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except Exception as error:
        if not hasattr(error, "format_message"):  # the mark of the parser's usage errors
            raise
        said = " ".join(error.format_message().split())
        return _fail(_wrong_number(error, typed) or f"{said} (see {name} --help)", EXIT_USAGE)
    return 0


def _arguments(command: Any, typed: list[str]) -> set[str]:  # noqa: ANN401 (of click, which typer hides)
    """Return the names of a command's arguments, or of those of the command in a group that was called."""
    called = getattr(command, "commands", {}).get(typed[0], command) if typed else command
    return {one.name for one in called.params if one.param_type_name == "argument"}


def run_and_exit(app: typer.Typer, name: str, arguments: list[str] | None = None) -> NoReturn:
    """Run a command as a whole process: `run`, and then the end of Python, which Ctrl-C does not disturb."""
    code = run(app, name, arguments)
    on_interrupt(IGNORE)
    sys.exit(code)


def path(typed: str) -> Path:
    """Return the path that an option names; for typer's `parser`.

    Raises:
        typer.BadParameter: it is empty, as a variable that is not set leaves it; Path would make it ".".
    """
    if not typed:
        raise typer.BadParameter("a path cannot be empty")
    return Path(typed)


def _prepare_output() -> None:
    """Make every character printable: redirected output is UTF-8, whatever the system's habit.

    Streams that the caller closed are replaced, or the next file opened would take their place. Nobody hears
    stderr then; but songs for a closed stdout are an error, as any write to what is open for reading.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 (lives as long as we do)
    if sys.stdout is None:
        descriptor = os.open(os.devnull, os.O_RDONLY)
        sys.stdout = open(descriptor, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:  # names of files may hold what UTF-8 does not
                stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")


def tell(message: str) -> None:
    """Say something on stderr, safe for a terminal and as wide; if nobody can hear it, the work goes on."""
    lines = map(printable, message.split("\n"))
    try:
        typer.echo("\n".join(map(wrapped, lines) if sys.stderr.isatty() else lines), err=True)
    except OSError:
        _silence(sys.stderr)


def _fail(message: str, code: int) -> int:
    tell(f"error: {message}")
    return code


def _wrong_number(error: object, typed: list[str]) -> str:
    """Return in plain words that an option needs a number, if the parser complains about that, or ""."""
    option = (getattr(getattr(error, "param", None), "opts", None) or [""])[-1]
    kind = re.search("valid (number|float|integer)", getattr(error, "message", ""))
    values = [value for name, value in pairwise(typed) if name == option]
    values += [word.partition("=")[2] for word in typed if word.startswith(option + "=")]
    if not (kind and option and values):
        return ""
    whole = "whole " if kind[1] == "integer" else ""
    return f"{option} must be a {whole}number, not '{shortened(values[-1])}'"


def _silence(stream: TextIO) -> None:
    """Point a stream elsewhere, so that the interpreter's last flush does not fail once more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
