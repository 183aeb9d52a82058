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
QUARTILES_OF_NORMAL = 1.349  # from one to the other, in standard deviations


def suspicions(samples: Samples, far_out_from: float, *, allows_for_order: bool) -> Iterator[str]:
    """Warnings of few pairs, of more columns than pairs, of columns whose `spread_by_quartiles` is larger than
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
        far = [i for i in np.flatnonzero(spread_by_quartiles(values) > far_out_from) if i not in categories]
        if far:
            names = [samples.name_of(side, int(i)) for i in far]
            yield (
                f"{side} has values so far out, in column {listed(names)}, that the others are crowded together and "
                "their dependence is missed: take a method by ranks, such as ksg_extrapolated or auto, or the column's "
                "logarithm, arcsinh or ranks, which change no information"
            )


def spread_by_quartiles(values: Array) -> Array:
    """The standard deviation over what the quartiles tell of it: `n x dim` -> `dim`.

    Of normal columns 1, of lognormal ones 2, of 300 Cauchy values 10 to 100. Where both quartiles are equal, as of most
    flags, nothing is told, and 0 is said.
    """
    largest = np.abs(values).max(axis=0)
    # Squares of what is far from 1 would overflow or vanish.
    near_one = values / np.where(largest > 0, largest, 1.0)
    low, high = np.quantile(near_one, (0.25, 0.75), axis=0)
    told: Array = (high - low) / QUARTILES_OF_NORMAL
    with np.errstate(divide="ignore", over="ignore"):
        spread: Array = np.where(told > 0, near_one.std(axis=0) / told, 0.0)
    return spread
