"""Barlow Twins: the views' cross-correlation matrix is driven to the identity."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.representation import distributed
from mibounds.representation.methods._redundancy import off_diagonal_squares
from mibounds.representation.methods._rows import require_rows
from mibounds.representation.methods.base import Method
from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs


class BarlowTwins(Method):
    """loss = sum_i (1 - C_ii)^2 + off_diagonal sum_(i != j) C_ij^2, C the correlations of view a's and b's dimensions.

    Embeddings are standardised over the batch, so a shrinking spread is undone: without the second term all dimensions
    become one, and the rank falls, not the standard deviations. The mean is free: a network without batch norm may
    move all embeddings to one side, which the spread of unit rows shows, with and without the second term.

    Args:
        network, seeds: see Method.
        off_diagonal: lambda >= 0; 0 takes the redundancy reduction away, a control.

    Raises: ParameterError, also for a batch of one.

    References: Zbontar et al. 2021, arXiv:2103.03230, eq. 1 and 2.
    """

    name = "barlow_twins"
    needs = frozenset({"batch statistics"})
    prevents_collapse = "the off-diagonal term"
    broken = {"off_diagonal": 0.0}
    collapse = "dimensional"
    references = ("Zbontar et al. 2021, arXiv:2103.03230",)

    def __init__(self, network: Network, seeds: Sequence[int], *, off_diagonal: float = 0.005):
        super().__init__(network, seeds)
        if off_diagonal < 0:
            raise ParameterError(f"off_diagonal must be at least 0; got {off_diagonal}")
        self.off_diagonal = off_diagonal

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        z_a, z_b = (
            _standardised(require_rows(distributed.gather(network(view).embedding)))
            for view in (pairs.view_a, pairs.view_b)
        )
        correlation = torch.bmm(z_a.mT, z_b) / z_a.shape[1]
        diagonal = correlation.diagonal(dim1=-2, dim2=-1)
        return (1 - diagonal).square().sum(-1) + self.off_diagonal * off_diagonal_squares(correlation)


def _standardised(z: Tensor, eps: float = 1e-5) -> Tensor:
    """The epsilon lets a dimension that has died count as uncorrelated with all, without a division by zero."""
    variance, mean = torch.var_mean(z, dim=1, correction=0, keepdim=True)
    return (z - mean) * torch.rsqrt(variance + eps)
