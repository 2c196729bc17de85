"""What cases of several kinds do: stop a command at some moment, or hear its answer."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from checks.faults.place import Place
from checks.faults.process import ANSWERS, DONE, RUN, Call, Ended, Started, broken, outcome


@dataclass(frozen=True)
class Stop:
    """How a command was stopped."""

    ended: Ended
    is_one_signal: bool
    """Whether it had one signal that it can catch, and no more."""
    sent_ns: int
    """When that was, by the clock that files have."""


def stopped(place: Place, call: Call, number: int, codes: frozenset[int]) -> Generator[str, None, Stop]:
    """Run a command and send it a signal at some moment, or three as terminals do; return how it ended."""
    imports = 2.5 if call.afresh and call.module != RUN else 0.3 if call.afresh else 0.0
    moment = place.draw.uniform(0.02, 1.05 * place.seconds[call.module] + imports)
    if call.afresh and number != signal.SIGKILL:
        moment = max(moment, 0.15)  # before, Python itself is not up
        if number == signal.SIGINT:
            codes |= {-number}  # at Python's own end; for a shell that is 130, too
    started = Started(call)
    started.wait_until(lambda: started.seconds > moment)
    times = 0 if started.is_over() else place.draw.choice((1, 1, 3))
    sent_ns = time.time_ns()
    for _ in range(times):
        started.send(number)
    ended = started.ended()
    where = f"after signal {number} at {moment:.2f} s"
    yield from (f"{where}: {what}; it said {ended.err[-500:]!r}" for what in broken(ended, codes))
    return Stop(ended, times == 1 and number != signal.SIGKILL, sent_ns)


def killed_in_a_write(place: Place, call: Call, largest_bytes: int) -> Iterator[str]:
    """Run a command in a copy of this process that dies at some byte of a file that it writes, if it can."""
    limit = place.draw.randint(1, largest_bytes)
    ended = outcome(replace(call, afresh=False, file_bytes=limit, dies=True))
    codes = frozenset({-signal.SIGXFSZ, DONE})
    yield from (f"killed at byte {limit:,} of a file: {what}" for what in broken(ended, codes))


def answered(call: Call) -> Generator[str, None, Ended]:
    """Run a command to its end; return what became of it."""
    ended = outcome(call)
    yield from (f"{call}: {what}; it said {ended.err[-300:]!r}" for what in broken(ended, ANSWERS))
    return ended
