"""Cubic: x^3, the non-linear task of the bound papers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mibounds.distributions.maps.base import Map


@dataclass(frozen=True)
class Cubic(Map):
    """f(x) = x^3 entry by entry; f^-1(y) = sign(y) |y|^(1/3).

    References: Poole et al. 2019, section 3 ("cubic").
    """

    @classmethod
    def example(cls) -> Cubic:
        return cls()

    def forward(self, x: Tensor) -> Tensor:
        return x**3

    def inverse(self, y: Tensor) -> Tensor:
        return y.sign() * y.abs() ** (1 / 3)
