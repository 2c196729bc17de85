"""Many songs, written by one batch of slots or by several in threads, in their order or as they end."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from itertools import repeat

from lyricgen.engine.slots import Batch, WrittenSong

MAX_SLOTS = 64
"""Songs side by side in a batch; beyond, a song more costs as much as a batch more."""
_SONGS_WORTH_A_THREAD = 8
_MAX_AHEAD = 4096
"""Songs that may be written beyond the one to deliver next."""
_LOOK_SECONDS = 0.2
"""How often a waiting thread looks whether to stop; on Windows, Ctrl-C waits for that."""


def choose_threads(songs: int) -> int:
    """Return a good number of threads for so many songs: as many as CPUs, if there is work for them."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cpus, songs // _SONGS_WORTH_A_THREAD))


def choose_slots(songs: int, threads: int) -> int:
    """Return a good number of slots for each of the threads: all songs at once, up to `MAX_SLOTS`."""
    return max(1, min(MAX_SLOTS, -(-songs // threads)))


def generate_songs(
    new_batch: Callable[[int], Batch],
    indexes: Sequence[int],
    slots: int,
    threads: int,
    *,
    in_order: bool = True,
) -> Generator[WrittenSong]:
    """Yield the songs with these indexes; closing the generator stops the writing.

    Args:
        new_batch: makes a batch of so many slots.
        indexes: of the songs, each once.
        slots: songs side by side in a batch.
        threads: batches, each in a thread of its own; 1: none but the caller's.
        in_order: whether songs come in the order of the indexes, or each as soon as it ends.

    Raises:
        NonFiniteLogitsError: the model computed NaN or infinity.
        OrtError: onnxruntime failed.
    """
    queue = _SongQueue(indexes)
    threads = min(threads, len(indexes))
    wanted: Iterable[int | None] = indexes if in_order else repeat(None, len(indexes))
    if threads <= 1:
        yield from _generate_here(queue, new_batch(slots), wanted)
        return
    workers: list[threading.Thread] = []

    def stop() -> None:
        queue.stop()
        if threading.current_thread() in workers:  # it collects a generator that nobody closed, at any place
            return
        for worker in workers:
            worker.join()
        atexit.unregister(stop)

    atexit.register(stop)  # Python must not end under a thread that is writing
    try:
        with suppress(RuntimeError):  # the system starts no more: those that there are write as well
            for _ in range(threads):
                worker = threading.Thread(target=queue.write_all, args=(new_batch(slots),), daemon=True)
                worker.start()
                workers.append(worker)
        if not workers:
            yield from _generate_here(queue, new_batch(slots), wanted)
            return
        for index in wanted:
            yield queue.wait(index)
    finally:
        stop()


def _generate_here(queue: _SongQueue, batch: Batch, wanted: Iterable[int | None]) -> Generator[WrittenSong]:
    for index in wanted:
        while (song := queue.take(index)) is None:
            queue.write_on(batch)
        yield song


class _SongQueue:
    """Hands indexes to batches, takes songs from them, and keeps these until it is their turn."""

    def __init__(self, indexes: Sequence[int]) -> None:
        self._indexes = indexes
        self._started = self._delivered = 0
        self._ready: dict[int, WrittenSong] = {}
        self._stopped = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def take(self, index: int | None) -> WrittenSong | None:
        """Return this song, or any for None, if it is ready; if one, it is the next in the order."""
        if index is None:
            index = next(iter(self._ready), None)
        song = None if index is None else self._ready.pop(index, None)
        self._delivered += song is not None
        return song

    def wait(self, index: int | None) -> WrittenSong:
        """Return this song, or any for None, once it is ready; what a batch raised is raised here."""
        with self._changed:
            while (song := self.take(index)) is None:
                if self._error is not None:
                    raise self._error
                self._changed.wait(_LOOK_SECONDS)
            self._changed.notify_all()
            return song

    def write_on(self, batch: Batch) -> None:
        """Start songs in the batch's free slots, and write for a while."""
        with self._changed:
            for slot in batch.resting():
                if self._started == len(self._indexes):
                    batch.narrow()
                    break
                if self._started - self._delivered >= _MAX_AHEAD:
                    break
                batch.start(slot, self._indexes[self._started])
                self._started += 1
        if len(batch.resting()) == batch.songs:  # others took what was left
            return
        over = batch.advance()
        with self._changed:
            self._ready.update((song.index, song) for song in over)
            self._changed.notify_all()

    def write_all(self, batch: Batch) -> None:
        """Write songs in a batch until none is left to start; the body of a thread."""
        try:
            while self._wait_for_work(batch):
                self.write_on(batch)
        except BaseException as error:  # noqa: BLE001 (raised again by `wait`)
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def stop(self) -> None:
        """Let `write_all` return soon, whatever is left."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _wait_for_work(self, batch: Batch) -> bool:
        with self._changed:
            while not self._stopped:
                if len(batch.resting()) < batch.songs:
                    return True
                if self._started == len(self._indexes):
                    return False
                if self._started - self._delivered < _MAX_AHEAD:
                    return True
                self._changed.wait(_LOOK_SECONDS)
        return False
