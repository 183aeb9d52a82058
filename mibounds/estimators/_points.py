"""Columns of numbers and of categories, in which neighbours are looked for and counted among those alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mibounds.data import Samples
from mibounds.estimators._boxes import IN_ONE_THREAD, Array, Integers, in_threads
from mibounds.estimators._classes import Flags, has_company
from mibounds.estimators._counts import Labels, labels
from mibounds.estimators._neighbours import n_within, nearest


class Reach(NamedTuple):
    """Of each row how many neighbours are looked for, how far the last is, and whether no nearer than the next: `n`."""

    n_neighbours: Labels
    distance: Array
    tied: Flags


@dataclass(frozen=True, eq=False)
class Points:
    """Rows of two sides, or of three.

    Attributes:
        numbers: of x, y and, if given, z, on a grid: `n x dim` each, dim 0 where a side has none.
        codes: of x, y and z, the columns of categories: `n x dim` each.
    """

    numbers: tuple[Array, ...]
    codes: tuple[Array, ...]

    def __len__(self) -> int:
        return len(self.numbers[0])

    def __getitem__(self, rows: Integers) -> Points:
        return Points(tuple(s[rows] for s in self.numbers), tuple(s[rows] for s in self.codes))

    @property
    def n_numbers(self) -> int:
        """How many columns hold numbers."""
        return sum(side.shape[1] for side in self.numbers)

    def alone(self) -> Flags:
        """The rows of which nothing is known: there are numbers, and no other row has the same categories: `n`."""
        return ~has_company(self._alike_in_all) & (self.n_numbers > 0)

    def pairs_of_each(self) -> float:
        """How many rows share their categories, on the mean over these."""
        return len(self) / (int(self._alike_in_all.max()) + 1)

    def split(self, n_parts: int) -> list[Integers]:
        """Rows in parts of nearly equal size that share out each group of those alike; in order if all are."""
        parts: list[list[Integers]] = [[] for _ in range(n_parts)]
        for turn, rows in enumerate(_groups(self._alike_in_all)):
            for part, own in enumerate(np.array_split(rows, n_parts)):
                parts[(part + turn) % n_parts].append(own)
        return [np.concatenate(part) for part in parts]

    def terms(self, neighbours: int) -> Array:
        """`terms_within` the k-th neighbour, k `neighbours` or as many as share the categories."""
        return self.terms_within(self.reach(neighbours))

    def terms_within(self, reach: Reach) -> Array:
        """psi(k) + psi(n_z) - psi(n_xz) - psi(n_yz) of each row.

        Counts are of what is nearer than the k-th, itself included; where that is as near as the next, of all as near,
        on all sides. A row that is `alone` has 0. Without z, n_z is n.
        """
        from scipy.special import digamma

        k, distance, tied = reach
        z = [*range(2, len(self.codes))]
        n_xz, n_yz, n_z = in_threads(
            lambda sides: self._count(sides, distance, tied),
            ([0, *z], [1, *z], z),
            alone=len(self) < IN_ONE_THREAD,
        )
        # Nothing is within 0 of what is not tied, where k is known: it costs nothing.
        n_both = np.where(tied, self._count([0, 1, *z], np.where(tied, distance, 0.0), tied), k)
        terms: Array = digamma(n_both) + digamma(n_z) - digamma(n_xz) - digamma(n_yz)
        return np.where(self.alone(), 0.0, terms)

    @cached_property
    def _alike_in_all(self) -> Labels:
        return self._alike(range(len(self.codes)))

    def _alike(self, sides: Sequence[int]) -> Labels:
        """Labels of the rows, equal where all categories of these sides are: `n`."""
        codes = np.hstack([np.empty((len(self), 0)), *(self.codes[side] for side in sides)])
        return labels(codes) if codes.size else np.zeros(len(self), np.int64)

    def reach(self, neighbours: int) -> Reach:
        """To the k-th of those that share the categories."""
        n, both = len(self), np.hstack(self.numbers)
        k, distance, tied = np.zeros(n, np.int64), np.zeros(n), np.ones(n, np.bool_)
        for rows in _groups(self._alike_in_all):
            k[rows] = of_group = min(neighbours, len(rows) - 1)
            if of_group and both.shape[1]:
                found = nearest(both[rows], min(neighbours + 1, len(rows) - 1))
                distance[rows] = found.distances[:, of_group - 1]
                tied[rows] = found.at_edge(of_group) | (distance[rows] == 0)
        return Reach(k, distance, tied)

    def _count(self, sides: Sequence[int], distance: Array, tied: Flags) -> Array:
        """How many rows are alike on `sides` and within each row's distance there, itself included: `n`."""
        numbers = np.hstack([np.empty((len(self), 0)), *(self.numbers[side] for side in sides)])
        alike = self._alike(sides)
        if numbers.shape[1] == 0:
            return np.bincount(alike)[alike].astype(np.float64)
        counts = np.ones(len(self))
        for rows in _groups(alike):
            points, reach, edge = numbers[rows], distance[rows], tied[rows]
            if len(rows) == 1 or not (reach.any() or edge.any()):
                continue  # itself alone
            counts[rows] = n_within(points, reach, closed=False) + 1
            if edge.any():
                with_edge = n_within(points, np.where(edge, reach, -np.inf), closed=True) + 1
                counts[rows] = np.where(edge, with_edge, counts[rows])
        return counts


def points_of(samples: Samples, numbers: Sequence[Array]) -> Points:
    """With these columns for the samples' own of numbers."""
    codes = tuple(values[:, [*held]] for values, held in samples.sides().values())
    return Points(tuple(numbers), codes)


def classes_beside(classes: Labels, numbers: Array) -> Points:
    """Labels as one side, `n`, and columns on a grid as the other, `n x dim`."""
    none = np.empty((len(classes), 0))
    return Points((numbers, none), (none, classes[:, None].astype(np.float64)))


def numbers_of(samples: Samples) -> list[Array]:
    """The columns of numbers of x, of y and, if there is one, of z: `n x dim` each."""
    return [np.delete(values, [*held], axis=1) for values, held in samples.sides().values()]


def warn_of_alone(points: Points) -> list[str]:
    n_alone = int(points.alone().sum())
    if not n_alone:
        return []
    return [f"{n_alone:,} of {len(points):,} pairs share their categories with no other, and read 0"]


def _groups(label: Labels) -> Iterator[Integers]:
    """The rows of each label, in order."""
    order = np.argsort(label, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
