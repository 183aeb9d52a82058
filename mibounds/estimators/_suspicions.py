"""What should be known of samples before an estimate of them is used, whatever the method makes of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mibounds.data import Samples
from mibounds.data.categories import listed
from mibounds.estimators._boxes import Array
from mibounds.estimators._dependence import FOLLOWING, follow_each_other

FEW_PAIRS = 20
HALF_OF_NORMAL = 1.349  # standard deviations, between its quartiles


def suspicions(samples: Samples, far_out_from: float, *, allows_for_order: bool) -> Iterator[str]:
    """Warnings of few pairs, of more columns than pairs, of columns whose `spread_by_half` is larger than
    `far_out_from`, and of rows that follow each other, unless the method allows for that and says so itself."""
    n, dim = len(samples), samples.x.shape[1] + samples.y.shape[1]
    if n < FEW_PAIRS:
        yield f"only {n} pairs: so few say little, and the interval is not to be trusted"
    if dim > n:
        yield (
            f"more columns ({dim:,}) than pairs ({n:,}): dependence may go unseen, and what is seen may be chance; "
            "choose columns, or reduce them, by other data"
        )
    if not allows_for_order and n > 1 and follow_each_other(samples.x, samples.y):
        yield (
            f"{FOLLOWING}: the interval is for independent pairs and too narrow, where auto widens its own (rows that "
            "were only sorted should be shuffled)"
        )
    if far_out_from < math.inf:
        yield from _of_far_values(samples, far_out_from)


def _of_far_values(samples: Samples, far_out_from: float) -> Iterator[str]:
    for side, (values, categories) in samples.sides().items():
        far = [i for i in np.flatnonzero(spread_by_half(values) > far_out_from) if i not in categories]
        if far:
            names = [samples.name_of(side, int(i)) for i in far]
            yield (
                f"{side} has values so far out, in column {listed(names)}, that the others are crowded together and "
                "their dependence is missed: take a method by ranks, such as ksg_extrapolated or auto, or the column's "
                "logarithm, arcsinh or ranks, which change no information"
            )


def spread_by_half(values: Array) -> Array:
    """The standard deviation over what the shortest interval with half of a column's values tells of it: `n x dim` ->
    `dim`.

    Of normal columns 1, of lognormal ones 3, of 300 Cauchy values 10 to 100, of normal ones with a tenth or a third at
    -999 some 500. Values that repeat count once, so that many zeros do not look like a crowd; of a flag 0 is said.
    """
    largest = np.abs(values).max(axis=0)
    # Squares of what is far from 1 would overflow or vanish.
    near_one = values / np.where(largest > 0, largest, 1.0)
    told = np.array([_shortest_half(column) for column in near_one.T]) / HALF_OF_NORMAL
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        spread: Array = np.where(told > 0, near_one.std(axis=0) / told, 0.0)
    return spread


def _shortest_half(column: Array) -> float:
    """How wide the narrowest interval is that holds half of the distinct values; 0 of fewer than three."""
    distinct = np.unique(column)
    half = len(distinct) // 2
    return float((distinct[half:] - distinct[:-half]).min()) if len(distinct) > 2 else 0.0
