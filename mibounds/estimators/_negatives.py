"""How many negatives a bound's value rests on: the effective sample size of the weights in its partition function."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from mibounds.bounds import Bound
from mibounds.estimators._reading import Inputs

TOLD_FROM_NATS = 0.1


@dataclass(frozen=True)
class Negatives:
    """What the scores of pairs that were not drawn together weigh in a bound's value.

    Score s_ij weighs g_ij = d value / d s_ij: the value would move by that much if pair i, j were not there. Of
    Donsker-Varadhan g is e^s over its sum, so that `count_as` is Kish's effective sample size of the partition
    function's estimate, and `error_nats` that estimate's relative standard error. Of InfoNCE it is a row's softmax. The
    least that can be said of the error: negatives of one row or column depend on each other, and a large weight that
    was not drawn is not seen.

    Attributes:
        n: negatives there are.
        count_as: equally weighted ones that would say as much, (sum |g|)^2 / sum g^2.
        error_nats: the value's standard error by chance in which negatives there are, sqrt(sum (|g| - mean |g|)^2).
    """

    n: int
    count_as: float
    error_nats: float

    @classmethod
    def of(cls, bound: Bound, batches: Sequence[Inputs]) -> Self:
        """Of what the bound is called with on equal batches, whose mean is its value (scores `n x n`)."""
        scores = [s.detach().requires_grad_() for s, *_ in batches]
        with torch.enable_grad():
            value = torch.stack(
                [bound(s, *rest) for s, (_, *rest) in zip(scores, batches, strict=True)]
            ).mean()
        weights = torch.cat([_off_diagonal(g) for g in torch.autograd.grad(value, scores)]).double()
        total, squares = weights.abs().sum().item(), weights.square().sum().item()
        n = len(weights)
        return cls(
            n, total**2 / squares if squares > 0 else math.inf, math.sqrt(max(squares - total**2 / n, 0))
        )

    def warning(self) -> str | None:
        """What to say if few of them count, else None."""
        if not self.error_nats > TOLD_FROM_NATS:
            return None
        return (
            f"few negatives count: of {self.n:,} in the report fold, their weights make {self.count_as:.0f}; from that "
            f"alone the value may be {self.error_nats:.2f} nats off, or more where a large weight was not drawn. More "
            "pairs, or info_nce, rest on more"
        )


def _off_diagonal(matrix: Tensor) -> Tensor:
    """`n x n` -> `n (n - 1)` entries, row by row."""
    n = len(matrix)
    return matrix.flatten()[1:].view(n - 1, n + 1)[:, :-1].flatten()
