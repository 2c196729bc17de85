"""Tensors and facts in one safetensors file, with a hash of both: a file may change on a disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

_HASH = "sha256"


def pack(tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> bytes:
    """Return the content of a file that holds `tensors` and `facts`; the inverse of `load`."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save(plain, metadata={**facts, _HASH: _hash(plain, facts)})


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors, on the CPU, and the facts that `pack` was given.

    Raises:
        ValueError: the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            facts: dict[str, str] = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(str(error)) from error
    expected = facts.pop(_HASH, None)  # older files have none
    if expected is not None and expected != _hash(tensors, facts):
        raise ValueError("its hash differs")
    return tensors, facts


def _hash(tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(sorted(facts.items())).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())  # of any type
    return digest.hexdigest()
