"""Concatenated (joint) critic: one network sees both sides of every pair."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import relu

from mibounds.critics.base import Critic
from mibounds.stacked import StackedLinear, StackedMLP


class Concatenated(Critic):
    """f(x, y) = MLP([x, y]), with the first layer split as u(x) + v(y) so that n^2 pairs do not pay for it.

    More expressive than the separable critic and about twenty times dearer: the hidden layers see n^2 rows.

    References: Belghazi et al. 2018; Poole et al. 2019, section 4 ("joint critic").
    """

    name = "concatenated"

    def __init__(self, dim_x: int, dim_y: int, seeds: Sequence[int], *, hidden: Sequence[int] = (256, 256)):
        super().__init__(dim_x, dim_y, seeds)
        joint = StackedLinear(dim_x + dim_y, hidden[0], self._generators)
        # Drawn as one layer, so that the split changes the cost and not the initialisation.
        self.weight_x = torch.nn.Parameter(joint.weight.detach()[:, :dim_x].clone())
        self.weight_y = torch.nn.Parameter(joint.weight.detach()[:, dim_x:].clone())
        self.bias = torch.nn.Parameter(torch.zeros(len(seeds), 1, hidden[0]))
        self.rest = StackedMLP(hidden[0], hidden[1:], 1, self._generators)

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        from_x = torch.baddbmm(self.bias, x, self.weight_x)
        from_y = torch.bmm(y, self.weight_y)
        pairs = relu(from_x.unsqueeze(2) + from_y.unsqueeze(1))
        return self.rest(pairs.flatten(1, 2)).view(x.shape[0], x.shape[1], y.shape[1])
