"""Nearest neighbours by the largest difference in any column, and how many points lie within it. All exact.

Columns are first put on a grid on which sums and differences do not round. The k-th neighbour lies just on the edge of
what is counted: by values plus and minus a plain float, its last bit decides, and an estimate of 1,000 pairs read 0.025
nats too little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibounds.estimators._boxes import IN_ONE_THREAD, Array, Boxes, Integers, halved, in_threads

SCALE_BITS, GRID_BITS = 28, 50
BOXES_FROM = (4_000, 12)  # points and columns: with fewer of either a tree is faster, see decision 23
LEAF = 512  # points that are compared with each other one by one


def on_grid(*sides: Array) -> tuple[Array, ...]:
    """`sides` with columns of unit standard deviation, rounded to multiples of one power of two.

    Differences between any two values, and values plus or minus these, are then exact. The scale has 28 bits, so that
    equal steps in a column, such as between integers, stay equal.
    """
    scaled = [_scaled(side) for side in sides]
    largest = max((float(np.abs(side).max()) for side in scaled if side.size), default=1.0)
    step = np.ldexp(1.0, int(np.frexp(largest)[1]) - GRID_BITS)
    return tuple(np.rint(side / step) * step for side in scaled)


def _scaled(values: Array) -> Array:
    # Squares of what is far from 1 would overflow or vanish; powers of two do not round.
    near_one = np.ldexp(values.astype(np.float64), -np.frexp(np.abs(values).max(axis=0))[1])
    middle = np.partition(near_one, len(values) // 2, axis=0)[len(values) // 2]
    centred = near_one - middle
    significand, exponent = np.frexp(1 / centred.std(axis=0))
    return centred * np.ldexp(np.rint(significand * 2**SCALE_BITS), exponent - SCALE_BITS)


@dataclass(frozen=True)
class Nearest:
    """Of n points, the nearest others.

    Attributes:
        distances: `n x k`, ascending.
        rows: `n x k`, which points these are; in any order where distances are equal.
    """

    distances: Array
    rows: Integers

    def has_ties(self) -> NDArray[np.bool_]:
        """Whether any two are equally near, or one is a copy: `n`. In continuous columns that never is."""
        return (self.distances[:, 0] == 0) | (np.diff(self.distances, axis=1) == 0).any(axis=1)

    def at_edge(self, k: int) -> NDArray[np.bool_]:
        """Whether the k-th is no nearer than the next: `n`."""
        return (self.distances[:, k - 1 : k] == self.distances[:, k : k + 1]).any(axis=1)


def nearest(points: Array, k: int) -> Nearest:
    """The `k` nearest other points of each point, `n x d`; n is at least k + 1."""
    n, n_columns = points.shape
    return (by_boxes if n >= BOXES_FROM[0] and n_columns >= BOXES_FROM[1] else by_tree)(points, k)


def by_tree(points: Array, k: int) -> Nearest:
    """`nearest` by a k-d tree of SciPy."""
    from scipy.spatial import KDTree

    tree = KDTree(points, balanced_tree=False)
    order = tree.indices  # neighbours one after the other walk the same branches
    workers = 1 if len(points) < IN_ONE_THREAD else -1
    distances, rows = map(np.asarray, tree.query(points[order], k + 1, p=np.inf, workers=workers))
    # The first is the point itself, or a copy of it, at distance 0.
    found = Nearest(np.empty((len(points), k)), np.empty((len(points), k), np.int64))
    found.distances[order], found.rows[order] = distances[:, 1:], rows[:, 1:]
    return found


def by_boxes(points: Array, k: int) -> Nearest:
    """`nearest` by comparing each point with its leaf, and then with all that may still be nearer."""
    found = Nearest(np.empty((len(points), k)), np.empty((len(points), k), np.int64))
    leaves = halved(points, max(LEAF, 4 * k))
    of_leaves = in_threads(lambda leaf: _one_by_one(points[leaf], k), leaves)
    for leaf, within in zip(leaves, of_leaves, strict=True):
        found.distances[leaf], found.rows[leaf] = within.distances, leaf[within.rows]
    return found if len(leaves) == 1 else _nearer(points, found)


def _one_by_one(points: Array, k: int) -> Nearest:
    apart, other = np.zeros((2, len(points), len(points)))
    for column in points.T:
        np.subtract(column[:, None], column, out=other)
        np.abs(other, out=other)
        np.maximum(apart, other, out=apart)
    np.fill_diagonal(apart, np.inf)
    rows = np.argpartition(apart, k - 1, axis=1)[:, :k]
    distances = np.take_along_axis(apart, rows, axis=1)
    order = np.argsort(distances, axis=1)
    return Nearest(np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1))


def _nearer(points: Array, known: Nearest) -> Nearest:
    """The nearest, given some that are near: of what is nearer than the known k-th, the k first, else that one."""
    k = known.distances.shape[1]
    last = known.distances[:, -1:], known.rows[:, -1:]
    found = Nearest(np.repeat(last[0], k, axis=1), np.repeat(last[1], k, axis=1))
    for i, j in Boxes.around(points, known.distances[:, -1], closed=False).pairs():
        _merge(found, i, j, np.abs(points[i] - points[j]).max(axis=1))
    return found


def _merge(found: Nearest, i: Integers, j: Integers, distances: Array) -> None:
    """Puts neighbours j of points i, at `distances`, among those found already."""
    k, points = found.distances.shape[1], np.unique(i)
    i = np.concatenate([i, np.repeat(points, k)])
    j = np.concatenate([j, found.rows[points].ravel()])
    distances = np.concatenate([distances, found.distances[points].ravel()])
    order = np.lexsort((distances, i))
    first = np.searchsorted(i[order], points)
    kept = order[first[:, None] + np.arange(k)]
    found.distances[points], found.rows[points] = distances[kept], j[kept]


def n_within(points: Array, reach: Array, closed: bool) -> Integers:
    """How many other points are nearer to each than its `reach`, or at most as far if `closed`: `n`."""
    is_inside = closed | (reach > 0)
    return Boxes.around(points, reach, closed).counts() - is_inside


def rectangle(x: Array, y: Array, found: Nearest, k: int) -> tuple[Array, Array]:
    """How far the k nearest reach, along `x` and along `y`: `n` each. What is as near as the k-th counts with it."""
    reach_x, reach_y = (_furthest(side, found.rows[:, :k]) for side in (x, y))
    tied = found.at_edge(k)
    if tied.any():
        tied_x, tied_y = _furthest_within(x, y, np.where(tied, found.distances[:, k - 1], -np.inf))
        return np.maximum(reach_x, tied_x), np.maximum(reach_y, tied_y)
    return reach_x, reach_y


def _furthest(side: Array, rows: Integers) -> Array:
    reach = np.zeros(len(side))
    for neighbour in rows.T:
        np.maximum(reach, np.abs(side - side[neighbour]).max(axis=1), out=reach)
    return reach


def _furthest_within(x: Array, y: Array, reach: Array) -> tuple[Array, Array]:
    """How far what lies within `reach` by both sides is, along each: `n` each, 0 where nothing does."""
    # Copies of a pair share its neighbours; ties are many where copies are.
    points, first, copy_of = np.unique(np.hstack([x, y]), axis=0, return_index=True, return_inverse=True)
    along_x, along_y = np.zeros((2, len(points)))
    for i, j in Boxes.around(points, reach[first], closed=True).pairs():
        np.maximum.at(along_x, i, np.abs(x[first[i]] - x[first[j]]).max(axis=1))
        np.maximum.at(along_y, i, np.abs(y[first[i]] - y[first[j]]).max(axis=1))
    return along_x[copy_of.ravel()], along_y[copy_of.ravel()]
