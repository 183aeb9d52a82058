"""A trained critic, read by a bound: trained, selected and reported on three separate folds."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mibounds import critics
from mibounds.bounds import Bound
from mibounds.bounds.info_nce import InfoNCE
from mibounds.critics import Critic
from mibounds.data import Samples
from mibounds.errors import DivergedError, ParameterError
from mibounds.estimators._folds import equal_blocks, require_shares, split, standardised
from mibounds.estimators._reading import mean_value, value_and_interval
from mibounds.estimators.base import Estimate, Estimator
from mibounds.seeding import seed_of
from mibounds.training import BestWeights, Trainer, shuffled_batches

LARGEST_BLOCK = 4096


@dataclass(frozen=True)
class Variational(Estimator):
    """A bound's value with a critic trained for it.

    Pairs are split at random into three folds. The critic trains on the first; every `check_every` steps what is
    maximised is computed on the second, and the weights of the best check are kept; the bound is read once, with those
    weights, on the third, taken as one batch (of 4,096 pairs at most; beyond, as equal batches). Columns are
    standardised by the training fold. So nothing that is reported has been fitted, and a bound that is valid in
    expectation stays so.

    The interval is of the bound's expectation with this critic. Where bound or critic fall short of the truth, so does
    the interval: for a lower bound its low end is what can be claimed of the MI.

    Args:
        bound: what is trained and read.
        critic: a critic's file name.
        critic_options: its parameters, such as {"hidden": (256, 256), "temperature": 0.1}.
        batch_size: pairs in a training batch; at most the training fold.
        max_steps: of training.
        check_every: steps between two checks on the selection fold.
        patience: checks without a better value after which training stops.
        learning_rate: of Adam.
        folds: shares of the pairs that train, select and report; at least 32 pairs in each.
        device: "auto" (CUDA if there is a device, else the CPU) or a torch device's name.

    Raises: ParameterError for a value outside its domain, or a bound that cannot be trained.
    """

    bound: Bound = InfoNCE()
    critic: str = "separable"
    critic_options: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 128
    max_steps: int = 3000
    check_every: int = 25
    patience: int = 10
    learning_rate: float = 5e-4
    folds: tuple[float, float, float] = (0.6, 0.2, 0.2)
    device: str = "auto"

    name = "variational"

    def __post_init__(self) -> None:
        require_shares(self.folds)

    def estimate(self, samples: Samples, seed: int, confidence: float) -> Estimate:
        folds = split(len(samples), self.folds, seed)
        device = "cpu"
        x, y = (standardised(side, folds.train).to(device) for side in (samples.x, samples.y))
        trainer = self._trainer(x.shape[1], y.shape[1], seed, device)
        best = BestWeights(trainer)
        batches = shuffled_batches(x[None, folds.train], y[None, folds.train], [seed_of("batches", seed)], self.batch_size)
        checks, since_best = [], 0
        self_block = max(self.batch_size, SELECT)
        while trainer.steps_done < self.max_steps and since_best < self.patience:
            values = trainer.fit(batches, self.check_every)
            if trainer.status != ["ok"]: break
            sel = self._inputs(trainer, x[folds.select], y[folds.select], self_block)
            ob = torch.stack([self.bound.objective(*i) for i in sel]).mean()
            checks.append((trainer.steps_done, values.mean().item(), mean_value(self.bound, sel), ob.item()))
            since_best = 0 if best.update(ob.reshape(1))[0] else since_best + 1
        best.restore()
        rep = self._inputs(trainer, x[folds.report], y[folds.report])
        value, interval = value_and_interval(self.bound, rep, confidence)
        m = len(folds.report)
        tr = mean_value(self.bound, self._inputs(trainer, x[folds.train][:m], y[folds.train][:m]))
        return Estimate(value, interval, self.bound.name, self.bound.direction, self.bound.validity, self.bound.ceiling(rep[0][0].shape[-1]), False,
          folds.sizes(), confidence, (f"train {tr:.3f}",), {"step": [c[0] for c in checks], "train_nats": [c[1] for c in checks], "select_nats": [c[2] for c in checks]})

    def _trainer(self, dim_x, dim_y, seed, device):
        critic = critics.load(self.critic)(dim_x, dim_y, [seed_of("weights", seed)], **self.critic_options)
        return Trainer(critic, self.bound, [seed_of("weights", seed)], learning_rate=self.learning_rate)

    def _inputs(self, trainer, x, y, at_most=LARGEST_BLOCK):
        return [trainer.inputs(0, x[None, b], y[None, b]) for b in equal_blocks(len(x), at_most)]

SELECT=1
