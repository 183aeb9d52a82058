"""What is read as E_p[f] from a critic trained to be the log density ratio."""

from __future__ import annotations

from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.numerics import positives


class DensityRatioPlugIn(Bound):
    """E_p[f], f = ln r at the optimum of the objective.

    No bound: adding a constant to f moves the value by it. It is as good as the critic, and its variance,
    that of ln r over n pairs, is small. A subclass gives the objective.
    """

    direction = "none"
    validity = "none"

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return positives(scores).mean(-1)

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return (joint * scores).sum()
