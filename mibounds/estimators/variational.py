"""A trained critic, read by a bound: trained, selected and reported on three separate folds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibounds import critics
from mibounds.bounds import Bound
from mibounds.bounds.info_nce import InfoNCE
from mibounds.data import Samples
from mibounds.errors import DivergedError, ParameterError
from mibounds.estimators._bound import bound_named
from mibounds.estimators._chain_rule import by_chain_rule
from mibounds.estimators._cross_fitted import log_ratios
from mibounds.estimators._device import device_named as _device
from mibounds.estimators._folds import Folds, equal_blocks, require_shares, split, standardised
from mibounds.estimators._negatives import Negatives
from mibounds.estimators._reading import Inputs, mean_value, value_and_interval
from mibounds.estimators.base import SATURATED_NATS, Estimate, Estimator
from mibounds.options import made
from mibounds.seeding import seed_of
from mibounds.training import BestWeights, Trainer, shuffled_batches

LARGEST_BLOCK = 4096
LARGEST_SELECTION = 1024
# Of few samples, one wide hidden layer reads more than the two of the published figures: it overfits later.
OPTIONS_HERE: dict[str, dict[str, Any]] = {"separable": {"hidden": (512,), "embedding": 64}}

OVERFITTED_NATS = 0.1

History = dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class Fitted:
    """A trained critic, or the mean of an ensemble, as far as it is read.

    Attributes:
        status: of each critic's training, "ok" or why it ended.
        history: columns by name, an entry a check, the mean over the critics.
        report: what the bound is called with, on equal blocks of the report fold.
        train_nats: the bound's value on as many pairs that trained it.
    """

    status: list[str]
    history: History
    report: list[Inputs]
    train_nats: float


@dataclass(frozen=True)
class Variational(Estimator):
    """A bound's value with a critic trained for it.

    Pairs are split at random into three folds. The critic trains on the first; every `check_every` steps what is
    maximised is computed on the second, and the weights of the best check are kept; the bound is read once, with those
    weights, on the third, taken as one batch (of 4,096 pairs at most; beyond, as equal batches). Columns are
    standardised by the training fold, their tails drawn in by arcsinh. So nothing that is reported has been fitted, and
    a bound that is valid in expectation stays so.

    The interval is of the bound's expectation with this critic. Where bound or critic fall short of the truth, so does
    the interval: for a lower bound its low end is what can be claimed of the MI. An estimate less than a nat under its
    ceiling is called saturated: there even the true density ratio would read about a nat too little, or more.

    Columns of categories enter as columns of 0 and 1. Given z, the chain rule is read: I(x, z; y) - I(z; y), two
    critics on the same folds. A difference of bounds is no bound; its interval is of the difference, pair by pair.

    Args:
        bound: what is trained and read; or its name.
        critic: a critic's file name.
        critic_options: its parameters, such as {"hidden": (256, 256), "embedding": 32}; the separable critic has one
            hidden layer of 512 and an embedding of 64 unless told otherwise.
        batch_size: pairs in a training batch; lowered, with a warning, to the training fold.
        max_steps: of training.
        check_every: steps between two checks on the selection fold.
        patience: checks without a better value after which training stops.
        learning_rate: of Adam.
        folds: shares of the pairs that train, select and report; at least 32 pairs in each.
        ensemble: critics, from as many seeds, that train at once on the same fold, each kept at its own best check;
            what is read is the mean of their scores. That is a critic too, and InfoNCE, NWJ and Donsker-Varadhan,
            concave in the scores, read no less from it than its members do on average.
        device: "auto" (CUDA if there is a device, else the CPU) or a torch device's name.

    Raises: ParameterError for a value outside its domain, or a bound that cannot be trained; DataError if a fold would
        hold fewer than 32 pairs; DivergedError if training left nothing finite to report.

    Example:
        >>> from mibounds.distributions.gaussian import Gaussian
        >>> samples = Samples(*(side.numpy() for side in Gaussian.from_correlation(1, 0.9).sample(500, seed=0)))
        >>> Variational(max_steps=100).estimate(samples, seed=0, confidence=0.95).folds
        {'train': 300, 'select': 100, 'report': 100}
    """

    bound: Bound = field(default_factory=InfoNCE)
    critic: str = "separable"
    critic_options: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 128
    max_steps: int = 3000
    check_every: int = 25
    patience: int = 10
    learning_rate: float = 5e-4
    folds: tuple[float, float, float] = (0.6, 0.2, 0.2)
    ensemble: int = 1
    device: str = "auto"

    name = "variational"
    conditional = True
    categories = "one-hot"
    far_out_from = 1000.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "bound", bound_named(self.bound))
        require_shares(self.folds)
        self.require_counts(batch_size=2, max_steps=1, check_every=1, patience=1, ensemble=1)
        if not 0 < self.learning_rate < math.inf:
            raise ParameterError(f"learning_rate must be greater than 0 and finite; got {self.learning_rate}")
        if not self.bound.trainable:
            raise ParameterError(
                f"{self.bound.name} is an {self.bound.direction} bound that takes conditional log-densities, "
                "which samples alone do not give; choose a bound that is trained, such as info_nce"
            )
        critics.load(self.critic)
        if self.critic == "optimal":
            raise ParameterError(
                "the optimal critic needs a known law; choose one that is trained, such as separable"
            )

    def estimate(self, samples: Samples, seed: int, confidence: float) -> Estimate:
        folds = split(len(samples), self.folds, seed)
        if samples.z is not None:
            return by_chain_rule(self, samples, folds, seed, confidence)
        fitted = self.fit(samples.x, samples.y, folds, seed)
        nats, interval = value_and_interval(self.bound, fitted.report, confidence)
        if not math.isfinite(nats):
            raise DivergedError(
                f"{self.bound.name} is not finite on the report fold; look for extreme values in the data"
            )
        ceiling = self.bound.ceiling(len(fitted.report[0][0]))
        return Estimate(
            nats=nats,
            interval=interval,
            method=self.bound.name,
            direction=self.bound.direction,
            validity=self.bound.validity,
            ceiling_nats=ceiling,
            saturated=nats > ceiling - SATURATED_NATS,
            folds=folds.sizes(),
            confidence=confidence,
            warnings=(*self.of_training(fitted, nats, interval, folds), *self._of_value(nats)),
            history=fitted.history,
        )

    def pointwise_nats(self, samples: Samples, seed: int) -> NDArray[np.float64]:
        """Each pair's f(x, y) - ln mean_j e^f(x, y_j) by a critic that saw nothing of its part, over the part's y_j.

        What training leaves open, any c(x) in a critic, falls out. The pair itself is among the candidates, as in
        InfoNCE: the mean over a part is InfoNCE's value there, a bound in expectation whatever the critic was trained
        on, and no value passes ln of the part's pairs. See `_cross_fitted`.
        """
        if samples.z is None:
            return log_ratios(self, samples.x, samples.y, seed)
        whole, of_z = (log_ratios(self, part.x, part.y, seed) for part in samples.chain_rule_parts())
        return whole - of_z

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64], folds: Folds, seed: int) -> Fitted:
        """A critic trained and selected on two folds, and what it makes of the third."""
        of_x, of_y = (standardised(side, folds.train).to(self.torch_device) for side in (x, y))
        trainer, history = self.train(of_x, of_y, folds, seed)
        with torch.no_grad():
            report = self._mean_inputs(trainer, of_x, of_y, folds.report)
            again = self._mean_inputs(trainer, of_x, of_y, folds.train[: len(report[0][0])])
            return Fitted(list(trainer.status), history, report, mean_value(self.bound, again))

    @property
    def torch_device(self) -> torch.device:
        """The device that `device` names."""
        return _device(self.device)

    def train(self, x: Tensor, y: Tensor, folds: Folds, seed: int) -> tuple[Trainer, History]:
        """A trainer with the best weights in it, and what its checks read; x, y `n x dim`, all rows, standardised."""
        trainer = self._trainer(x.shape[1], y.shape[1], seed, x.device)
        return trainer, self._fit(trainer, x, y, folds, seed)

    def _trainer(self, dim_x: int, dim_y: int, seed: int, device: torch.device) -> Trainer:
        seeds = self._seeds("weights", seed)
        options = {**OPTIONS_HERE.get(self.critic, {}), **self.critic_options}
        critic = made("critic", critics.load(self.critic), options, dim_x, dim_y, seeds).to(device)
        return Trainer(critic, self.bound, seeds, learning_rate=self.learning_rate)

    def _seeds(self, purpose: str, seed: int) -> list[int]:
        """One a critic; of the first those of a critic alone."""
        return [seed_of(purpose, *([k] if k else []), seed) for k in range(self.ensemble)]

    def _fit(self, trainer: Trainer, x: Tensor, y: Tensor, folds: Folds, seed: int) -> History:
        """Trains until the selection fold stops improving, and leaves each critic's best weights in `trainer`."""
        batch_size = min(self.batch_size, len(folds.train))
        of_x, of_y = (self._shared(side[folds.train]) for side in (x, y))
        batches = shuffled_batches(of_x, of_y, self._seeds("batches", seed), batch_size)
        best, checks, since_best = BestWeights(trainer), [], 0
        while trainer.steps_done < self.max_steps and since_best < self.patience:
            values = trainer.fit(batches, min(self.check_every, self.max_steps - trainer.steps_done))
            if "ok" not in trainer.status:
                break
            with torch.no_grad():
                select = [*self._inputs(trainer, x, y, folds.select, LARGEST_SELECTION)]
                of_blocks = [[self.bound.objective(*inputs) for inputs in block] for block in select]
                maximised = torch.stack([torch.stack(block) for block in of_blocks]).mean(0)
            read = mean_value(self.bound, [*chain.from_iterable(select)])
            checks.append((trainer.steps_done, values.mean().item(), read, maximised.mean().item()))
            since_best = 0 if best.update(maximised).any() else since_best + 1
        if not best.best.isfinite().all():
            ended = next((said for said in trainer.status if said != "ok"), "ok")
            raise DivergedError(
                f"training {self.bound.name} found no finite value to select by ({ended}); lower "
                f"learning_rate (it was {self.learning_rate}) or look for extreme values in the data"
            )
        best.restore()
        columns = ("step", "train_nats", "select_nats", "select_objective_nats")
        return dict(zip(columns, zip(*checks, strict=True), strict=True))

    def _shared(self, side: Tensor) -> Tensor:
        """The same `n x dim` for each critic: `R x n x dim`, no copy."""
        return side.expand(self.ensemble, *side.shape)

    def _inputs(
        self, trainer: Trainer, x: Tensor, y: Tensor, fold: Tensor, at_most: int
    ) -> Iterator[list[Inputs]]:
        """What each critic's bound is called with, on equal blocks of a fold."""
        for block in equal_blocks(len(fold), at_most):
            rows = fold[block]
            yield trainer.inputs(self._shared(x[rows]), self._shared(y[rows]))

    def _mean_inputs(self, trainer: Trainer, x: Tensor, y: Tensor, fold: Tensor) -> list[Inputs]:
        """What the bound is called with for the mean of the critics, on equal blocks of a fold."""
        blocks = self._inputs(trainer, x, y, fold, LARGEST_BLOCK)
        return [tuple(torch.stack(each).mean(0) for each in zip(*block, strict=True)) for block in blocks]

    def of_training(
        self, fitted: Fitted, nats: float, interval: tuple[float, float], folds: Folds
    ) -> Iterator[str]:
        """Warnings of what training did, beside the value on the report fold, and of what that rests on."""
        if ended := [said for said in fitted.status if said != "ok"]:
            yield f"training {ended[0]}; the weights of the best check before are reported"
        elif fitted.history["step"][-1] >= self.max_steps:
            yield f"training was stopped at max_steps = {self.max_steps} before it settled; more may raise the value"
        if len(folds.train) < self.batch_size:
            yield f"batch_size was lowered from {self.batch_size} to the {len(folds.train)} pairs that train"
        if fitted.train_nats - nats > max(OVERFITTED_NATS, interval[1] - nats):
            yield (
                f"the critic reads {fitted.train_nats:.3f} nats on pairs that trained it and {nats:.3f} on others: it "
                "overfits, and more samples would raise the estimate"
            )
        if few := Negatives.of(self.bound, fitted.report).warning():
            yield few

    def _of_value(self, nats: float) -> Iterator[str]:
        if nats < 0:
            yield (
                "the estimate is negative, which no mutual information is: a bound may be, where the critic found "
                "nothing that holds on other pairs. Read it as: nothing was found"
            )
        if self.bound.validity == "plug-in":
            yield (
                f"{self.bound.name} is a bound in the limit of many pairs; on a finite fold its expectation may lie "
                "above the truth, the more so the higher that is"
            )
        if self.bound.direction == "none":
            yield f"{self.bound.name} is no bound: it is as good as its critic, and may lie on either side"
