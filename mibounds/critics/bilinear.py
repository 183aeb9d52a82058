"""Bilinear critic: the Gaussian's own interaction, without its quadratic terms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mibounds.critics.base import Critic
from mibounds.stacked import StackedLinear


class Bilinear(Critic):
    """f(x, y) = x^T W y. Few parameters, no hidden layer; exact up to c(x) + c(y) on Gaussians.

    References: van den Oord et al. 2018, eq. 3 (there between encodings).
    """

    name = "bilinear"

    def __init__(self, dim_x: int, dim_y: int, seeds: Sequence[int]):
        super().__init__(dim_x, dim_y, seeds)
        self.map = StackedLinear(dim_x, dim_y, self._generators, bias=False)

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.bmm(self.map(x), y.transpose(1, 2))
