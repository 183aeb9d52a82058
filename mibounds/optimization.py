"""What both training loops share: steps of a stack whose runs have learning rates of their own, at full speed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class PerRunSteps:
    """Takes an optimiser's steps, of which each run keeps the share rate / largest rate.

    A torch optimiser knows one rate a group. Here it steps at the largest, and every run but the fastest goes back
    part of the way, which for a step proportional to its rate is the same.

    Args:
        optimizer: made with the largest of the rates.
        rates: one a run.
        owners: modules, each with the runs that its parameters' leading dimension stands for.
    """

    def __init__(
        self, optimizer: Optimizer, rates: Sequence[float], owners: Iterable[tuple[nn.Module, Tensor]]
    ):
        self.optimizer = optimizer
        held = 1 - torch.tensor(rates, dtype=torch.float64) / max(rates)
        self._held = [
            (p, held[runs].to(p).view(-1, *[1] * (p.ndim - 1)))
            for module, runs in owners
            for p in module.parameters()
            if p.requires_grad and len(set(rates)) > 1
        ]

    def step(self) -> None:
        """One step for every run."""
        before = [p.detach().clone() for p, _ in self._held]
        self.optimizer.step()
        with torch.no_grad():
            for (p, held), old in zip(self._held, before, strict=True):
                p.lerp_(old, held)


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Numbers under 1e-38 count as zero: in fading gradients and moments they slow a core several times."""
    supported = torch.set_flush_denormal(True)
    try:
        yield
    finally:
        if supported:
            torch.set_flush_denormal(False)


@cache
def keep_freed_memory() -> None:
    """Lets the C library keep what a step frees for the next one, so that the system need not clear it anew each time.

    glibc gives memory back above twice the largest block that was ever freed, up to 32 MiB: this is such a block, and
    nothing writes to it. Elsewhere it does nothing.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)
