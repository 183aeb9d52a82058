"""Which pairs train, which select, which report; and how a fold is cut into batches without a ragged last one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibounds.errors import DataError, ParameterError
from mibounds.seeding import generator, seed_of

LEAST_IN_A_FOLD = 32
LEAST_SHARE = 0.01


@dataclass(frozen=True)
class Folds:
    """Row numbers of three disjoint folds that together are all rows."""

    train: Tensor
    select: Tensor
    report: Tensor

    def sizes(self) -> dict[str, int]:
        return {"train": len(self.train), "select": len(self.select), "report": len(self.report)}


def require_shares(shares: Sequence[float]) -> None:
    """Raises ParameterError unless `shares` are three numbers, each at least 0.01, that add to 1."""
    if len(shares) != 3 or not min(shares) >= LEAST_SHARE or abs(sum(shares) - 1) > 1e-6:
        raise ParameterError(
            f"folds must be three shares (train, select, report), each at least {LEAST_SHARE}, that add to 1; "
            f"got {shares}"
        )


def split(n: int, shares: Sequence[float], seed: int) -> Folds:
    """Three folds of `n` rows by a random permutation.

    Raises: DataError if a fold would hold fewer than 32 rows.
    """
    sizes = _sizes(n, shares)
    if min(sizes) < LEAST_IN_A_FOLD:
        least = next(m for m in itertools.count(n) if min(_sizes(m, shares)) >= LEAST_IN_A_FOLD)
        raise DataError(f"too few samples for the three folds: {n}; expected at least {least}")
    order = torch.randperm(n, generator=generator(seed_of("folds", seed)))
    return Folds(*order.split(sizes))


def _sizes(n: int, shares: Sequence[float]) -> list[int]:
    n_train, n_select = round(shares[0] * n), round(shares[1] * n)
    return [n_train, n_select, n - n_train - n_select]


def standardised(values: NDArray[np.float64], train: Tensor) -> Tensor:
    """arcsinh of `values` less the mean and over the standard deviation of the rows `train`, float32.

    arcsinh is near the identity up to a standard deviation and grows as the logarithm beyond. Without it, columns with
    heavy tails, or ones that hardly vary over `train`, have rows hundreds of standard deviations out, whose scores
    swamp all others. It is invertible, so that no information is lost. A column that is constant over `train` is only
    centred.
    """
    fitted = values[train.numpy()]
    # Squares of what is far from 1 would overflow or vanish.
    magnitude = _or_one(np.abs(fitted).max(axis=0))
    centre, spread = (fitted / magnitude).mean(axis=0), (fitted / magnitude).std(axis=0)
    return torch.from_numpy(np.arcsinh((values / magnitude - centre) / _or_one(spread))).float()


def _or_one(scale: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(scale > 0, scale, 1.0)


def equal_blocks(n: int, at_most: int) -> list[slice]:
    """The fewest equal blocks of at most `at_most` of `n` rows; fewer rows than there are blocks are left out.

    >>> equal_blocks(10, 4)
    [slice(0, 3, None), slice(3, 6, None), slice(6, 9, None)]
    """
    n_blocks = -(-n // at_most)
    size = n // n_blocks
    return [slice(b * size, (b + 1) * size) for b in range(n_blocks)]
