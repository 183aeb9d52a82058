"""A trained critic among the models of `auto`: what a network adds to a Gaussian copula's log density ratio."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, partial
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
from mibounds.estimators._crosswise import Crossed, Halves, Integers
from mibounds.estimators._device import device_named
from mibounds.estimators._ranks import CentredScores
from mibounds.estimators._shrinkage import noise_of_rigid, shrunk_covariance
from mibounds.estimators._terms import Array, Terms
from mibounds.numerics import log_mean_exp, positives
from mibounds.seeding import generator, seed_of
from mibounds.training import BestWeights, Trainer, shuffled_batches

LEAST_TO_TRAIN = 160
TRAINED_SHARE = 0.8
BATCH_SIZE, CHECK_EVERY, PATIENCE, MOST_STEPS = 256, 25, 8, 2000
HIDDEN, EMBEDDING = (512,), 64
LARGEST_BLOCK = 2048
SMALL_START = 0.1
N_PARTS = 5

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


class TrainedCritic:
    """Critics of some pairs, trained as InfoNCE on four fifths of their pairs and stopped by the last fifth.

    Two train on a half each and choose by its last fifth. What is read is cross-fitted: five more, each trained on four
    fifths of all pairs, read the others, as InfoNCE on blocks of at most 2,048 pairs: a lower bound in expectation,
    whatever was learned. A critic reads too much on pairs that trained it and too little on others; a quarter of the
    difference is added to the standard error, so that a 95% interval reaches the middle.

    Columns are what places among the pairs that train say, equal values sharing their mean place.
    """

    name: ClassVar[str] = "trained_critic"

    def __init__(self, samples: Samples, seed: int, device: str = "auto"):
        self.columns, self.dim_x = np.hstack([samples.x, samples.y]), samples.x.shape[1]
        self.seed, self.device = seed, device_named(device)

    def both_ways(self, rows: Halves, seed: int) -> list[Crossed]:
        """As of `_crosswise.Model`."""
        if len(rows[0]) < LEAST_TO_TRAIN:
            raise DataError(
                f"too few samples to train a critic on half: {len(rows[0])}; expected at least {LEAST_TO_TRAIN}"
            )
        halves = torch.from_numpy(np.stack(rows))
        read, train, stop = self._trained(halves, seed)
        stopped, untold = read(stop), np.full(train.shape[1], np.nan)
        return [
            Crossed(np.concatenate([untold, stopped[k]]), partial(self._terms, rows[1 - k])) for k in (0, 1)
        ]

    @cached_property
    def cross_fitted(self) -> tuple[Array, float]:
        """What each pair is read as by a critic that did not train on it, `n`; and the mean on pairs that did."""
        n = len(self.columns)
        m = -(-n // N_PARTS)
        order = torch.randperm(n, generator=generator(seed_of("parts", self.seed)))
        turned = torch.stack([order.roll(-k * m) for k in range(N_PARTS)])  # the last part wraps round
        read, train, _ = self._trained(turned[:, m:], self.seed)
        nats = np.empty(n)
        nats[turned[:, :m].numpy()] = read(turned[:, :m])
        return nats, float(read(train).mean())

    def _trained(self, rows: Tensor, seed: int) -> tuple[Callable[[Tensor], Array], Tensor, Tensor]:
        """What critics of `R x n` rows, one of each, read of `R x m`; and those of the rows that trained and stopped.

        Scores are of the places among the pairs that trained.
        """
        n_trained = round(TRAINED_SHARE * rows.shape[1])
        train, stop = rows[:, :n_trained], rows[:, n_trained:]
        scores = [CentredScores.fitted(self.columns[own]) for own in train.numpy()]

        def at(rows: Tensor) -> Pairs:
            each = [of_run(self.columns[own]) for of_run, own in zip(scores, rows.numpy(), strict=True)]
            both = torch.from_numpy(np.stack(each)).float().to(self.device)
            return both[..., : self.dim_x], both[..., self.dim_x :]

        critic = _trained(at(train), at(stop), seed)
        return (lambda rows: pointwise(critic, *at(rows))), train, stop

    def _terms(self, rows: Integers) -> Terms:
        read, of_train = self.cross_fitted[0][rows], self.cross_fitted[1]
        nats = float(read.mean())
        chance = float(read.std(ddof=1)) / math.sqrt(len(read))
        ceiling = math.log(_largest_block(-(-len(self.columns) // N_PARTS)))
        return Terms(nats, read, chance, doubt=(of_train - nats) / 4, ceiling_nats=ceiling)


def _trained(trains: Pairs, stops: Pairs, seed: int) -> Critic:
    """R critics, one stack, each with the weights of its best check."""
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
        raise DivergedError("no critic that was trained reads a finite value")
    best.restore()
    return trainer.critic


def _law(x: Tensor, y: Tensor) -> Gaussian:
    """The Gaussian of `n` rows, of `shrunk_covariance` and `noise_of_rigid`, and so never singular."""
    both = torch.cat([x, y], 1).double().cpu().numpy()
    return Gaussian(torch.from_numpy(shrunk_covariance(both) + noise_of_rigid(both)), x.shape[1])


@torch.no_grad()
def pointwise(critic: Critic, x: Tensor, y: Tensor) -> Array:
    """Each pair's f(x, y) - ln mean_j e^f(x, y_j), over blocks of nearly equal size: `R x n`."""
    n_blocks = -(-x.shape[1] // LARGEST_BLOCK)
    read = []
    for block in zip(x.tensor_split(n_blocks, 1), y.tensor_split(n_blocks, 1), strict=True):
        scores = critic(*block).double()
        read.append(positives(scores) - log_mean_exp(scores))
    return torch.cat(read, 1).cpu().numpy()


def _largest_block(n: int) -> int:
    return -(-n // -(-n // LARGEST_BLOCK))
