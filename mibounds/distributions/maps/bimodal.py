"""Bimodal: a standard normal becomes a mixture of two."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.distributions.maps._solve import root_of_increasing
from mibounds.distributions.maps.base import Map
from mibounds.distributions.maps.normal_cdf import normal_cdf
from mibounds.errors import ParameterError


@dataclass(frozen=True)
class Bimodal(Map):
    """f = F^-1 o Phi entry by entry, F(y) = w Phi(y - c_1) + (1 - w) Phi(y - c_2); f^-1 = Phi^-1 o F.

    f is found by bisection. Both go through the smaller of F and 1 - F, so that neither tail is rounded away.
    The defaults are the x side of the paper's task; its y side has weight 0.5 and centers (-1, 3).

    Raises: ParameterError if the weight is not in (0, 1) or a center is not finite.

    References: Czyz et al. 2023, section 3.
    """

    weight: float = 0.3
    centers: tuple[float, float] = (0.0, 5.0)

    def __post_init__(self) -> None:
        if not (0 < self.weight < 1 and all(map(math.isfinite, self.centers))):
            raise ParameterError(
                f"weight must lie in (0, 1) and centers be finite; got {self.weight} and {self.centers}"
            )

    @classmethod
    def example(cls) -> Bimodal:
        return cls()

    def forward(self, x: Tensor) -> Tensor:
        side = 1 - 2 * (x > 0).double()
        target = normal_cdf(side * x)
        low, high = x + min(self.centers), x + max(self.centers)
        return root_of_increasing(lambda y: side * (self._tail(y, side) - target), low, high)

    def inverse(self, y: Tensor) -> Tensor:
        lower, upper = self._tail(y, 1.0), self._tail(y, -1.0)
        return torch.where(lower < upper, torch.special.ndtri(lower), -torch.special.ndtri(upper))

    def _tail(self, y: Tensor, side: Tensor | float) -> Tensor:
        """F(y) where `side` is 1, 1 - F(y) where it is -1."""
        first, second = (normal_cdf(side * (y - center)) for center in self.centers)
        return self.weight * first + (1 - self.weight) * second
