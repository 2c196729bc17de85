"""How weights are updated: the optimiser, the learning rate over a run, the arithmetic."""

from __future__ import annotations

import math

import torch
from torch import nn

from lyricgen.errors import OptionError
from train.config import TrainConfig


def scheduled_learning_rate(config: TrainConfig, done: float) -> float:
    """Return the learning rate when the share `done` of the run is over: a climb, then a cosine."""
    if done < config.warmup_share:
        return config.learning_rate * max(done / config.warmup_share, 0.01)
    fallen = min(1.0, (done - config.warmup_share) / (1 - config.warmup_share))
    low = config.final_learning_rate_share
    return config.learning_rate * (low + (1 - low) * (1 + math.cos(math.pi * fallen)) / 2)


def scheduled_auxiliary_weight(config: TrainConfig, done: float) -> float:
    """Return the weight of the auxiliary tasks when the share `done` of the run is over: it falls to 0."""
    return config.auxiliary_weight * (1 - min(done, 1.0))


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW that decays the weight matrices and leaves the biases alone."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)


def has_bf16(device: torch.device) -> bool:
    """Find out whether a small LSTM runs in bf16."""
    try:
        with torch.autocast(device.type, torch.bfloat16):
            nn.LSTM(1, 1).to(device)(torch.zeros(1, 1, 1, device=device))
    except RuntimeError:  # of CPUs without AVX-512
        return False
    return True


def choose_bf16(chosen: str, device: torch.device) -> bool:
    """Decide whether the forward pass runs in bf16: for auto, where the hardware multiplies in it.

    Raises:
        OptionError: bf16 was chosen, and PyTorch cannot do it here.
    """
    if chosen == "bf16" and not has_bf16(device):
        raise OptionError("precision", chosen, "auto or fp32: on this device, PyTorch has no LSTM in bf16")
    if chosen != "auto":
        return chosen == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    ask = getattr(torch.cpu, "get_capabilities", None)  # older versions of PyTorch cannot tell
    capabilities = ask() if ask else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
