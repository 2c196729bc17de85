"""What Ctrl-C does to a command: `END` it at once, `RAISE` KeyboardInterrupt, or nothing (`IGNORE`).

A command ends at once until it has work to save: an exception in the middle of an import may be swallowed
there, or leave half a module behind, and then another one is shown instead of it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import NoReturn

EXIT_INTERRUPTED = 130
"""What shells say of a command that Ctrl-C ended."""


def _end(_number: int, _frame: object) -> NoReturn:
    os._exit(EXIT_INTERRUPTED)


END, RAISE, IGNORE = _end, signal.default_int_handler, signal.SIG_IGN


def on_interrupt(action: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    """Set what Ctrl-C does from now on. Where it is ignored, or somebody else's, it stays so."""
    own = threading.current_thread() is threading.main_thread()
    if own and signal.getsignal(signal.SIGINT) in (END, RAISE):
        signal.signal(signal.SIGINT, action)


def run_main(module: str) -> None:
    """Run `main` of a module that takes a while to import; Ctrl-C ends it at once until it says otherwise."""
    on_interrupt(END)
    import_module(module).main()
