"""Estimates that are means over a fold which neither fitted nor selected the model that they come from."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from mibounds.data import Samples
from mibounds.errors import DivergedError, ParameterError
from mibounds.estimators._folds import Folds, require_shares, split
from mibounds.estimators._normal_scores import NormalScores
from mibounds.estimators.base import Direction, Estimate, Estimator
from mibounds.seeding import generator, seed_of
from mibounds.statistics import mean_interval

ROWS_AT_ONCE = 4096
OVERFITTED_NATS = 0.1

History = dict[str, tuple[float, ...]]


class Ratio(Protocol):
    """What a fitted model says of a pair."""

    def log_density_ratio(self, x: Tensor, y: Tensor, source: torch.Generator) -> Tensor:
        """What each pair adds to the estimate: `n x dim_x`, `n x dim_y` -> `n` nats."""


@dataclass(frozen=True)
class Pairs:
    """All pairs with columns as normal scores, `n x dim_x` and `n x dim_y`, and which fold each belongs to."""

    x: Tensor
    y: Tensor
    folds: Folds

    @property
    def train(self) -> tuple[Tensor, Tensor]:
        return self.x[self.folds.train], self.y[self.folds.train]

    @property
    def select(self) -> tuple[Tensor, Tensor]:
        return self.x[self.folds.select], self.y[self.folds.select]

    @property
    def report(self) -> tuple[Tensor, Tensor]:
        return self.x[self.folds.report], self.y[self.folds.report]


@dataclass(frozen=True, kw_only=True)
class HeldOut(Estimator):
    """Base of estimators that fit a model to one fold, select on a second and average over the third.

    The interval is Student's of that average: of what this model reads of new pairs, which is the information where
    the model is right.

    Args:
        folds: shares of the pairs that train, select and report; at least 32 pairs in each.
    """

    folds: tuple[float, float, float] = (0.6, 0.2, 0.2)

    far_out_from = 1000.0  # by then arcsinh and a few knots no longer reach the others
    direction: ClassVar[Direction] = "none"
    validity: ClassVar[str] = "none"

    def __post_init__(self) -> None:
        require_shares(self.folds)

    @abstractmethod
    def fitted(self, pairs: Pairs, seed: int) -> tuple[Ratio, History]:
        """The model that trained and was selected, and what was seen on the way."""

    def estimate(self, samples: Samples, seed: int, confidence: float) -> Estimate:
        pairs = self.pairs(samples, seed)
        model, history = self.fitted(pairs, seed)
        values = self.pointwise(model, *pairs.report, seed)
        x, y = pairs.train
        again = self.pointwise(model, x[: len(values)], y[: len(values)], seed)
        nats, low, high = mean_interval(values.double().cpu().numpy(), confidence)
        warnings = (*self.of_fit(history), *self.of_value(nats, high, again.mean().item()))
        return self.result(nats, (low, high), pairs, confidence, warnings, history)

    def pairs(self, samples: Samples, seed: int) -> Pairs:
        folds = split(len(samples), self.folds, seed)
        train = folds.train.numpy()
        x, y = (NormalScores.fitted(side[train])(side) for side in (samples.x, samples.y))
        return Pairs(x, y, folds)

    @torch.no_grad()
    def pointwise(self, model: Ratio, x: Tensor, y: Tensor, seed: int) -> Tensor:
        """What each pair adds to the estimate, computed some rows at a time: `n` nats."""
        source = generator(seed_of("report", seed), x.device)
        parts = zip(x.split(ROWS_AT_ONCE), y.split(ROWS_AT_ONCE), strict=True)
        return torch.cat([model.log_density_ratio(*part, source) for part in parts])

    def of_fit(self, history: History) -> Iterator[str]:
        """Warnings of how the fit ended."""
        yield from ()

    def of_value(self, nats: float, high: float, train_nats: float) -> Iterator[str]:
        """Warnings of what was read from the report fold, and from pairs that trained."""
        if train_nats - nats > max(OVERFITTED_NATS, high - nats):
            yield (
                f"the model reads {train_nats:.3f} nats on pairs that trained it and {nats:.3f} on others: it "
                "overfits, and more samples would move the estimate"
            )
        if nats < 0:
            yield (
                "the estimate is negative, which no mutual information is: the model found nothing that holds on "
                "other pairs"
            )

    def result(
        self,
        nats: float,
        interval: tuple[float, float],
        pairs: Pairs,
        confidence: float,
        warnings: tuple[str, ...],
        history: History,
    ) -> Estimate:
        if not math.isfinite(nats):
            raise DivergedError(
                f"{self.name} is not finite on the report fold; look for extreme values in the data"
            )
        return Estimate(
            nats=nats,
            interval=interval,
            method=self.name,
            direction=self.direction,
            validity=self.validity,
            ceiling_nats=math.inf,
            saturated=False,
            folds=pairs.folds.sizes(),
            confidence=confidence,
            warnings=(*warnings, *_beyond(nats, len(pairs.folds.report))),
            history=history,
        )

    def require_widths(self, name: str) -> None:
        """Raises ParameterError unless the parameter holds whole numbers, at least 1, of layers from first to last."""
        widths = getattr(self, name)
        if isinstance(widths, str) or not all(isinstance(w, Integral) and int(w) >= 1 for w in widths):
            raise ParameterError(f"{name} must be widths of layers, such as (64, 64); got {widths!r}")


def _beyond(nats: float, n_report: int) -> Iterator[str]:
    """A warning of more than so many pairs can bear out, whatever the model."""
    if nats > math.log(n_report):
        yield (
            f"the estimate is more than ln of the {n_report:,} pairs that it was read from, "
            f"{math.log(n_report):.2f} nats: as much rests on the model alone, and the truth may be infinite"
        )
