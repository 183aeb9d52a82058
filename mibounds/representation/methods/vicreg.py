"""VICReg: variance, invariance, covariance, each an explicit term."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.representation import distributed
from mibounds.representation.methods._redundancy import covariance_penalty, variance_hinge
from mibounds.representation.methods._rows import require_rows
from mibounds.representation.methods.base import Method
from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs


class VICReg(Method):
    """loss = invariance s(z, z') + variance (v(z) + v(z')) / 2 + covariance (c(z) + c(z')).

    s is the mean squared difference, v the hinge that holds each dimension's standard deviation at 1, c the sum of
    squared covariances over d. The factors 1/d in s and 1/2 before v are those of the authors' code, which their
    weights 25, 25, 1 belong to; the paper's equations lack them. Embeddings are not normalised: without the hinge they
    shrink to a point, and a spread of unit rows follows only as far as their mean does not shrink with them.

    Args:
        network, seeds: see Method.
        invariance, variance, covariance: weights, at least 0; without variance it collapses to a point.

    Raises: ParameterError, also for a batch of one.

    References: Bardes et al. 2022, arXiv:2105.04906, eq. 1 to 6.
    """

    name = "vicreg"
    needs = frozenset({"batch statistics"})
    prevents_collapse = "the variance term"
    broken = {"variance": 0.0}
    collapse = "complete"
    references = ("Bardes et al. 2022, arXiv:2105.04906",)

    def __init__(
        self,
        network: Network,
        seeds: Sequence[int],
        *,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
    ):
        super().__init__(network, seeds)
        weights = {"invariance": invariance, "variance": variance, "covariance": covariance}
        for name, weight in weights.items():
            if weight < 0:
                raise ParameterError(f"{name} must be at least 0; got {weight}")
        self.invariance, self.variance, self.covariance = invariance, variance, covariance

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        z_a, z_b = (
            require_rows(distributed.gather(network(view).embedding)) for view in (pairs.view_a, pairs.view_b)
        )
        invariance = (z_a - z_b).square().mean((-2, -1))
        variance = (variance_hinge(z_a) + variance_hinge(z_b)) / 2
        covariance = covariance_penalty(z_a) + covariance_penalty(z_b)
        return self.invariance * invariance + self.variance * variance + self.covariance * covariance
