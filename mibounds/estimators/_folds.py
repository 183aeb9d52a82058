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


@dataclass(frozen=True)
class Scale:
    """arcsinh of columns less their mean and over their standard deviation, both of the fitted rows.

    arcsinh is near the identity up to a standard deviation and grows as the logarithm beyond. Without it, columns with
    heavy tails, or ones that hardly vary over the fitted rows, have rows hundreds of standard deviations out, whose
    scores swamp all others. It is invertible, so that no information is lost. A column that is constant over the fitted
    rows is only centred.
    """

    magnitude: NDArray[np.float64]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def fitted(cls, values: NDArray[np.float64]) -> Scale:
        # Squares of what is far from 1 would overflow or vanish.
        magnitude = _or_one(np.abs(values).max(axis=0))
        return cls(magnitude, (values / magnitude).mean(axis=0), _or_one((values / magnitude).std(axis=0)))

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.arcsinh(self._plain(values))

    def log_slope(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """ln of the derivative, column by column: `n x dim` -> `n x dim`."""
        unit = np.log(self.magnitude) + np.log(self.spread)
        return -np.log(np.hypot(1.0, self._plain(values))) - unit

    def _plain(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return (values / self.magnitude - self.centre) / self.spread


def standardised(values: NDArray[np.float64], train: Tensor) -> Tensor:
    """The columns of `values` on the `Scale` of the rows `train`, float32."""
    return torch.from_numpy(Scale.fitted(values[train.numpy()])(values)).float()


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
