"""Columns made normal one by one: increasing maps, fitted on the training fold, that leave the information as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibounds.estimators._folds import Scale

Array: TypeAlias = NDArray[np.float64]

MOST_KNOTS = 33
ROWS_BEYOND = 10  # of the fitted rows, above the highest knot and below the lowest


@dataclass(frozen=True)
class NormalScores:
    """Each column's quantiles moved to those of a standard normal: a monotone cubic between knots, a line beyond.

    Knots are few, so that the map is smooth: one through every value would make the fitted rows evenly spaced, and the
    others not. A column with ties has a knot for each value that is a quantile.
    """

    scale: Scale
    knots: tuple[tuple[Array, Array], ...]

    @classmethod
    def fitted(cls, values: Array) -> NormalScores:
        """From rows `n x dim`, which should be those of the training fold alone."""
        scale = Scale.fitted(values)
        return cls(scale, tuple(_knots(column) for column in scale(values).T))

    def __call__(self, values: Array) -> Tensor:
        """`n x dim` -> `n x dim`, float32."""
        columns = zip(self.scale(values).T, self.knots, strict=True)
        return torch.from_numpy(np.stack([_map(v, *knots)[0] for v, knots in columns], axis=1)).float()

    def log_slope(self, values: Array) -> Tensor:
        """ln of the map's derivative, summed over columns: `n x dim` -> `n`. What a density pays for other units."""
        columns = zip(self.scale(values).T, self.knots, strict=True)
        slopes = np.stack([_map(v, *knots)[1] for v, knots in columns], axis=1)
        return torch.from_numpy((np.log(slopes) + self.scale.log_slope(values)).sum(axis=1)).float()


def _knots(column: Array) -> tuple[Array, Array]:
    """Places in the column, ascending, and the normal scores that they go to."""
    from scipy.special import ndtr, ndtri

    reach = float(ndtri(1 - ROWS_BEYOND / max(len(column), 4 * ROWS_BEYOND)))
    scores = np.linspace(-reach, reach, MOST_KNOTS)
    places, group = np.unique(np.quantile(column, ndtr(scores)), return_inverse=True)
    if len(places) == 1:
        places, scores, group = places[0] + np.array([-1.0, 1.0]), np.array([-1.0, 1.0]), np.arange(2)
    return places, np.bincount(group, scores) / np.bincount(group)


def _map(column: Array, places: Array, scores: Array) -> tuple[Array, Array]:
    """Values and slopes of the interpolation."""
    from scipy.interpolate import PchipInterpolator

    inside = PchipInterpolator(places, scores)
    nearest = np.clip(column, places[0], places[-1])
    secants = np.diff(scores) / np.diff(places)
    beyond = np.where(column < places[0], secants[0], secants[-1])
    slope = np.where(column == nearest, np.maximum(inside(nearest, 1), np.finfo(float).tiny), beyond)
    return inside(nearest) + beyond * (column - nearest), slope
