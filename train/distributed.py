"""The processes that train one model together: one, or as many as torchrun started.

Every process knows the whole batch of slots and trains on its own columns of it, so the same
segments are read, and the same updates made, however many share the work. The first process alone
makes the session, writes files and talks to the user.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import typer
from torch import Tensor, distributed, nn

from lyricgen.engine.cpus import usable_cpus
from lyricgen.errors import LyricgenError, OptionError
from train.corpus.files import said

_PATIENCE = timedelta(hours=6)
"""How long the others wait while the first process reads a large corpus."""


class World:
    """The processes that train together, and which of them this one is."""

    def __init__(self, rank: int, size: int, device: torch.device) -> None:
        self.rank, self.size, self.device = rank, size, device
        self.is_first = rank == 0
        """Whether this process writes the files and talks to the user."""

    def columns(self, slots: int) -> slice:
        """Return which of the slots this process trains on; OptionError if they cannot be shared evenly."""
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
        return list(total.tolist())

    def gather(self, state: Tensor) -> Tensor:
        """Put the (L, B / size, H) states of all processes side by side: (L, B, H)."""
        if self.size == 1:
            return state
        parts = [torch.empty_like(state) for _ in range(self.size)]
        distributed.all_gather(parts, state.contiguous())
        return torch.cat(parts, dim=1)

    def first_does(self, work: Callable[[], int | None]) -> int:
        """Do `work` in the first process and give all of them the number that it returns, 0 for none.

        If `work` raises an exception, the first process passes it on, and the others raise typer.Exit.
        """
        if self.size == 1:
            return work() or 0
        outcome = torch.full((), -1, device=self.device)  # int64; -1: not done
        try:
            if self.is_first:
                outcome.fill_(work() or 0)
        finally:  # the others wait for it, also after an error
            distributed.broadcast(outcome, 0)
        if outcome < 0:
            raise typer.Exit(1)
        return int(outcome)


@contextmanager
def joined(chosen: str) -> Iterator[World]:
    """Join the processes that torchrun started, if it did, on the device for `chosen`.

    Raises:
        OptionError: cuda was asked for and is not there, or not for every process.
        LyricgenError: torchrun's variables are there, but not as it sets them.
    """
    try:
        rank, size, local = map(_number_from_torchrun, ("RANK", "WORLD_SIZE", "LOCAL_RANK"), (0, 1, 0))
        device = choose_device(chosen, local)
        torch.set_num_threads(min(torch.get_num_threads(), usable_cpus()))  # PyTorch knows no quota
        if size != 1:
            if device.type == "cuda":
                torch.cuda.set_device(device)
            # Its functions have the group as a default. Imported later, as DistributedDataParallel does, it
            # keeps the group, whose threads may then crash Python while it ends.
            importlib.import_module("torch.distributed.nn.functional")
            backend = "nccl" if device.type == "cuda" else "gloo"
            distributed.init_process_group(backend, timeout=_PATIENCE)
    except OptionError:
        raise
    except ValueError as error:
        advice = "start several processes with torchrun, or unset RANK, WORLD_SIZE and LOCAL_RANK"
        problem = f"the environment is not as torchrun sets it ({said(error)}): {advice}"
        raise LyricgenError(problem) from error
    try:
        yield World(rank if size > 1 else 0, size, device)
    finally:
        if size != 1:
            distributed.destroy_process_group()


def _number_from_torchrun(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise ValueError(f"{name} is {text!r}")
    return int(text)


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
        enough = f"cpu, or one process for each of {torch.cuda.device_count()} GPUs"
        raise OptionError("device", chosen, enough)
    return torch.device("cuda", local_rank)
