"""How far an estimate by neighbours scatters, and whether its bias still moves: the same estimate of disjoint parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mibounds.errors import DataError
from mibounds.estimators._boxes import Array, Integers, in_threads
from mibounds.estimators.base import NEGATIVE
from mibounds.seeding import seed_of

LARGEST_PART, LEAST_DEGREES = 500, 19
DRIFT_NATS = 0.02


@dataclass(frozen=True)
class Parts:
    """The estimates of disjoint parts of the samples.

    Attributes:
        nats: `n_times x n_parts`, one row a cut of the samples into parts.
        size: pairs in a part.
    """

    nats: Array
    size: int

    @classmethod
    def of(cls, estimate: Callable[[Integers], float], n: int, seed: int) -> Parts:
        """`estimate` of the rows of each part, in nats."""
        rows = _cuts(n, seed)
        n_times, n_parts, size = rows.shape
        nats = [*in_threads(estimate, [*rows.reshape(-1, size)])]
        return cls(np.reshape(nats, (n_times, n_parts)), size)

    @property
    def degrees(self) -> int:
        n_times, n_parts = self.nats.shape
        return n_times * (n_parts - 1)

    def error(self, n: int) -> float:
        """The standard error of the estimate of `n` pairs: a variance falls as 1 over the pairs."""
        return math.sqrt(self.nats.var(axis=1, ddof=1).mean() * self.size / n)

    def interval(self, nats: float, n: int, confidence: float) -> tuple[float, float]:
        """Student's, around `nats`, the estimate of `n` pairs."""
        from scipy.special import stdtrit

        reach = float(stdtrit(self.degrees, (1 + confidence) / 2)) * self.error(n)
        return nats - reach, nats + reach

    def drift(self, nats: float) -> float:
        """How much more `nats` is than the parts read; 0 where that may be chance."""
        n_times, n_parts = self.nats.shape
        noise = math.sqrt(self.nats.var(axis=1, ddof=1).mean() / n_parts)
        difference = nats - float(self.nats.mean())
        # Many cuts of the same pairs scatter with the whole; a single one, of some of them, by itself.
        is_chance = abs(difference) < max(DRIFT_NATS, noise * (1.5 if n_times > 1 else 3.0))
        return 0.0 if is_chance else difference

    def warnings(self, nats: float) -> Iterator[str]:
        """Of a bias that moves with the pairs, and of an estimate `nats` below 0."""
        drift = self.drift(nats)
        if drift:
            yield (
                f"parts of {self.size:,} pairs read {abs(drift):.2f} nats {'less' if drift > 0 else 'more'} than all "
                "of them: the bias has not died down, more samples would move the estimate further, and the interval "
                "is too narrow"
            )
        if nats < 0:
            yield NEGATIVE


def require_two_parts(n: int, neighbours: int) -> None:
    """Raises DataError where two parts of `n` pairs have too few for an estimate by so many neighbours to scatter.

    Of k + 1 points each has all others as neighbours: whatever they are, they read the same.
    """
    least = 2 * (neighbours + 2)
    if n < least:
        raise DataError(
            f"too few samples for {neighbours} neighbours in each of two halves: {n}; expected at least {least}"
        )


def _cuts(n: int, seed: int) -> Integers:
    """Row numbers, `n_times x n_parts x size`: at most 20 parts, and as many cuts as make 19 degrees of freedom."""
    n_parts = min(max(n // LARGEST_PART, 2), LEAST_DEGREES + 1)
    size = min(n // n_parts, LARGEST_PART)
    source = np.random.default_rng(seed_of("ksg", "parts", seed))
    n_times = -(-LEAST_DEGREES // (n_parts - 1))
    orders = [source.permutation(n)[: n_parts * size] for _ in range(n_times)]
    return np.reshape(orders, (n_times, n_parts, size))
