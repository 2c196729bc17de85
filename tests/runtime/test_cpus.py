"""Threads follow the CPUs that a container may use, not those of its host."""

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from lyricgen.engine import cpus
from lyricgen.engine.cpus import usable_cpus

MANY = range(64)


@pytest.fixture(autouse=True)
def many_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(MANY), raising=False)


def machine(root: Path, groups: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "100000 100000\n"}, 1),  # a container with a root of its own
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "150000 100000\n"}, 2),  # an outer group
        ("0::/a\n", {"a/cpu.max": "1000 100000\n"}, 1),
        ("0::/a\n", {"a/cpu.max": "max 100000\n"}, 64),
        ("0::/a\n", {}, 64),
        ("0::/a\n", {"a/cpu.max": "nonsense\n"}, 64),
        ("0::/a\n", {"a/cpu.max": "100000 0\n"}, 64),
        ("0::/a\n", {"a/cpu.max": "9900000 100000\n"}, 64),  # more than there are
        ("1:name=systemd:/a:b\n0::/a:b\n", {"a:b/cpu.max": "300000 100000\n"}, 3),
    ],
)
def test_a_quota_of_version_2(tmp_path: Path, groups: str, files: dict[str, str], expected: int) -> None:
    files = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    assert usable_cpus(machine(tmp_path, groups, files)) == expected


@pytest.mark.parametrize(
    ("groups", "folder", "quota", "expected"),
    [
        ("2:cpu,cpuacct:/docker/1\n", "cpu,cpuacct", "200000", 2),  # where the host has the root
        ("2:cpu,cpuacct:/docker/1\n", "cpu/docker/1", "150000", 2),
        ("2:cpu:/docker/1\n", "cpu/docker/1", "-1", 64),
        ("2:cpuset:/docker/1\n", "cpuset/docker/1", "100000", 64),
    ],
)
def test_a_quota_of_version_1(tmp_path: Path, groups: str, folder: str, quota: str, expected: int) -> None:
    values = {"quota": quota, "period": "100000"}
    files = {f"sys/fs/cgroup/{folder}/cpu.cfs_{name}_us": value for name, value in values.items()}
    assert usable_cpus(machine(tmp_path, groups, files)) == expected


def test_without_control_groups_the_mask_decides(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path) == len(MANY)


def test_where_there_is_no_mask_all_cpus_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert usable_cpus(tmp_path) == 5


def test_a_process_has_at_least_one() -> None:
    with patch.object(cpus, "_quotas", return_value=[0.01, 3.5]):
        assert usable_cpus() == 1
