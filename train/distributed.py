"""The processes that train one model together: one, or as many as torchrun started.

Every process knows the whole batch of slots and trains on its own columns of it, so the same
segments are read, and the same updates made, however many share the work. The first process alone
makes the session, writes files and talks to the user.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import typer
from torch import Tensor, distributed, nn

from lyricgen.errors import LyricgenError, OptionError
from train.corpus.files import said

_PATIENCE = timedelta(hours=6)
"""How long the others wait while the first process reads a large corpus."""


class World:
    """The processes that train together, and which of them this one is."""

    def __init__(self, rank: int, size: int, device: torch.device) -> None:
        self.rank, self.size, self.device = rank, size, device

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and talks to the user."""
        return self.rank == 0

    def columns(self, slots: int) -> slice:
        """Return which of the slots this process trains on.

        Raises:
            OptionError: the slots cannot be shared out evenly.
        """
        if slots % self.size:
            raise OptionError("slots", slots, f"a multiple of the {self.size} processes")
        each = slots // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return a model whose backward pass averages the gradients over all processes."""
        if self.size == 1:
            return model
        places = [self.device.index] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=places, broadcast_buffers=False)

    def sum(self, values: list[float]) -> list[float]:
        """Add up `values` over all processes; every one gets the same sums."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        sums: list[float] = total.tolist()
        return sums

    def gather(self, state: Tensor) -> Tensor:
        """Put the (L, B / size, H) states of all processes side by side: (L, B, H)."""
        if self.size == 1:
            return state
        parts = [torch.empty_like(state) for _ in range(self.size)]
        distributed.all_gather(parts, state.contiguous())
        return torch.cat(parts, dim=1)

    def first_does(self, work: Callable[[], int | None]) -> int:
        """Do `work` in the first process and give all of them the number that it returns, 0 for none.

        Raises:
            Exception: what `work` raised, in the first process.
            typer.Exit: in the others, after the first failed.
        """
        if self.size == 1:
            return work() or 0
        outcome = torch.zeros(2, dtype=torch.int64, device=self.device)  # whether it is done, and the number
        try:
            if self.is_first:
                outcome[1] = work() or 0
                outcome[0] = 1
        finally:  # the others wait for it, also after an error
            distributed.broadcast(outcome, 0)
        is_done, number = outcome.tolist()
        if not is_done:
            raise typer.Exit(1)
        return int(number)


@contextmanager
def joined(chosen: str) -> Iterator[World]:
    """Join the processes that torchrun started, if it did, on the device for `chosen`.

    Raises:
        OptionError: cuda was asked for and is not there, or not for every process.
        LyricgenError: torchrun's variables are there, but not as it sets them.
    """
    rank, size, local = (_number_from_torchrun(name, default) for name, default in _TORCHRUN_VARIABLES)
    device = choose_device(chosen, local)
    if size == 1:
        yield World(0, 1, device)
        return
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        backend = "nccl"
    try:
        distributed.init_process_group(backend, timeout=_PATIENCE)
    except ValueError as error:
        raise _no_torchrun(said(error)) from error
    try:
        yield World(rank, size, device)
    finally:
        distributed.destroy_process_group()


_TORCHRUN_VARIABLES = (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))


def _number_from_torchrun(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise _no_torchrun(f"{name} is {text!r}")
    return int(text)


def _no_torchrun(problem: str) -> LyricgenError:
    advice = "start several processes with torchrun, or unset RANK, WORLD_SIZE and LOCAL_RANK"
    return LyricgenError(f"the environment is not as torchrun sets it ({problem}): {advice}")


def choose_device(chosen: str, local_rank: int = 0) -> torch.device:
    """Return the device for auto, cpu or cuda; each process on a machine gets a GPU of its own.

    Raises:
        OptionError: cuda was asked for and is not there, or there are fewer GPUs than processes.
    """
    there = torch.cuda.is_available()
    if chosen == "cuda" and not there:
        raise OptionError("device", chosen, "auto or cpu on this machine: PyTorch finds no CUDA device")
    if not there or chosen == "cpu":
        return torch.device("cpu")
    if local_rank >= torch.cuda.device_count():
        raise OptionError(
            "device", chosen, f"cpu, or one process for each of {torch.cuda.device_count()} GPUs"
        )
    return torch.device("cuda", local_rank)
