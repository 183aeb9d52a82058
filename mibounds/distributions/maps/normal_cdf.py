"""Normal CDF: Gaussian marginals become uniform, and what is left is the copula."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.distributions.maps.base import Map


@dataclass(frozen=True)
class NormalCDF(Map):
    """f(x) = Phi(x) entry by entry; f^-1 = Phi^-1.

    Near 1 a float's steps are coarse: beyond x = 5 (float32) or 8 (float64) the inverse is rough.

    References: Czyz et al. 2023, section 3.
    """

    @classmethod
    def example(cls) -> NormalCDF:
        return cls()

    def forward(self, x: Tensor) -> Tensor:
        return normal_cdf(x)

    def inverse(self, y: Tensor) -> Tensor:
        # a probability that was rounded to 0 or 1 stands for the nearest one inside
        limits = torch.finfo(y.dtype)
        return torch.special.ndtri(y.clamp(limits.tiny, 1 - limits.eps / 2))


def normal_cdf(x: Tensor) -> Tensor:
    """Phi(x), by erfc since `torch.special.ndtr` rounds the lower tail away."""
    return torch.erfc(-x * math.sqrt(0.5)) / 2
