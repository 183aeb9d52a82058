"""Half-cube: the signed power 3/2, which lengthens tails."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mibounds.distributions.maps.base import Map


@dataclass(frozen=True)
class HalfCube(Map):
    """f(x) = sign(x) |x|^(3/2) entry by entry; f^-1(y) = sign(y) |y|^(2/3).

    References: Czyz et al. 2023, section 3.
    """

    @classmethod
    def example(cls) -> HalfCube:
        return cls()

    def forward(self, x: Tensor) -> Tensor:
        return x * x.abs().sqrt()

    def inverse(self, y: Tensor) -> Tensor:
        return y.sign() * y.abs() ** (2 / 3)
