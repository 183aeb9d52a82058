"""The linear probe in closed form: ridge regression of numbers or one-hot classes, all runs and penalties at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from mibounds.errors import ParameterError
from mibounds.representation.probes.folds import (
    Folds,
    accuracy,
    require_features,
    require_labels,
    require_targets,
    standardisation,
)

PENALTIES = tuple(10.0**power for power in range(-6, 4))


@dataclass(frozen=True)
class Regression:
    """What a linear map of the features says of numbers, on the test fold.

    Attributes:
        r2_by_target: 1 - error / variance, `R x t`; negative where the mean does better.
        weighted_r2: the same with errors and variances summed over targets, `R`; rotating the targets leaves it.
        penalty: the chosen one, `R`.
        predictions: `R x n x t`.
    """

    r2_by_target: Tensor
    weighted_r2: Tensor
    penalty: Tensor
    predictions: Tensor

    @property
    def r2(self) -> Tensor:
        """Mean over the targets, `R`."""
        return self.r2_by_target.mean(-1)


@dataclass(frozen=True)
class Classification:
    """Accuracy on the test fold, the predicted classes and the chosen penalty: `R`, `R x n`, `R`."""

    accuracy: Tensor
    predictions: Tensor
    penalty: Tensor


class Ridge:
    """argmin_W mean |y - x W|^2 + penalty |W|^2 over standardised features, the penalty chosen on validation.

    Features are standardised by the training fold. Those that its rows cannot estimate count as zero: of tiny
    variance beside the run's others, or with their variance in a few rows (a ReLU unit that is nearly dead).
    One eigendecomposition of the covariance, in float64, serves all targets and all penalties; with more features than
    rows it is that of the rows' inner products.

    Args:
        features: three folds `R x n x d`.
        penalties: to choose from, relative to a feature's variance of 1.

    Raises: ShapeError, DataError, ParameterError.

    Example:
        >>> import torch
        >>> x = torch.randn(2, 300, 5, generator=torch.Generator().manual_seed(0))
        >>> halves = Folds(x[:, :100], x[:, 100:200], x[:, 200:])
        >>> Ridge(halves).regress(halves.map(lambda fold: fold @ torch.ones(5, 2))).r2.round(decimals=3)
        tensor([1., 1.], dtype=torch.float64)
    """

    def __init__(self, features: Folds, penalties: Sequence[float] = PENALTIES):
        if not penalties or not min(penalties) > 0:
            raise ParameterError(f"penalties must be greater than 0; got {tuple(penalties)}")
        self.features = require_features(features)
        self._mean, centred, self._inverse_scale = standardisation(self.features.train)
        self._values, axes = _principal_axes(centred, self._inverse_scale)
        self._axes, self._centred = (
            self._inverse_scale.mT * axes,
            centred,
        )  # R x d x k: features to components
        self.penalties = torch.tensor(sorted(penalties), dtype=torch.float64, device=centred.device)

    def regress(self, targets: Folds) -> Regression:
        """R^2 on the test fold. `targets`: three folds `R x n x t`, or `n x t` for all runs. Raises: DataError."""
        y = require_targets(targets, self.features)
        by_penalty = self._predicted(y.train, self.features.validation)
        errors = (by_penalty - y.validation.unsqueeze(1)).square().sum(2)  # R x penalties x t
        variance = _deviations(y.train).clamp(min=torch.finfo(torch.float64).tiny)
        chosen = (errors / variance.unsqueeze(1)).mean(-1).argmin(1)
        predictions = self._predicted(y.train, self.features.test, chosen).squeeze(1)
        error, total = (predictions - y.test).square().sum(1), _deviations(y.test)
        return Regression(
            1 - error / total, 1 - error.sum(-1) / total.sum(-1), self.penalties[chosen], predictions
        )

    def classify(self, labels: Folds) -> Classification:
        """Accuracy on the test fold of the class with the largest prediction, one-hot classes being the targets.

        `labels`: three folds of class indices `R x n`, or `n` for all runs. Raises: DataError.
        """
        known, n_classes = require_labels(labels, self.features)
        targets = one_hot(known.train, n_classes).double()
        by_penalty = self._predicted(targets, self.features.validation).argmax(-1)
        right = accuracy(by_penalty, known.validation.unsqueeze(1))
        chosen = len(self.penalties) - 1 - right.flip(1).argmax(1)  # of equals the strongest
        predictions = self._predicted(targets, self.features.test, chosen).squeeze(1).argmax(-1)
        return Classification(accuracy(predictions, known.test), predictions, self.penalties[chosen])

    def _predicted(self, targets: Tensor, features: Tensor, chosen: Tensor | None = None) -> Tensor:
        """`R x penalties x n x t` for all penalties, `R x 1 x n x t` for one chosen a run."""
        mean = targets.mean(1, keepdim=True)
        covariance = self._centred.mT @ (targets - mean) / targets.shape[1]  # R x d x t
        penalties = (
            self.penalties.expand(len(self._values), -1) if chosen is None else self.penalties[chosen, None]
        )
        shrunk = (self._values.unsqueeze(1) + penalties.unsqueeze(-1)).unsqueeze(-1)  # R x penalties x k x 1
        in_components = (self._axes.mT @ covariance).unsqueeze(1) / shrunk
        weights = self._axes @ in_components.transpose(1, 2).flatten(2)  # R x d x (penalties t)
        flat = torch.baddbmm(-self._mean @ weights, features.double(), weights)
        return flat.unflatten(2, in_components.shape[1::2]).transpose(1, 2) + mean.unsqueeze(1)


def _principal_axes(centred: Tensor, inverse_scale: Tensor) -> tuple[Tensor, Tensor]:
    """Of standardised features: eigenvalues `R x k` and eigenvectors `R x d x k` of the covariance, k = min(n, d)."""
    n, d = centred.shape[1:]
    if d <= n:
        covariance = inverse_scale.mT * (centred.mT @ centred / n) * inverse_scale
        values, axes = torch.linalg.eigh(covariance)
        return values.clamp(min=0), axes
    rows = centred * inverse_scale
    values, left = torch.linalg.eigh(rows @ rows.mT / n)
    positive = values > 1e-12 * values[:, -1:]
    inverse = torch.where(positive, (n * values.clamp(min=1e-300)).rsqrt(), 0.0)
    return values.clamp(min=0), rows.mT @ left * inverse.unsqueeze(1)


def _deviations(targets: Tensor) -> Tensor:
    """Sum of squares around the mean: `R x n x t` -> `R x t`."""
    return (targets - targets.mean(1, keepdim=True)).square().sum(1)
