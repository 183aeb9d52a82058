"""Three folds of features, or of what is known of them: fitted on, tuned on, reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mibounds.errors import DataError, ShapeError

# A unit whose standard deviation is below this share of the others' carries rounding errors alone.
LEAST_SCALE = 1e-5
# A unit that is active on a few rows is not estimated by them: standardised, one row outside can be any number.
LEAST_ROWS = 10


class Folds(NamedTuple):
    """One tensor a fold. A probe is fitted on `train`, tuned on `validation` and read once on `test`."""

    train: Tensor
    validation: Tensor
    test: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> Folds:
        """The same change in each fold."""
        return Folds(*(change(fold) for fold in self))


def require_features(features: Folds) -> Folds:
    """The folds, cut off from the network that made them: a probe must not train its encoder.

    Raises: ShapeError unless each is `R x n x d` with the same R and d, DataError for numbers that are not finite.
    """
    for name, fold in features._asdict().items():
        if fold.ndim != 3 or fold.shape[::2] != features.train.shape[::2] or fold.shape[1] < 2:
            raise ShapeError(
                f"expected features R x n x d with n of 2 or more and the same R and d in each fold; "
                f"got {tuple(fold.shape)} for {name} and {tuple(features.train.shape)} for train"
            )
        if not fold.isfinite().all():
            raise DataError(
                f"features of {name} hold numbers that are not finite; leave out the runs that diverged"
            )
    return features.map(torch.Tensor.detach)


def require_targets(targets: Folds, features: Folds) -> Folds:
    """Targets as `R x n x t` in float64, or `1 x n x t` if all runs share them.

    Raises: ShapeError, and DataError for a target that is constant or not finite.
    """
    targets = targets.map(lambda fold: fold.detach().double())
    targets = targets.map(lambda fold: fold.unsqueeze(0) if fold.ndim == 2 else fold)
    for name, fold, of in zip(Folds._fields, targets, features, strict=True):
        if fold.ndim != 3 or fold.shape[1] != of.shape[1] or fold.shape[0] not in (1, of.shape[0]):
            raise ShapeError(
                f"expected targets n x t or R x n x t for features {tuple(of.shape)}; "
                f"got {tuple(fold.shape)} for {name}"
            )
        if not fold.isfinite().all():
            raise DataError(f"targets of {name} hold numbers that are not finite")
        constant = (fold == fold[:, :1]).all(1).any(0).nonzero()
        if len(constant) and name != "validation":
            raise DataError(
                f"target {int(constant[0])} is constant in {name}; leave it out, or take more rows"
            )
    return targets


def require_labels(labels: Folds, features: Folds) -> tuple[Folds, int]:
    """Class indices as `R x n`, or `1 x n` if all runs share them, and the number of classes.

    Raises: ShapeError, and DataError for labels that are no indices, or a training fold with one class.
    """
    labels = labels.map(lambda fold: fold.unsqueeze(0) if fold.ndim == 1 else fold)
    for name, fold, of in zip(Folds._fields, labels, features, strict=True):
        if fold.ndim != 2 or fold.shape[1] != of.shape[1] or fold.shape[0] not in (1, of.shape[0]):
            raise ShapeError(
                f"expected labels n or R x n for features {tuple(of.shape)}; got {tuple(fold.shape)} for {name}"
            )
        if fold.is_floating_point() or fold.is_complex() or int(fold.min()) < 0:
            raise DataError(
                f"labels of {name} must be class indices 0, 1, ...; got {fold.dtype} from {fold.min()}"
            )
    for of_run in labels.train:
        if (of_run == of_run[0]).all():
            raise DataError(
                f"the label column has one class, {int(of_run[0])}, in the training fold; a probe needs two or more"
            )
    return labels.map(torch.Tensor.long), 1 + max(int(fold.max()) for fold in labels)


def standardisation(train: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """In float64 the mean, the centred rows, and 1 over the standard deviation, or 0 for a feature that is left out.

    Left out is what the rows cannot estimate: of tiny variance beside the run's others, or with its variance in a few
    rows (a ReLU unit that is nearly dead): scaled to variance 1, a row outside the fold could be any number.
    """
    rows = train.double()
    n, mean = rows.shape[1], rows.mean(1, keepdim=True)
    centred = rows - mean
    squares = centred.square()
    variance = squares.mean(1, keepdim=True)
    # n rows of equal share count as n, one row alone as 1
    rows_that_carry = n * variance.square() / squares.square_().mean(1, keepdim=True)
    scale, usual = variance.sqrt(), variance.mean(-1, keepdim=True).sqrt()
    kept = scale > LEAST_SCALE * torch.maximum(usual, mean.abs() / 10)
    kept &= rows_that_carry > min(LEAST_ROWS, n / 10)
    return mean, centred, torch.where(kept, 1 / scale, 0.0)


def standardised(features: Folds) -> Folds:
    """Mean 0 and variance 1 in the training fold, 0 for a feature that is left out, in the features' own precision."""
    mean, _, inverse_scale = standardisation(features.train)
    return features.map(lambda fold: ((fold.double() - mean) * inverse_scale).to(fold))


def accuracy(predicted: Tensor, labels: Tensor) -> Tensor:
    """Share of rows whose class is right: `... x n`, `... x n` -> `...`."""
    return (predicted == labels).double().mean(-1)
