"""The work that requests ask for: done by a few threads, a chunk of each in turn.

A chunk is a line of a song, the suggestions for a gap, a score: some tenths of a second. So a short request
does not wait for a long one, and work that nobody waits for any more ends within a chunk. The threads leave
the event loop free: while the network computes, they hold no lock.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, suppress
from typing import Any

from lyricgen.errors import LyricgenError

MAX_JOBS = 256
"""Requests that may wait, be worked at or be sent."""
MAX_SECONDS = 120.0
"""Of work for one request; waiting for others does not count."""
MAX_AHEAD = 64
"""Chunks that are done before the client takes one."""
_CLOSING_SECONDS = 5.0
Start = Callable[[int], Generator[Any]]
"""Begins a request's work with so many threads of its own; what it yields is a chunk."""
_END = object()


class BusyError(LyricgenError):
    """More requests wait than the server takes."""

    def __init__(self) -> None:
        super().__init__(f"{MAX_JOBS} requests are waiting already; try again in a while")


class TooLongError(LyricgenError):
    """A request took more work than the server does for one."""

    def __init__(self) -> None:
        super().__init__(f"that takes more than {MAX_SECONDS:g} seconds of work; ask for less")


class ClosingError(LyricgenError):
    """The server ends, and so does its work."""

    def __init__(self) -> None:
        super().__init__("the studio closes")


class Job:
    """One request's work. But for `found`, whoever touches it holds the room's lock or has it in hand."""

    def __init__(self, start: Start) -> None:
        self.is_wanted = True
        """Whether anybody still waits for it."""
        self.ahead = 0
        """Chunks that were done and not taken."""
        self.is_resting = False
        """Whether it waits for a chunk to be taken."""
        self.found: asyncio.Queue[object] = asyncio.Queue()
        """Its chunks; at last an error or `_END`."""
        self._loop = asyncio.get_running_loop()
        self._start, self._seconds = start, 0.0
        self._chunks: Generator[Any] | None = None

    def advance(self, threads: int) -> bool:
        """Do a chunk; return whether there is more to do."""
        before = time.monotonic()
        try:
            if self._chunks is None:
                self._chunks = self._start(threads)
            chunk = next(self._chunks)
            self._seconds += time.monotonic() - before
            if self._seconds > MAX_SECONDS:
                raise TooLongError
        except StopIteration:
            self.tell(_END)
        except Exception as error:  # noqa: BLE001 (whoever waits for it gets it)
            self.tell(error)
        else:
            self.tell(chunk)
            return True
        return False

    def stop(self) -> None:
        """End work that is not done."""
        if self._chunks is not None:
            with suppress(Exception):  # nobody is left to hear of it
                self._chunks.close()

    def tell(self, found: object) -> None:
        """Hand a chunk, or the end, to whoever waits for it."""
        with suppress(RuntimeError):  # the loop has ended, and nobody listens
            self._loop.call_soon_threadsafe(self.found.put_nowait, found)


class Workroom:
    """Threads that work at all requests in turns.

    Args:
        threads: how many. A request that begins alone has all of them for itself.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._waiting = deque[Job]()
        self._jobs: set[Job] = set()
        self._changed = threading.Condition()
        self._is_open = True
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for worker in self._workers:
            worker.start()

    def close(self) -> None:
        """Stop all work, each at the end of its chunk; whoever waits for it gets a ClosingError."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
            jobs = list(self._jobs)
        for job in jobs:
            job.tell(ClosingError())
        for worker in self._workers:
            worker.join(_CLOSING_SECONDS)

    async def chunks(self, start: Start) -> AsyncGenerator[Any]:
        """Have work done, and yield its chunks. Closing the generator ends the work.

        Raises:
            BusyError: too many requests wait.
            TooLongError: it took too long.
            ClosingError: the server ends.
            LyricgenError: whatever the work raises.
        """
        job = Job(start)
        with self._changed:
            if len(self._jobs) >= MAX_JOBS:
                raise BusyError
            if not self._is_open:
                raise ClosingError
            self._jobs.add(job)
            self._queue(job)
        try:
            while (found := await job.found.get()) is not _END:
                if isinstance(found, Exception):
                    raise found
                with self._changed:
                    job.ahead -= 1
                    if job.is_resting:
                        self._queue(job)
                yield found
        finally:
            with self._changed:
                job.is_wanted = False
                if job.is_resting:
                    self._queue(job)  # so that it is stopped

    async def only(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401 (what `work` returns)
        """Have work of one chunk done, and return what comes of it; errors are those of `chunks`."""

        def start(_threads: int) -> Generator[Any]:
            yield work()

        async with aclosing(self.chunks(start)) as found:
            return await anext(found)

    def _queue(self, job: Job) -> None:
        job.is_resting = False
        self._waiting.append(job)
        self._changed.notify()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            is_over = not (job.is_wanted and job.advance(max(1, self._threads // len(self._jobs))))
            if is_over:
                job.stop()
            with self._changed:
                job.ahead += 1
                if is_over:
                    self._jobs.discard(job)
                elif job.ahead >= MAX_AHEAD and job.is_wanted:
                    job.is_resting = True
                else:
                    self._queue(job)

    def _next(self) -> Job | None:
        """Return the job whose turn it is, as soon as there is one; None when the room closes."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._is_open)
            return self._waiting.popleft() if self._is_open else None
