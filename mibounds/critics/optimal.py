"""Optimal critic: a distribution's own log density ratio, no training."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from mibounds.critics.base import Critic
from mibounds.distributions import Distribution
from mibounds.errors import ParameterError


class Optimal(Critic):
    """f(x, y) = ln p(x, y) / p(x) p(y). What a bound reads with it is the bound's own limit, not the training's.

    Args:
        law: the distribution, whose log density ratio must be known.
        seeds: only their number counts.
    """

    name = "optimal"

    def __init__(self, law: Distribution, seeds: Sequence[int] = (0,)):
        super().__init__(law.dim_x, law.dim_y, seeds)
        self.law = law

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        scores = self.law.log_density_ratio_matrix(x, y)
        if scores is None:
            raise ParameterError(f"the log density ratio of {type(self.law).__name__} is not known")
        return scores
