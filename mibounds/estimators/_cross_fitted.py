"""Each pair's log density ratio by a critic that was trained and selected on other pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from mibounds.errors import DataError, DivergedError
from mibounds.estimators._folds import LEAST_IN_A_FOLD, Folds
from mibounds.numerics import log_mean_exp, positives
from mibounds.seeding import generator, seed_of

if TYPE_CHECKING:
    from mibounds.estimators.variational import Variational

PARTS = 5
LARGEST_PART = 4096  # a matrix of scores of this size is made

Array = NDArray[np.float64]


def log_ratios(method: Variational, x: Array, y: Array, seed: int) -> Array:
    """f(x, y) - ln mean_j e^f(x, y_j) of each pair, in nats: `n`.

    The pairs are cut at random into 5 parts, or more where these would pass 4,096 pairs. For each, a critic is trained
    and selected on the others, in the proportion of the method's folds, and reads the part.

    Raises: DataError if a fold would hold fewer than 32 pairs; DivergedError.
    """
    nats = np.empty(len(x))
    for part, folds in enumerate(_rotations(len(x), method.folds, seed)):
        scores = _scores(method, x, y, folds, seed_of("part", part, seed))
        of_part = positives(scores) - log_mean_exp(scores)
        if not of_part.isfinite().all():
            raise DivergedError(
                "scores are not finite on a held-out part; look for extreme values in the data"
            )
        nats[folds.report.numpy()] = of_part.double().cpu().numpy()
    return nats


def _scores(method: Variational, x: Array, y: Array, folds: Folds, seed: int) -> torch.Tensor:
    ((scores, *_),) = method.fit(x, y, folds, seed).report
    return scores


def _rotations(n: int, shares: tuple[float, float, float], seed: int) -> Iterator[Folds]:
    """Each part as the report fold, the rest split to train and to select."""
    order = torch.randperm(n, generator=generator(seed_of("parts", seed)))
    parts = order.tensor_split(max(PARTS, -(-n // LARGEST_PART)))
    n_select = round((n - len(parts[0])) * shares[1] / (shares[0] + shares[1]))
    if min(len(parts[-1]), n_select, n - len(parts[0]) - n_select) < LEAST_IN_A_FOLD:
        raise DataError(
            f"too few samples for {PARTS} parts to cross-fit: {n}; expected 32 pairs in each fold"
        )
    for i, part in enumerate(parts):
        rest = torch.cat([*parts[:i], *parts[i + 1 :]])
        yield Folds(rest[n_select:], rest[:n_select], part)
