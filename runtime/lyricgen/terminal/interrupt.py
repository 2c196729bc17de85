"""Ctrl-C while a command is still importing what it needs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

EXIT_INTERRUPTED = 130
"""What shells say of a command that Ctrl-C ended."""


@contextmanager
def importing() -> Iterator[None]:
    """Let Ctrl-C end the process at once while this lasts, with 130 and without a word.

    An exception in the middle of an import may be swallowed there, or leave half a module behind, and then
    another one is shown instead of it. Nothing is at stake yet. Where Ctrl-C is ignored, or caught by
    somebody else, it stays so.
    """
    own = threading.current_thread() is threading.main_thread()
    if not own or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: object) -> NoReturn:
    os._exit(EXIT_INTERRUPTED)
