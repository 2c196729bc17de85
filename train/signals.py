"""Ctrl-C and its kin end a training in an orderly way: after the step at hand, with everything saved."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C; a shutdown or a job scheduler; a closed terminal
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class StopFlag:
    """Which signal asked for the end; 0 while none did."""

    signal = 0


@contextmanager
def stop_flag(*, patient: bool = False) -> Iterator[StopFlag]:
    """Let the first signal finish the step; a second one interrupts at once, unless `patient`.

    torchrun sends its processes the signal that they have got from the terminal already: they are patient.
    """
    flag = StopFlag()

    def request(number: int, _frame: object) -> None:
        flag.signal = number
        if not patient:
            restore()

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    previous = {number: signal.signal(number, request) for number in SIGNALS}
    try:
        yield flag
    finally:
        restore()
