"""The nonlinear probe: a perceptron with one hidden layer on frozen features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn.functional import cross_entropy

from mibounds.errors import ShapeError
from mibounds.representation.probes import _early_stopping
from mibounds.representation.probes.folds import (
    Folds,
    accuracy,
    require_features,
    require_labels,
    require_targets,
    standardised,
)
from mibounds.seeding import generator, seed_of
from mibounds.stacked import StackedMLP

DEFAULTS: dict[str, Any] = {
    "learning_rate": 3e-3,
    "batch_size": 256,
    "max_steps": 2000,
    "check_every": 20,
    "patience": 10,
}


def nonlinear_probe(
    features: Folds, labels: Folds, seeds: Sequence[int], *, hidden: int = 128, **training: Any
) -> Tensor:
    """Accuracy on the test fold of a perceptron with one hidden layer, `R`.

    Adam on the cross-entropy, stopped where the validation loss is least, each run on its own.

    Args:
        features: three folds `R x n x d`, standardised as `Ridge` does.
        labels: three folds of class indices, `R x n` or `n`.
        seeds: one a run, of weights and batches.
        hidden: width.
        training: learning_rate, batch_size, max_steps, check_every, patience.

    Raises: ShapeError, DataError, ParameterError.

    Example:
        >>> import torch
        >>> x = torch.randn(1, 600, 2, generator=torch.Generator().manual_seed(0))
        >>> folds = Folds(x[:, :300], x[:, 300:400], x[:, 400:])
        >>> exclusive_or = folds.map(lambda fold: (fold.prod(-1) > 0).long())
        >>> nonlinear_probe(folds, exclusive_or, seeds=[0]).item() > 0.9
        True
    """
    features = require_features(features)
    known, n_classes = require_labels(labels, features)
    model, inputs = _model(features, n_classes, hidden, seeds)
    known = known.map(lambda fold: fold.expand(len(seeds), -1))
    _early_stopping.fit(model, inputs, known, class_loss, seeds, **(DEFAULTS | training))
    return accuracy(_early_stopping.outputs(model, inputs.test).argmax(-1), known.test)


def nonlinear_regression(
    features: Folds, targets: Folds, seeds: Sequence[int], *, hidden: int = 128, **training: Any
) -> Tensor:
    """R^2 on the test fold of the same perceptron for numbers, the mean over `n x t` or `R x n x t` targets: `R`."""
    features = require_features(features)
    y = require_targets(targets, features)
    mean, scale = y.train.mean(1, keepdim=True), y.train.std(1, keepdim=True)
    model, inputs = _model(features, y.train.shape[-1], hidden, seeds)
    scaled = y.map(lambda fold: ((fold - mean) / scale).to(inputs.train).expand(len(seeds), -1, -1))
    _early_stopping.fit(model, inputs, scaled, _squared_error, seeds, **(DEFAULTS | training))
    predicted = _early_stopping.outputs(model, inputs.test).double() * scale + mean
    error, total = ((y.test - of).square().sum(1) for of in (predicted, y.test.mean(1, keepdim=True)))
    return (1 - error / total).mean(-1)


def _model(features: Folds, dim_out: int, hidden: int, seeds: Sequence[int]) -> tuple[StackedMLP, Folds]:
    runs, _, dim = features.train.shape
    if len(seeds) != runs:
        raise ShapeError(f"expected a seed for each of {runs} runs; got {len(seeds)}")
    generators = [generator(seed_of("probe weights", seed)) for seed in seeds]
    inputs = standardised(features)
    return StackedMLP(dim, (hidden,), dim_out, generators).to(inputs.train), inputs


def class_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy, `R x n x classes` and `R x n` -> `R`."""
    return cross_entropy(scores.mT, labels, reduction="none").mean(1)


def _squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().mean((1, 2))
