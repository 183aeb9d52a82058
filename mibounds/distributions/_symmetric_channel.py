"""A symmetric channel: a uniform symbol is passed on, or becomes another one with probability `flip`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mibounds.errors import ParameterError


def require(n_letters: int, flip: float) -> None:
    """Raises: ParameterError unless there are two letters or more and `flip` is in [0, 1)."""
    if n_letters < 2 or not 0 <= flip < 1:
        raise ParameterError(f"expected two letters or more and flip in [0, 1); got {n_letters} and {flip}")


def information(n_letters: int, flip: float) -> float:
    """ln k - H(flip) - flip ln(k - 1), in nats."""
    kept, changed = log_ratios(n_letters, flip)
    return (1 - flip) * kept + (flip * changed if flip > 0 else 0.0)


def log_ratios(n_letters: int, flip: float) -> tuple[float, float]:
    """ln r of a symbol that was passed on, and of one that became another: ln k(1-flip), ln k flip/(k-1)."""
    changed = math.log(n_letters * flip / (n_letters - 1)) if flip > 0 else -math.inf
    return math.log(n_letters * (1 - flip)), changed


def passed_on(symbols: Tensor, n_letters: int, flip: float, generator: torch.Generator) -> Tensor:
    """The symbols, integers of any shape, after the channel."""
    shape, device = symbols.shape, generator.device
    step = torch.randint(1, n_letters, shape, generator=generator, device=device)
    changed = torch.rand(shape, generator=generator, dtype=torch.float64, device=device) < flip
    return (symbols + step * changed) % n_letters
