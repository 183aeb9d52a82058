"""Spiral: rotates each point by an angle that grows with its squared norm."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from mibounds.distributions.maps.base import Map
from mibounds.errors import ParameterError, ShapeError


@dataclass(frozen=True)
class Spiral(Map):
    """f(x) = R(speed |x|^2) x, R(angle) rotating the plane of two axes; the norm stays, so f^-1 turns back.

    Args:
        speed: radians by squared norm.
        plane: the two axes, from 0.

    Raises: ParameterError if the axes are not two; ShapeError if vectors lack one of them.

    References: Czyz et al. 2023, section 3 and appendix ("spiral diffeomorphism").
    """

    speed: float = 1.0
    plane: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.speed) and min(self.plane) >= 0 and self.plane[0] != self.plane[1]):
            raise ParameterError(f"expected a finite speed and two axes; got {self.speed} and {self.plane}")

    @classmethod
    def example(cls) -> Spiral:
        return cls()

    def width(self, dim: int) -> int:
        if dim <= max(self.plane):
            raise ShapeError(
                f"a spiral of axes {self.plane} needs {max(self.plane) + 1} or more dimensions; got {dim}"
            )
        return dim

    def forward(self, x: Tensor) -> Tensor:
        return self._turn(x, self.speed)

    def inverse(self, y: Tensor) -> Tensor:
        return self._turn(y, -self.speed)

    def _turn(self, x: Tensor, speed: float) -> Tensor:
        i, j = self.plane
        angle = speed * x.square().sum(-1)
        turned = x.clone()
        turned[..., i] = angle.cos() * x[..., i] - angle.sin() * x[..., j]
        turned[..., j] = angle.sin() * x[..., i] + angle.cos() * x[..., j]
        return turned
