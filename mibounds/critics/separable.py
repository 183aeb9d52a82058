"""Separable critic: one encoder a side, scores by inner product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mibounds.critics.base import Critic, require_widths
from mibounds.stacked import StackedMLP


class Separable(Critic):
    """f(x, y) = g(x) . h(y), g and h perceptrons. n encodings a side make all n^2 scores.

    Raises: ParameterError for a width that is none.

    References: van den Oord et al. 2018; Poole et al. 2019, section 4 (32-dimensional embedding, 2 x 256 hidden).

    Example:
        >>> Separable(3, 2, seeds=[0, 1])(torch.ones(2, 5, 3), torch.ones(2, 5, 2)).shape
        torch.Size([2, 5, 5])
    """

    name = "separable"

    def __init__(
        self,
        dim_x: int,
        dim_y: int,
        seeds: Sequence[int],
        *,
        hidden: Sequence[int] = (256, 256),
        embedding: int = 32,
    ):
        require_widths(hidden, embedding)
        super().__init__(dim_x, dim_y, seeds)
        self.encode_x = StackedMLP(dim_x, hidden, embedding, self._generators)
        self.encode_y = StackedMLP(dim_y, hidden, embedding, self._generators)

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.bmm(self.encode_x(x), self.encode_y(y).transpose(1, 2))
