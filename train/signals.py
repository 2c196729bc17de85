"""Ctrl-C and its kin end a training in an orderly way: after the step at hand, with everything saved."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C; a shutdown or a job scheduler; a closed terminal


class StopFlag:
    """Which signal asked for the end; 0 while none did."""

    signal = 0


@contextmanager
def stop_flag() -> Iterator[StopFlag]:
    """Let the first signal finish the step; Ctrl-C after that interrupts at once.

    The others may come more than once, and together: closed terminals and shutdowns send several. What
    is ignored stays so, as under nohup.

    Raises:
        KeyboardInterrupt: at a Ctrl-C after the first signal.
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
