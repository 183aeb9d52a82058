"""Arcsinh: tames heavy tails to the size of their logarithm."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mibounds.distributions.maps.base import Map


@dataclass(frozen=True)
class Arcsinh(Map):
    """f(x) = ln(x + sqrt(x^2 + 1)) entry by entry; f^-1(y) = sinh y.

    References: Czyz et al. 2023, section 3.
    """

    @classmethod
    def example(cls) -> Arcsinh:
        return cls()

    def forward(self, x: Tensor) -> Tensor:
        return x.asinh()

    def inverse(self, y: Tensor) -> Tensor:
        return y.sinh()
