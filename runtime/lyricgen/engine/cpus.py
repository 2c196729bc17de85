"""How many CPUs this process may use: those of its mask, as far as its container has a quota for them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def usable_cpus(root: Path = Path("/")) -> int:
    """Return how many CPUs the process may use, at least 1; half a CPU of a quota counts as a whole one.

    The quota is that of Linux control groups, version 1 or 2 (man 7 cgroups), which containers are held to.

    Args:
        root: where the folders proc and sys are.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cpus, *map(math.ceil, _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quota of each control group that the process is in, in CPUs, if it has one."""
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:  # no Linux, or nothing that it tells
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            folders, quota_in = ["", "unified"], _quota_of_version_2
        elif "cpu" in controllers.split(","):
            folders, quota_in = [controllers, "cpu"], _quota_of_version_1
        else:
            continue
        path = Path(group.lstrip("/"))
        for folder in folders:
            # Within a container, the group may lie where the host has the root.
            for one in (path, *path.parents):
                with suppress(OSError, ValueError, ZeroDivisionError):  # it has none
                    yield quota_in(root / "sys/fs/cgroup" / folder / one)


def _quota_of_version_2(group: Path) -> float:
    quota, period = (group / "cpu.max").read_text("utf-8").split()
    return int(quota) / int(period)  # "max" is no number


def _quota_of_version_1(group: Path) -> float:
    quota, period = (int((group / f"cpu.cfs_{name}_us").read_text("utf-8")) for name in ("quota", "period"))
    if quota < 0:
        raise ValueError
    return quota / period
