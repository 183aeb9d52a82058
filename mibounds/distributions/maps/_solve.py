"""Roots of increasing functions, entry by entry, for maps whose inverse has no closed form."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def root_of_increasing(function: Callable[[Tensor], Tensor], low: Tensor, high: Tensor) -> Tensor:
    """The x in [low, high] with function(x) = 0, by bisection in float64: exact to the dtype of `low`."""
    dtype, low, high = low.dtype, low.double(), high.double()
    for _ in range(60):
        middle = (low + high) / 2
        below = function(middle) < 0
        low, high = middle.where(below, low), high.where(below, middle)
    return ((low + high) / 2).to(dtype)
