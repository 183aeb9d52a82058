"""Values that repeat or come in steps, spread over the gaps between them: of the same information, and without ties.

From x + u, u within half the gap round x, x can be read off again, and u depends on nothing else; so x + u shares with
any y what x shares with it. Neighbours of rounded values are as far as those of the values before they were rounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mibounds.data.categories import has_steps
from mibounds.estimators._boxes import Array, Integers
from mibounds.estimators._classes import Flags
from mibounds.estimators._neighbours import on_grid
from mibounds.seeding import seed_of


def spreads(sides: Sequence[Array], times: int, seed: int) -> Iterator[tuple[Array, ...]]:
    """`sides` with their values spread, on a grid, so many times; once if none is."""
    source = np.random.default_rng(seed_of("spread", seed))
    columns = (column for side in sides for column in side.T)
    any_spread = any(_are_spread(*np.unique(column, return_counts=True)).any() for column in columns)
    for _ in range(times if any_spread else 1):
        yield on_grid(*(spread(side, source) for side in sides))


def spread(side: Array, source: np.random.Generator) -> Array:
    """Each value that repeats, drawn anew between the points halfway to the next values below and above: `n x dim`.

    In a column with steps all values are, since distances between those that do not repeat are tied too.
    """
    columns = [_spread(column, source) for column in side.T]
    return np.stack(columns, axis=1) if columns else side


def _spread(column: Array, source: np.random.Generator) -> Array:
    values, place, times = np.unique(column, return_inverse=True, return_counts=True)
    is_spread = _are_spread(values, times)
    if not is_spread.any():
        return column
    half = np.diff(values) / 2
    below, above = np.r_[half[0], half], np.r_[half, half[-1]]
    at = source.uniform(-1.0, 1.0, len(column))
    moved = column + at * np.where(at < 0, below[place], above[place])
    return np.where(is_spread[place], moved, column)


def _are_spread(values: Array, times: Integers) -> Flags:
    """Which of a column's distinct values are, of which each stands there so many times."""
    return np.ones(len(values), np.bool_) if has_steps(values) else times > 1
