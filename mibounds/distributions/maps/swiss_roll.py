"""Swiss roll: an interval rolled up in the plane."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.distributions.maps.base import Map
from mibounds.errors import DataError, ShapeError


@dataclass(frozen=True)
class SwissRoll(Map):
    """f(x) = (t cos t, t sin t) / 21 with t = 3 pi/2 (1 + 2x), x in [0, 1]; f^-1 reads t from the radius.

    Outside of [0, 1] it would meet itself, hence the check. Uniform x come from `NormalCDF` of a Gaussian.

    Raises: ShapeError unless x has one dimension; DataError if x leaves [0, 1].

    References: Czyz et al. 2023, section 3 ("Swiss roll").
    """

    domain = "unit"

    @classmethod
    def example(cls) -> SwissRoll:
        return cls()

    def width(self, dim: int) -> int:
        if dim != 1:
            raise ShapeError(f"a swiss roll takes one dimension; got {dim}")
        return 2

    def forward(self, x: Tensor) -> Tensor:
        if not ((x >= 0) & (x <= 1)).all():
            raise DataError("a swiss roll takes values in [0, 1]; map them there first, as NormalCDF does")
        angle = 1.5 * math.pi * (1 + 2 * x)
        return angle * torch.cat([angle.cos(), angle.sin()], dim=-1) / 21

    def inverse(self, y: Tensor) -> Tensor:
        angle = 21 * y.norm(dim=-1, keepdim=True)
        return (angle / (1.5 * math.pi) - 1) / 2
