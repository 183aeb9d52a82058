"""The linear probe by maximum likelihood: multinomial logistic regression, its strength chosen on validation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mibounds.errors import DataError, ParameterError
from mibounds.representation.probes.folds import (
    Folds,
    accuracy,
    require_features,
    require_labels,
    standardised,
)
from mibounds.representation.probes.ridge import Classification

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


def logistic_probe(
    features: Folds, labels: Folds, *, strengths: Sequence[float] = STRENGTHS, max_steps: int = 1000
) -> Classification:
    """argmin -sum_i ln p(y_i | x_i) + |W|^2 / (2 C), p a softmax of x W + b; run after run by scikit-learn's L-BFGS.

    Features are standardised, and left out, as `Ridge` does. Slower than that by far; it is what papers report.

    Args:
        features: three folds `R x n x d`.
        labels: three folds of class indices, `R x n` or `n`.
        strengths: values of C to choose from; of equals the smallest is taken, which shrinks most.
        max_steps: of L-BFGS.

    Returns: accuracy, predictions and 1 / C as the penalty.

    Raises: DataError without scikit-learn, or for a label with one class; ShapeError, ParameterError.

    Example:
        >>> x = torch.randn(1, 900, 3, generator=torch.Generator().manual_seed(0))
        >>> folds = Folds(x[:, :300], x[:, 300:600], x[:, 600:])
        >>> logistic_probe(folds, folds.map(lambda fold: (fold[..., 0] > 0).long())).accuracy.item() > 0.95
        True
    """
    if not strengths or not min(strengths) > 0:
        raise ParameterError(f"strengths must be greater than 0; got {tuple(strengths)}")
    features = require_features(features)
    known, _ = require_labels(labels, features)
    scaled = standardised(features)
    fitted = [
        _one_run(
            scaled.map(lambda fold: fold[r].cpu()),  # noqa: B023
            known.map(lambda fold: fold[r if len(fold) > 1 else 0].cpu()),  # noqa: B023
            sorted(strengths),
            max_steps,
        )
        for r in range(len(features.train))
    ]
    predictions, strength = zip(*fitted, strict=True)
    predicted = torch.stack(predictions).to(known.test)
    penalty = 1 / torch.tensor(strength, dtype=torch.float64, device=predicted.device)
    return Classification(accuracy(predicted, known.test), predicted, penalty)


def _one_run(features: Folds, labels: Folds, strengths: list[float], max_steps: int) -> tuple[Tensor, float]:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise DataError(
            "the logistic probe is scikit-learn's: pip install 'mibounds[representation]'"
        ) from error
    x, y = features.map(Tensor.double), labels
    models = [
        LogisticRegression(C=strength, max_iter=max_steps).fit(x.train.numpy(), y.train.numpy())
        for strength in strengths
    ]
    best = max(range(len(models)), key=lambda m: models[m].score(x.validation.numpy(), y.validation.numpy()))
    return torch.from_numpy(models[best].predict(x.test.numpy())), strengths[best]
