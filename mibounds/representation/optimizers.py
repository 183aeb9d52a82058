"""Optimisers by name, and the schedule of their rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mibounds.errors import UnknownNameError

MOMENTUM = 0.9
DEFAULT_RATES = {"adam": 1e-3, "adamw": 1e-3, "sgd": 0.03, "lars": 0.3}


class LARS(Optimizer):
    """v <- momentum v + trust (g + decay w), w <- w - rate v, with trust = eta |w| / (|g| + decay |w|).

    Norms are taken over a run's share of a parameter, which is stacked along its leading dimension, so that runs do not
    meet. A group with `adapts=False` (biases, norms) keeps trust = 1, as do weights that are all zero.

    Args:
        params: parameters, or groups of them.
        lr: rate.
        eta: trust coefficient.

    References: You et al. 2017, arXiv:1708.03888; used as in SimCLR, Chen et al. 2020, arXiv:2002.05709.
    """

    def __init__(
        self,
        params: Any,
        lr: float,
        *,
        momentum: float = MOMENTUM,
        weight_decay: float = 0.0,
        eta: float = 1e-3,
    ):
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "eta": eta, "adapts": True}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step from the gradients; a closure is not needed."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._step(p, p.grad, group)

    def _step(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        decayed = gradient.add(p, alpha=group["weight_decay"])
        if group["adapts"]:
            decayed.mul_(_trust(p, gradient, group["weight_decay"], group["eta"]))
        state = self.state[p]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(p)
        velocity = state["momentum_buffer"].mul_(group["momentum"]).add_(decayed)
        p.add_(velocity, alpha=-group["lr"])


def _trust(p: Tensor, gradient: Tensor, weight_decay: float, eta: float) -> Tensor:
    """One number a run, shaped to multiply the parameter."""
    of_weights, of_gradient = (torch.linalg.vector_norm(t.flatten(1), dim=1) for t in (p, gradient))
    below = of_gradient + weight_decay * of_weights
    ratio = torch.where((of_weights == 0) | (below == 0), 1.0, eta * of_weights / below)
    return ratio.view(-1, *[1] * (p.ndim - 1))


NAMES: dict[str, Callable[..., Optimizer]] = {
    "adam": lambda groups, rate: torch.optim.Adam(groups, lr=rate, fused=True),
    "adamw": lambda groups, rate: torch.optim.AdamW(groups, lr=rate, fused=True),
    "sgd": lambda groups, rate: torch.optim.SGD(groups, lr=rate, momentum=MOMENTUM),
    "lars": lambda groups, rate: LARS(groups, lr=rate),
}


def require_optimizer(name: str) -> str:
    """The name, if there is such an optimiser. Raises: UnknownNameError."""
    if name not in NAMES:
        raise UnknownNameError("optimizer", name, NAMES)
    return name


def make_optimizer(name: str, module: nn.Module, learning_rate: float, weight_decay: float) -> Optimizer:
    """An optimiser of all that `module` trains; biases and norms, vectors a run, are neither decayed nor adapted.

    Each of them takes steps proportional to its rate, which `PerRunSteps` relies on.

    Raises: UnknownNameError.
    """
    make = NAMES[require_optimizer(name)]
    trained = [p for p in module.parameters() if p.requires_grad]
    matrices, vectors = ([p for p in trained if is_vector(p) == vector] for vector in (False, True))
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0, "adapts": False},
    ]
    return make([group for group in groups if group["params"]], learning_rate)


def is_vector(p: Tensor) -> bool:
    """Whether a run's share of the parameter is a vector or a number: a bias, a norm's weight, a temperature."""
    return sum(size > 1 for size in p.shape[1:]) <= 1


def clip_by_run(parameters: Iterable[nn.Parameter], largest: float) -> None:
    """Scales each run's gradient, over all parameters, to a norm of at most `largest`. Runs do not meet."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    squares = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0)
    factor = (largest / squares.sqrt()).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor.view(-1, *[1] * (gradient.ndim - 1)))


def constant(progress: float, warmup: float) -> float:
    """The share of the largest rate: linear from 0 over `warmup`, then all of it."""
    return progress / warmup if progress < warmup else 1.0


def cosine(progress: float, warmup: float) -> float:
    """The share of the largest rate: linear from 0 over `warmup`, then half a cosine down to 0."""
    if progress < warmup:
        return progress / warmup
    return (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup))) / 2


SCHEDULES: dict[str, Callable[[float, float], float]] = {"cosine": cosine, "constant": constant}


def require_schedule(name: str) -> str:
    """The name, if there is such a schedule. Raises: UnknownNameError."""
    if name not in SCHEDULES:
        raise UnknownNameError("schedule", name, SCHEDULES)
    return name
