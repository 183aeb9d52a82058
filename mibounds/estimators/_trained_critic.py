"""A trained critic among the models of `auto`: what a network adds to a Gaussian copula's log density ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor

from mibounds.bounds.info_nce import InfoNCE
from mibounds.critics.base import Critic
from mibounds.critics.separable import Separable
from mibounds.data import Samples
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DataError, DivergedError
from mibounds.estimators._device import device_named
from mibounds.estimators._ranks import centred_scores
from mibounds.estimators._terms import Array, Crossed, Terms
from mibounds.numerics import log_mean_exp, positives
from mibounds.seeding import seed_of
from mibounds.training import BestWeights, Trainer, shuffled_batches

LEAST_TO_TRAIN = 160
TRAINED_SHARE = 0.8
BATCH_SIZE, CHECK_EVERY, PATIENCE, MOST_STEPS = 256, 25, 8, 2000
HIDDEN, EMBEDDING = (512,), 64
LARGEST_BLOCK = 2048
SMALL_START = 0.1
LEAST_VARIANCE = 0.9

Pairs: TypeAlias = tuple[Tensor, Tensor]


class Residual(Critic):
    """f(x, y) = ln r(x, y) of a Gaussian law of the run's own + g(x) . h(y), R runs.

    The law is what many columns and few pairs let one see at once; networks learn the rest from there.
    """

    name = "residual"

    def __init__(self, laws: list[Gaussian], seeds: list[int]):
        super().__init__(laws[0].dim_x, laws[0].dim_y, seeds)
        self.laws = laws
        self.added = Separable(self.dim_x, self.dim_y, seeds, hidden=HIDDEN, embedding=EMBEDDING)
        with torch.no_grad():  # nearly the law alone: if that is right, it is soon seen to be
            self.added.encode_x[-1].weight.mul_(SMALL_START)  # type: ignore[operator]

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        of_laws = [
            law.log_density_ratio_matrix(*of_run) for law, *of_run in zip(self.laws, x, y, strict=True)
        ]
        return torch.stack(of_laws) + self.added(x, y)


@dataclass(frozen=True)
class TrainedCritic:
    """A critic for each half, trained as InfoNCE on four fifths of it and stopped by the last fifth.

    That fifth is what chooses; the other half is what is read, as InfoNCE on blocks of at most 2,048 pairs: a lower
    bound in expectation, whatever was learned. A critic reads too much on pairs that trained it and too little on
    others; a quarter of the difference is added to the standard error, so that a 95% interval reaches the middle.

    Columns are what their ranks say, equal values sharing their mean rank.
    """

    device: str = "auto"

    name: ClassVar[str] = "trained_critic"

    def both_ways(self, halves: tuple[Samples, Samples], seed: int) -> list[Crossed]:
        """As of `_terms.Model`."""
        n = len(halves[0])
        if n < LEAST_TO_TRAIN:
            raise DataError(
                f"too few samples to train a critic on half: {n}; expected {LEAST_TO_TRAIN} at least"
            )
        n_trained = round(TRAINED_SHARE * n)
        x, y = _stacked(halves, device_named(self.device))
        trains, stops = (x[:, :n_trained], y[:, :n_trained]), (x[:, n_trained:], y[:, n_trained:])
        critic = _trained(trains, stops, seed)
        stopped, of_train = pointwise(critic, *stops), pointwise(critic, *trains)
        read = pointwise(critic, x.flip(0), y.flip(0))
        untold = np.full(n_trained, np.nan)
        return [Crossed(np.concatenate([untold, stopped[k]]), _terms(read[k], of_train[k])) for k in (0, 1)]


def _stacked(halves: Sequence[Samples], device: torch.device) -> Pairs:
    """x and y of both halves, `2 x n x dim`, each column its centred normal scores."""
    x, y = (
        np.stack([centred_scores(side) for side in sides])
        for sides in zip(*((half.x, half.y) for half in halves), strict=True)
    )
    return torch.from_numpy(x).float().to(device), torch.from_numpy(y).float().to(device)


def _trained(trains: Pairs, stops: Pairs, seed: int) -> Critic:
    """The two halves' critics, one stack, each with the weights of its best check."""
    seeds = [seed_of("trained_critic", k, seed) for k in range(len(trains[0]))]
    laws = [_law(x, y) for x, y in zip(*trains, strict=True)]
    trainer = Trainer(Residual(laws, seeds).to(trains[0].device), InfoNCE(), seeds)
    batches = shuffled_batches(*trains, seeds, min(BATCH_SIZE, trains[0].shape[1]))
    best, since_best = BestWeights(trainer), 0
    best.update(trainer.values(*stops))
    while since_best < PATIENCE and trainer.steps_done < MOST_STEPS:
        trainer.fit(batches, CHECK_EVERY)
        since_best = 0 if best.update(trainer.values(*stops)).any() else since_best + 1
    if not best.best.isfinite().all():
        raise DivergedError("no critic that was trained on half the pairs reads a finite value")
    best.restore()
    return trainer.critic


def _law(x: Tensor, y: Tensor) -> Gaussian:
    """The Gaussian of `n` rows, correlations shrunk as Ledoit and Wolf 2004 do, and so never singular.

    A column that hardly varies gets noise up to nearly unit variance, which a continuous column's scores have: its few
    other values are not taken for what a Gaussian has there.
    """
    both = torch.cat([x, y], 1).double().cpu()
    covariance = both.T @ both / len(both)
    variances = covariance.diagonal().diag()
    noise = ((both**2).sum(1).square().mean() - covariance.square().sum()) / len(both)
    share = min(1.0, float(noise / (covariance - variances).square().sum()))
    lifted = (LEAST_VARIANCE - covariance.diagonal()).clamp(min=0).diag()
    return Gaussian((1 - share) * covariance + share * variances + lifted, x.shape[1])


@torch.no_grad()
def pointwise(critic: Critic, x: Tensor, y: Tensor) -> Array:
    """Each pair's f(x, y) - ln mean_j e^f(x, y_j), over blocks of nearly equal size: `R x n`."""
    n_blocks = -(-x.shape[1] // LARGEST_BLOCK)
    read = []
    for block in zip(x.tensor_split(n_blocks, 1), y.tensor_split(n_blocks, 1), strict=True):
        scores = critic(*block).double()
        read.append(positives(scores) - log_mean_exp(scores))
    return torch.cat(read, 1).cpu().numpy()


def _terms(read: Array, of_train: Array) -> Terms:
    nats = float(read.mean())
    doubt = (float(of_train.mean()) - nats) / 4
    error = math.hypot(float(read.std(ddof=1)) / math.sqrt(len(read)), doubt)
    return Terms(nats, read, error, ceiling_nats=math.log(-(-len(read) // -(-len(read) // LARGEST_BLOCK))))
