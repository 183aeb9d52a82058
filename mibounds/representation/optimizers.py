"""Optimisers by name, and the schedule of their rate."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim import Optimizer

from mibounds.errors import UnknownNameError

NAMES = ("adam", "adamw", "sgd", "lars")


def make_optimizer(name: str, module: nn.Module, learning_rate: float, weight_decay: float) -> Optimizer:
    """An optimiser of all that `module` trains; biases and norms, vectors a run, are not decayed."""
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if not is_vector(p)], "weight_decay": weight_decay},
        {"params": [p for p in trained if is_vector(p)], "weight_decay": 0.0},
    ]
    if name == "adam":
        return torch.optim.Adam(groups, lr=learning_rate, fused=True)
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=learning_rate, fused=True)
    if name == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9)
    raise UnknownNameError("optimizer", name, NAMES)


def is_vector(p: torch.Tensor) -> bool:
    """Whether a run's share of the parameter is a vector or a number: a bias, a norm's weight, a temperature."""
    return sum(size > 1 for size in p.shape[1:]) <= 1


def cosine(progress: float, warmup: float) -> float:
    """The share of the largest rate: linear from 0 over `warmup`, then half a cosine down to 0."""
    if progress < warmup:
        return progress / warmup
    return (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup))) / 2
