"""Tables of counts: entropies and what tells two discrete variables' information, pair by pair.

Every correction here is a function f of a count: I = < f(n_xy) + f(n_z) - f(n_xz) - f(n_yz) > over the pairs, n_xy how
many pairs share the pair's own x, y and z, and so on; without z, n_z is n.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.integer]


def plug_in(count: Array) -> Array:
    """f(m) = ln m: the information of the frequencies."""
    return np.log(count)


def miller_madow(count: Array) -> Array:
    """f(m) = ln m - 1/(2m), whose mean takes (cells - 1)/(2n) off each entropy's bias, by cells that are seen."""
    return np.log(count) - 1 / (2 * count)


def jackknife(count: Array) -> Array:
    """f(m) = m ln m - (m - 1) ln (m - 1): the mean over pairs of n H - (n - 1) H without the pair, in closed form."""
    less = count - 1
    return count * np.log(count) - less * np.log(np.maximum(less, 1))


CORRECTIONS: dict[str, Callable[[Array], Array]] = {
    "none": plug_in,
    "miller_madow": miller_madow,
    "jackknife": jackknife,
}


def labels(values: NDArray[np.float64]) -> Labels:
    """The rows of `n x dim` as integers, equal where all columns are: `n`."""
    return np.unique(values, axis=0, return_inverse=True)[1].ravel()


@dataclass(frozen=True)
class Counts:
    """How many pairs share each pair's values: `n` each. `degrees` is the sum over z of (a - 1)(b - 1), a and b the
    values of x and of y that are seen with it."""

    x: Array
    y: Array
    both: Array
    given: Array
    degrees: int

    @classmethod
    def of(cls, x: Labels, y: Labels, z: Labels | None = None) -> Counts:
        """Of labels `n` each."""
        z = np.zeros(len(x), np.int64) if z is None else z
        xz, yz = _joint(x, z), _joint(y, z)
        sizes = [len(np.unique(each)) for each in (xz, yz, z)]
        by_z = [np.bincount(z[np.unique(each, return_index=True)[1]]) for each in (xz, yz)]
        degrees = int((by_z[0] * by_z[1]).sum()) - sizes[0] - sizes[1] + sizes[2]
        return cls(_shared(xz), _shared(yz), _shared(_joint(xz, y)), _shared(z), degrees)

    def terms(self, correction: str) -> Array:
        """Each pair's term, whose mean is the information in nats: `n`."""
        f = CORRECTIONS[correction]
        return f(self.both) + f(self.given) - f(self.x) - f(self.y)

    def variance(self) -> float:
        """Of the information: that of its influence function, and what is left under independence, a chi-squared's.

        2n times the plug-in is noncentral chi-squared near independence, with variance 2 degrees + 4 (2 n I): the two
        parts of this sum.
        """
        n = len(self.x)
        return float(self.terms("jackknife").var() / n + self.degrees / (2 * n**2))

    def entropies(self) -> tuple[float, float]:
        """Of x's values and of y's, in nats: the information is no more than either."""
        n = len(self.x)
        return float(-np.log(self.x / n).mean()), float(-np.log(self.y / n).mean())

    def pairs_a_value(self) -> float:
        """On the mean, of the side with more values."""
        n = len(self.x)
        return n / max(float((1 / self.x).sum()), float((1 / self.y).sum()))

    def share_seen_once(self) -> float:
        """The share of pairs that share their cell with no other: about the probability of cells not seen at all."""
        return float((self.both == 1).mean())


def _joint(first: Labels, second: Labels) -> Labels:
    """Labels of the pairs of labels: `n`."""
    return np.unique(first * (int(second.max()) + 1) + second, return_inverse=True)[1].ravel()


def _shared(label: Labels) -> Array:
    return np.bincount(label)[label].astype(np.float64)
