"""Columns of numbers and of categories, in which neighbours are looked for and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mibounds.data import Samples
from mibounds.estimators._boxes import IN_ONE_THREAD, Array, Integers, in_threads
from mibounds.estimators._counts import Labels, labels
from mibounds.estimators._neighbours import n_within, nearest

REACH = 4.0  # of the largest number: twice the largest difference


@dataclass(frozen=True)
class Points:
    """Rows of two sides, or of three.

    Attributes:
        sides: of x, y and, if given, z, `n x dim` each: numbers on a grid, then codes that lie further apart than any
            two numbers.
        alike: labels of the rows, equal where all categories are.
        n_numbers: how many columns hold numbers.
    """

    sides: tuple[Array, ...]
    alike: Labels
    n_numbers: int

    @classmethod
    def of(cls, numbers: Sequence[Array], codes: Sequence[Array]) -> Points:
        """Of each side's numbers, on a grid, and codes of categories, `n x dim` each; a side may lack either."""
        largest = max((float(np.abs(side).max()) for side in numbers if side.size), default=1.0)
        sides = tuple(
            np.hstack([values, REACH * largest * held]) for values, held in zip(numbers, codes, strict=True)
        )
        held = np.hstack([*codes])
        alike = labels(held) if held.size else np.zeros(len(held), np.int64)
        return cls(sides, alike, sum(side.shape[1] for side in numbers))

    def __len__(self) -> int:
        return len(self.alike)

    def __getitem__(self, rows: Integers) -> Points:
        return Points(tuple(side[rows] for side in self.sides), self.alike[rows], self.n_numbers)

    def alone(self) -> Labels:
        """The rows of which nothing is known: there are numbers, and no other row has the same categories."""
        none = np.bincount(self.alike)[self.alike] == 1
        return np.flatnonzero(none & (self.n_numbers > 0))

    def terms(self, neighbours: int) -> Array:
        """psi(k) + psi(n_z) - psi(n_xz) - psi(n_yz) of each row, k `neighbours` or as many as share the categories.

        Counts are of what is nearer than the k-th, itself included; where that is as near as the next, of all as near,
        on all sides. A row that is `alone` has 0. Without z, n_z is n.
        """
        from scipy.special import digamma

        n = len(self)
        x, y, z = self.sides if len(self.sides) == 3 else (*self.sides, np.empty((n, 0)))
        both = np.hstack([x, y, z])
        n_others = np.bincount(self.alike)[self.alike] - 1
        k = np.minimum(neighbours, n_others)
        found = nearest(both, min(neighbours + 1, n - 1))
        distance = np.where(k > 0, found.distances[np.arange(n), k - 1], 0.0)
        tied = (found.at_edge(neighbours) & (k == neighbours)) | (distance == 0)

        def count(side: Array) -> Array:
            if side.shape[1] == 0:
                return np.full(n, float(n))
            inside = (n_within(side, distance, closed=False) + 1).astype(np.float64)
            if not tied.any():
                return inside
            return np.where(tied, n_within(side, np.where(tied, distance, -np.inf), closed=True) + 1, inside)

        sides = (np.hstack([x, z]), np.hstack([y, z]), z)
        n_xz, n_yz, n_z = in_threads(count, sides, alone=n < IN_ONE_THREAD)
        n_both = np.where(tied, count(both), k) if tied.any() else k
        terms: Array = digamma(n_both) + digamma(n_z) - digamma(n_xz) - digamma(n_yz)
        terms[self.alone()] = 0.0
        return terms


def divided(samples: Samples) -> tuple[list[Array], list[Array]]:
    """Of x, y and, if there is one, z: the columns of numbers, and those of categories' codes."""
    sides = samples.sides().values()
    numbers = [np.delete(values, [*held], axis=1) for values, held in sides]
    return numbers, [values[:, [*held]] for values, held in sides]


def warn_of_alone(points: Points) -> list[str]:
    n_alone = len(points.alone())
    if not n_alone:
        return []
    return [f"{n_alone:,} of {len(points):,} pairs share their categories with no other, and read 0"]
