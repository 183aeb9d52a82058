"""Which side holds classes, where one does beside numbers."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeAlias

import numpy as np

from mibounds.data import Samples
from mibounds.errors import DataError, ParameterError
from mibounds.estimators._boxes import Array
from mibounds.estimators._counts import Labels, labels

PAIRS_A_CLASS = 20

Flags: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]


def require_side(discrete: str) -> None:
    """Raises ParameterError for another side than there is."""
    if discrete not in ("auto", "x", "y"):
        raise ParameterError(f"discrete must be auto, x or y; got {discrete!r}")


def classes_and_numbers(samples: Samples, discrete: str, name: str) -> tuple[Labels, Array]:
    """The labels of one side's rows, `n`, and the other side's columns, `n x dim`, for the estimator `name`.

    Raises: DataError if the other side holds categories, or the discrete one never repeats.
    """
    side = _side(samples) if discrete == "auto" else discrete
    of_classes, numbers = (samples.x, samples.y) if side == "x" else (samples.y, samples.x)
    if samples.categories_y if side == "x" else samples.categories_x:
        raise DataError(f"{name} takes one side of numbers, and both hold categories; take discrete or mixed")
    classes = labels(of_classes)
    if not has_company(classes).any():
        raise DataError(
            f"{side} never repeats, so that it has no classes; expected a discrete side: take ksg for two "
            "continuous ones"
        )
    return classes, numbers


def beside_classes(samples: Samples) -> Samples | None:
    """The columns of numbers as x and the classes beside them as y, if one side, and not the other, holds classes.

    A side holds them if it is categories, or takes each of its values in 20 pairs on the mean. The other side is
    numbers alone.
    """
    x_has, y_has = (
        _has_classes(samples.x, samples.categories_x),
        _has_classes(samples.y, samples.categories_y),
    )
    if x_has == y_has or (samples.categories_y if x_has else samples.categories_x):
        return None
    numbers, classes = (samples.y, samples.x) if x_has else (samples.x, samples.y)
    return Samples(numbers, labels(classes)[:, None].astype(np.float64))


def _has_classes(side: Array, categories: Collection[int]) -> bool:
    def takes_each_often(values: Array) -> bool:
        return len(np.unique(values, axis=0)) * PAIRS_A_CLASS <= len(values)

    # Rows differ at least as often as a column does, and a column is sorted sooner.
    return len(categories) == side.shape[1] or (all(map(takes_each_often, side.T)) and takes_each_often(side))


def has_company(classes: Labels) -> Flags:
    """Whether another pair is of the same class: `n`."""
    return np.bincount(classes)[classes] > 1


def _side(samples: Samples) -> str:
    """That with categories, else that with fewer different rows."""
    if samples.categories_x or samples.categories_y:
        return "x" if samples.categories_x else "y"
    n_x, n_y = (len(np.unique(side, axis=0)) for side in (samples.x, samples.y))
    return "x" if n_x < n_y else "y"
