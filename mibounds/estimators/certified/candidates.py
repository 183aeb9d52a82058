"""Critics fitted on the training fold, of which the rule reads one: a trained one, and a Gaussian's density ratio."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibounds.critics import Critic
from mibounds.critics.optimal import Optimal
from mibounds.data import Samples
from mibounds.distributions.gaussian import Gaussian
from mibounds.estimators._folds import Folds, standardised
from mibounds.estimators.variational import Variational

LARGEST_GROUP = 256
MOST_STRANGERS = 1024
RIDGE = 1e-6


@dataclass(frozen=True)
class Candidate:
    """A critic, or the mean of those of a stack, and the rows that it reads.

    Scores are centred on the training fold: f(x, y) - u(x) - v(y), u the log-partition of x over the fold's y, and v
    that of y over its x. InfoNCE leaves undetermined what depends on x alone, and a mean over many pairs rights what
    small batches got wrong. Both are functions that the held-out pairs had no part in.

    Attributes:
        name: "trained" or "gaussian".
        x, y: `n x dim`, all rows.
        strangers: rows of the training fold over which scores are centred.
    """

    name: str
    critic: Critic
    x: Tensor
    y: Tensor
    strangers: Tensor

    @torch.no_grad()
    def scores(self, rows: Tensor) -> NDArray[np.float64]:
        """Centred scores of all pairs within equal groups: `n` row numbers -> `n_groups x m x m`, m even."""
        of_x = self._of_x(self.strangers, self.strangers).fill_diagonal_(-torch.inf)
        level = _log_mean(of_x, 1)
        groups = [self._centred(group, level) for group in even_groups(rows)]
        return torch.stack(groups).numpy()

    def _centred(self, group: Tensor, level: Tensor) -> Tensor:
        of_x = _log_mean(self._of_x(group, self.strangers), 1)
        of_y = _log_mean(self._of_x(self.strangers, group) - level[:, None], 0)
        return self._of_x(group, group) - of_x[:, None] - of_y

    def _of_x(self, left: Tensor, right: Tensor) -> Tensor:
        x, y = (side.expand(self.critic.n_runs, *side.shape) for side in (self.x[left], self.y[right]))
        return self.critic(x, y).double().mean(0).cpu()


def _log_mean(scores: Tensor, dim: int) -> Tensor:
    return torch.logsumexp(scores, dim) - math.log(scores.shape[dim])


def even_groups(rows: Tensor) -> list[Tensor]:
    """The fewest equal groups of at most 256 rows, each of an even number; a few rows may be left out."""
    n_groups = -(-len(rows) // LARGEST_GROUP)
    size = len(rows) // n_groups // 2 * 2
    return list(rows[: n_groups * size].split(size))


def fitted(samples: Samples, folds: Folds, variational: Variational, seed: int) -> Iterator[Candidate]:
    """The candidates. The trained one is stopped by the selection fold."""
    strangers = folds.train[:MOST_STRANGERS]
    sides = [_varying(side, folds.train) for side in (samples.x, samples.y)]
    x, y = (standardised(side, folds.train).to(variational.torch_device) for side in sides)
    trainer, _ = variational.train(x, y, folds, seed)
    yield Candidate("trained", trainer.critic, x, y, strangers)
    x, y = (_scaled(side, folds.train) for side in sides)
    if len(folds.train) > x.shape[1] + y.shape[1]:
        yield Candidate("gaussian", Optimal(_gaussian(x[folds.train], y[folds.train])), x, y, strangers)


def _varying(values: NDArray[np.float64], train: Tensor) -> NDArray[np.float64]:
    """The columns that vary over the rows `train`, or one of zeros: whether the others vary elsewhere may not count."""
    varying = np.ptp(values[train.numpy()], axis=0) > 0
    return values[:, varying] if varying.any() else np.zeros((len(values), 1))


def _scaled(values: NDArray[np.float64], train: Tensor) -> Tensor:
    """Centred and of unit variance over the rows `train`; unlike `standardised`, linear."""
    side = torch.from_numpy(values)
    side = side / side[train].abs().amax(0).clamp(min=torch.finfo(side.dtype).tiny)
    spread = side[train].std(0)
    return (side - side[train].mean(0)) / torch.where(spread > 0, spread, 1.0)


def _gaussian(x: Tensor, y: Tensor) -> Gaussian:
    both = torch.cat([x, y], 1)
    covariance = both.T @ both / len(both)
    return Gaussian(covariance + RIDGE * torch.eye(len(covariance), dtype=both.dtype), x.shape[1])
