"""Ctrl-C and similar signals end a training in order: the current step ends, and everything is saved."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C; a shutdown or a job scheduler; a closed terminal


class StopFlag:
    """The number of the signal that asked for the end; 0 as long as none did."""

    signal = 0


@contextmanager
def stop_flag() -> Iterator[StopFlag]:
    """Note the first signal instead of obeying it; a Ctrl-C after it is a KeyboardInterrupt at once.

    Other signals may be repeated: closed terminals and shutdowns send several. A signal that the process
    ignores stays ignored, as under nohup.
    """
    flag = StopFlag()

    def request(number: int, _frame: object) -> None:
        if flag.signal and number == signal.SIGINT:
            raise KeyboardInterrupt
        flag.signal = flag.signal or number

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    previous = {number: signal.getsignal(number) for number in numbers}
    caught = [number for number in numbers if previous[number] not in (signal.SIG_IGN, None)]
    try:
        for number in caught:
            signal.signal(number, request)
        yield flag
    finally:
        for number in caught:
            signal.signal(number, previous[number])
