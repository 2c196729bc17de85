"""Many songs, written by one batch or by several in threads; handed out in order or as they end."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from itertools import repeat
from queue import Empty, SimpleQueue

from lyricgen.engine.cpus import usable_cpus
from lyricgen.engine.slots import Batch, WrittenSong

MAX_SLOTS = 64
"""The largest batch; with more slots, a song costs as much as in another batch."""
_SONGS_WORTH_A_THREAD = 8
_MAX_AHEAD = 4096
"""How many songs may be started beyond those that were handed out."""
_LOOK_SECONDS, _PAUSE_SECONDS = 0.2, 0.02
"""How long the caller waits at a time, and Ctrl-C on Windows with it; and threads that are far ahead."""


def choose_threads(songs: int) -> int:
    """Return a good number of threads for this many songs: the number of CPUs, if there is work for them."""
    return max(1, min(usable_cpus(), songs // _SONGS_WORTH_A_THREAD))


def choose_slots(songs: int, threads: int) -> int:
    """Return a good number of slots for each thread: all songs at once, up to `MAX_SLOTS`."""
    return max(1, min(MAX_SLOTS, -(-songs // threads)))


def generate_songs(
    new_batch: Callable[[int], Batch], indexes: Sequence[int], slots: int, threads: int, *, in_order: bool
) -> Generator[WrittenSong]:
    """Yield the songs with these indexes; closing the generator stops the writing.

    Args:
        new_batch: makes a batch of a number of slots.
        indexes: which songs, each once.
        slots: of each batch.
        threads: how many batches write, each in a thread of its own; 1: one, in the caller's thread.
        in_order: whether songs come in the order of the indexes, or each as soon as it ends.

    Raises:
        NonFiniteLogitsError: the model computed NaN or infinity.
        OrtError: onnxruntime failed.
    """
    queue = _SongQueue(indexes)
    wanted: Iterable[int | None] = indexes if in_order else repeat(None, len(indexes))
    workers: list[threading.Thread] = []

    def stop() -> None:
        queue.stopped = True
        if threading.current_thread() in workers:  # the garbage collector may close the generator there
            return
        for worker in workers:
            worker.join()
        atexit.unregister(stop)

    atexit.register(stop)  # Python must not end while a thread is writing
    try:
        if min(threads, len(indexes)) > 1:
            with suppress(RuntimeError):  # the system starts no more threads: those that run will do
                for _ in range(min(threads, len(indexes))):
                    worker = threading.Thread(target=queue.write_all, args=(new_batch(slots),), daemon=True)
                    worker.start()
                    workers.append(worker)
        batch = None if workers else new_batch(slots)
        for index in wanted:
            while not queue.has(index):
                if batch is not None:
                    queue.write_on(batch)
                queue.collect(_LOOK_SECONDS if batch is None else 0)
            yield queue.take(index)
    finally:
        stop()


class _SongQueue:
    """Gives song indexes to batches, and keeps the written songs until they are handed out.

    The caller shares no lock with the threads that write: Ctrl-C raises an exception wherever the caller is,
    also where it has just taken a lock, which nobody would give back then.
    """

    def __init__(self, indexes: Sequence[int]) -> None:
        self.stopped = False
        """Set it, and `write_all` returns soon, whatever is left."""
        self._indexes = indexes
        self._started = self._taken = 0
        self._starting = threading.Lock()
        self._written: SimpleQueue[WrittenSong | BaseException] = SimpleQueue()
        self._ready: dict[int, WrittenSong] = {}

    def has(self, index: int | None) -> bool:
        """Tell whether a song was collected; None stands for any song."""
        return bool(self._ready) if index is None else index in self._ready

    def collect(self, seconds: float) -> None:
        """Collect what batches wrote, or raise a batch's error; if there is nothing, wait for so long."""
        with suppress(Empty):
            while True:
                found = self._written.get(timeout=seconds)
                if isinstance(found, BaseException):
                    raise found
                self._ready[found.index], seconds = found, 0

    def take(self, index: int | None) -> WrittenSong:
        """Return a song that was collected; take songs either in order or as any."""
        self._taken += 1
        return self._ready.pop(next(iter(self._ready)) if index is None else index)

    def write_on(self, batch: Batch) -> None:
        """Start songs in the batch's free slots, and advance the batch once."""
        with self._starting:
            for slot in batch.resting():
                if self._started == len(self._indexes):
                    batch.narrow()
                    break
                if self._started - self._taken >= _MAX_AHEAD:
                    break
                batch.start(slot, self._indexes[self._started])
                self._started += 1
        if len(batch.resting()) < batch.size:  # else other batches took the last songs
            for song in batch.advance():
                self._written.put(song)

    def write_all(self, batch: Batch) -> None:
        """Write songs in a batch until no song is left to start; this is what a thread runs."""
        try:
            while self._wait_for_work(batch):
                self.write_on(batch)
        except BaseException as error:  # noqa: BLE001 (raised again by `collect`)
            self._written.put(error)

    def _wait_for_work(self, batch: Batch) -> bool:
        """Wait until the batch has a song to write or to start; return False once there is none for it."""
        while not self.stopped:
            busy, all_started = len(batch.resting()) < batch.size, self._started == len(self._indexes)
            if busy or all_started or self._started - self._taken < _MAX_AHEAD:
                return busy or not all_started
            time.sleep(_PAUSE_SECONDS)
        return False
