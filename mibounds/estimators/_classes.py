"""Which side holds classes, where one does beside numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from mibounds.data import Samples
from mibounds.data.categories import PAIRS_A_CLASS, takes_each_often
from mibounds.errors import DataError, ParameterError
from mibounds.estimators._boxes import Array
from mibounds.estimators._counts import Counts, Labels, labels

SPARSE = 0.1  # of the pairs alone in their cell

Flags: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]


def require_side(discrete: str) -> None:
    """Raises ParameterError for another side than there is."""
    if discrete not in ("auto", "x", "y"):
        raise ParameterError(f"discrete must be auto, x or y; got {discrete!r}")


def classes_and_rest(samples: Samples, discrete: str) -> tuple[Labels, Array, Mapping[int, str]]:
    """The labels of one side's rows, `n`, and the other side's columns, `n x dim`, with those that are categories.

    Raises: DataError if the discrete side never repeats.
    """
    side = _side(samples) if discrete == "auto" else discrete
    classes, rest, categories = _divided(samples, side)
    if not has_company(classes).any():
        raise DataError(
            f"{side} never repeats, so that it has no classes; expected a discrete side: take ksg for two "
            "continuous ones"
        )
    return classes, rest, categories


def beside_classes(samples: Samples, pairs_a_class: int = PAIRS_A_CLASS) -> Samples | None:
    """The other side as x and the classes as y, a category, if one side, and not the other, holds classes.

    A side holds them if it is categories, or takes each of its values in so many pairs on the mean.
    """
    x_has, y_has = (_has_classes(*samples.sides()[side], pairs_a_class) for side in "xy")
    if x_has == y_has:
        return None
    classes, rest, categories = _divided(samples, "x" if x_has else "y")
    if not has_company(classes).any():
        return None
    return Samples(
        rest, classes[:, None].astype(np.float64), categories_x=categories, categories_y={0: "class"}
    )


def is_table(samples: Samples) -> bool:
    """Whether all is categories, or all sides hold classes and nearly all pairs share their cell with others."""
    sides = samples.sides().values()
    if samples.is_categorical():
        return True
    if not all(_has_classes(*side) for side in sides):
        return False
    return Counts.of(*(labels(values) for values, _ in sides)).share_seen_once() <= SPARSE


def _has_classes(side: Array, categories: Mapping[int, str], pairs_a_class: int = PAIRS_A_CLASS) -> bool:
    if len(categories) == side.shape[1]:
        return True
    # Rows differ at least as often as a column does, and a column is sorted sooner.
    return all(takes_each_often(values, pairs_a_class) for values in (*side.T, side))


def has_company(classes: Labels) -> Flags:
    """Whether another pair is of the same class: `n`."""
    return np.bincount(classes)[classes] > 1


def _divided(samples: Samples, side: str) -> tuple[Labels, Array, Mapping[int, str]]:
    """The side's labels, and the other side's columns, with those that are categories."""
    sides = samples.sides()
    return labels(sides[side][0]), *sides["y" if side == "x" else "x"]


def _side(samples: Samples) -> str:
    """That which is categories, else that with fewer different rows, else with the lower entropy."""
    from scipy.stats import entropy

    whole = [side for side in samples.categorical_sides() if side != "z"]
    if len(whole) == 1:
        return whole[0]
    of_x, of_y = (np.unique(side, axis=0, return_counts=True)[1] for side in (samples.x, samples.y))
    return "x" if (len(of_x), entropy(of_x)) < (len(of_y), entropy(of_y)) else "y"
