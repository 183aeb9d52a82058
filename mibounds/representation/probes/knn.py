"""The k-nearest-neighbours probe: the classes of the nearest training rows vote, weighted by their cosine."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds.errors import ParameterError
from mibounds.representation.probes.folds import Folds, accuracy, require_features, require_labels

SCORES_AT_ONCE = 2**23


def knn_probe(
    features: Folds, labels: Folds, *, k: int = 200, temperature: float = 0.1, rows_at_once: int | None = None
) -> Tensor:
    """Accuracy on the test fold of argmax_c sum_(j among the k nearest) [y_j = c] e^(cos_j / temperature), `R`.

    Nothing is tuned, so the validation fold is left alone. Test rows go through in chunks; votes are summed by class
    into `rows x classes`, without a one-hot vector a neighbour.

    Args:
        features: three folds `R x n x d`.
        labels: three folds of class indices, `R x n` or `n`.
        k: neighbours; all training rows where there are fewer.
        temperature: of the votes' weights.
        rows_at_once: test rows a chunk; by default what fits in some 30 MB.

    Raises: ParameterError, ShapeError, DataError.

    References: Wu et al. 2018, arXiv:1805.01978, section 3.4 (k = 200).

    Example:
        >>> x = torch.eye(4).repeat(1, 8, 1)
        >>> labels = torch.arange(4).repeat(8)
        >>> knn_probe(Folds(x, x, x), Folds(labels, labels, labels), k=3)
        tensor([1.], dtype=torch.float64)
    """
    if k < 1 or not temperature > 0:
        raise ParameterError(
            f"expected k of 1 or more and temperature greater than 0; got {k} and {temperature}"
        )
    features = require_features(features)
    known, n_classes = require_labels(labels, features)
    train, _, test = features.map(lambda fold: normalize(fold, dim=-1))
    runs, n, _ = train.shape
    step = rows_at_once or max(1, SCORES_AT_ONCE // (runs * n))
    of_train = known.train.expand(runs, -1)
    predicted = [
        _vote(chunk, train, of_train, n_classes, min(k, n), temperature) for chunk in test.split(step, 1)
    ]
    return accuracy(torch.cat(predicted, dim=1), known.test)


def _vote(rows: Tensor, train: Tensor, labels: Tensor, n_classes: int, k: int, temperature: float) -> Tensor:
    """The winning class of each row, `R x m`."""
    cosines, nearest = (rows @ train.mT).topk(k, dim=-1)
    of_neighbours = labels.unsqueeze(1).expand(-1, rows.shape[1], -1).gather(2, nearest)
    # the largest weight of a row is 1: other scales would win nothing and could overflow
    weights = ((cosines - cosines[..., :1]) / temperature).exp()
    votes = weights.new_zeros(*rows.shape[:2], n_classes)
    return votes.scatter_add_(2, of_neighbours, weights).argmax(-1)
