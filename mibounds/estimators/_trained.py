"""A trained critic among the models of `auto`: what it adds to the Gaussian copula's log density ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from mibounds.bounds.info_nce import InfoNCE
from mibounds.critics.base import Critic
from mibounds.critics.separable import Separable
from mibounds.data import Samples
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DataError, DivergedError
from mibounds.estimators._folds import equal_blocks
from mibounds.estimators._terms import Array, Crossed, Terms
from mibounds.seeding import seed_of
from mibounds.training import BestWeights, Trainer, shuffled_batches

LEAST_TO_TRAIN = 200
TRAINED_SHARE = 0.8
BATCH_SIZE, CHECK_EVERY, PATIENCE, MOST_STEPS = 256, 25, 8, 2000
LARGEST_BLOCK = 2048
SMALL_START = 0.1


class Residual(Critic):
    """f(x, y) = ln r(x, y) of a fixed Gaussian law + g(x) . h(y), R runs."""

    name = "residual"

    def __init__(self, law: Gaussian, seeds: list[int]):
        super().__init__(law.dim_x, law.dim_y, seeds)
        self.law, self.added = law, Separable(law.dim_x, law.dim_y, seeds, hidden=(256, 256))
        with torch.no_grad():  # the law alone, nearly, so that a law that is right is soon seen to be
            self.added.encode_x[-1].weight.mul_(SMALL_START)

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        return self.law.log_density_ratio_matrix(x, y) + self.added(x, y)


@dataclass(frozen=True)
class TrainedCritic:
    """The mean score of `n_runs` critics that train on four fifths of a half and stop by the last fifth.

    That fifth is what chooses, and the other half is what is read: InfoNCE by rows and by columns, a lower bound either
    way, on blocks of at most 2,048 pairs.
    """

    n_runs: int = 2

    name: ClassVar[str] = "trained_critic"

    def both_ways(self, halves: tuple[Samples, Samples], seed: int) -> list[Crossed]:
        if min(map(len, halves)) < LEAST_TO_TRAIN:
            raise DataError(
                f"too few samples to train a critic on half of them; expected {2 * LEAST_TO_TRAIN}"
            )
        tensors = [(torch.from_numpy(h.x).float(), torch.from_numpy(h.y).float()) for h in halves]
        return [
            self._crossed(*tensors[k], *tensors[1 - k], seed=seed_of("trained_critic", k, seed))
            for k in (0, 1)
        ]

    def _crossed(self, x: Tensor, y: Tensor, other_x: Tensor, other_y: Tensor, seed: int) -> Crossed:
        n_trained = round(TRAINED_SHARE * len(x))
        critic = self._trained(x, y, n_trained, seed)
        choosing = np.full(len(x), np.nan)
        choosing[n_trained:] = pointwise(critic, x[n_trained:], y[n_trained:])
        read = pointwise(critic, other_x, other_y)
        ceiling = math.log(min(len(read), LARGEST_BLOCK))
        error = float(np.nanstd(read)) / math.sqrt(len(read))
        return Crossed(choosing, Terms(float(np.nanmean(read)), read, error, ceiling))

    def _trained(self, x: Tensor, y: Tensor, n_trained: int, seed: int) -> Critic:
        seeds = [seed_of("run", run, seed) for run in range(self.n_runs)]
        law = _fitted(x[:n_trained], y[:n_trained])
        trainer = Trainer(Residual(law, seeds), InfoNCE(), seeds)
        runs = [side.expand(self.n_runs, *side.shape) for side in (x, y)]
        trains, stops = (
            [side[:, rows] for side in runs] for rows in (slice(n_trained), slice(n_trained, None))
        )
        batches = shuffled_batches(trains[0], trains[1], seeds, min(BATCH_SIZE, n_trained))
        best, since_best = BestWeights(trainer), 0
        best.update(trainer.values(*stops))
        while since_best < PATIENCE and trainer.steps_done < MOST_STEPS:
            trainer.fit(batches, CHECK_EVERY)
            since_best = 0 if best.update(trainer.values(*stops)).any() else since_best + 1
        if not best.best.isfinite().all():
            raise DivergedError("no critic that was trained on half the pairs reads a finite value")
        best.restore()
        return trainer.critic


@torch.no_grad()
def pointwise(critic: Critic, x: Tensor, y: Tensor) -> Array:
    """Each pair's share of InfoNCE, mean of rows and columns, by the runs' mean score: `n`; NaN in a ragged end."""
    read = np.full(len(x), np.nan)
    for block in equal_blocks(len(x), LARGEST_BLOCK):
        runs = [side[block].expand(critic.n_runs, -1, -1) for side in (x, y)]
        scores = critic(*runs).mean(0).double()
        partition = (torch.logsumexp(scores, 0) + torch.logsumexp(scores, 1)) / 2 - math.log(len(scores))
        read[block] = (scores.diagonal() - partition).numpy()
    return read


def _fitted(x: Tensor, y: Tensor) -> Gaussian:
    """The Gaussian of the rows, its correlations shrunk as Ledoit and Wolf (2004) do, so that it never is singular."""
    scores = torch.cat([x, y], 1).double()
    scores = (scores - scores.mean(0)) / scores.std(0)
    n, identity = len(scores), torch.eye(scores.shape[1], dtype=torch.float64)
    moments = scores.T @ scores / n
    noise = ((scores**2).sum(1).square().mean() - moments.square().sum()) / n
    share = min(1.0, float(noise / (moments - identity).square().sum()))
    return Gaussian((1 - share) * moments + share * identity, x.shape[1])
