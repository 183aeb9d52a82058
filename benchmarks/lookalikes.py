"""Columns that look Gaussian to second order and are not: `auto` and the Gaussian copula beside the truth.

    python -m benchmarks.lookalikes [--samples 5] [--budget fast]

Clusters, topics and angles in many columns: each side says in which cluster, topic or direction a row lies, and both
share that alone. The truth of a mixture is the mean of ln r over 20,000 pairs. Writes
`results/benchmarks/lookalikes.csv`, a row a case and size.
"""

from __future__ import annotations

import argparse
import sys
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from benchmarks import _tables
from mibounds.estimators import estimate
from mibounds.estimators.auto import Budget

PINNED = False  # values, no times: once is enough
TABLE = _tables.path_of("lookalikes")
BUDGETS = list(get_args(Budget))
N_PAIRS, N_FOR_TRUTH = (500, 2000), 20_000

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Groups:
    """x shows one of some groups; y the same one, or, with probability `changed`, any of them."""

    n_groups: int
    dim: int
    changed: float = 0.0

    kind = ""

    @property
    def name(self) -> str:
        changed = f", {self.changed:.0%} of them changed" if self.changed else ""
        return f"{self.n_groups} {self.kind} in {self.dim} + {self.dim} columns{changed}"

    def sample(self, n: int, seed: int) -> tuple[Array, Array]:
        random = np.random.default_rng(seed)
        of_x, anew = random.integers(self.n_groups, size=(2, n))
        of_y = np.where(random.random(n) < self.changed, anew, of_x)
        means_x, means_y = self.means
        return self.shown(means_x[of_x], random), self.shown(means_y[of_y], random)

    @property
    def nats(self) -> float:
        """The mean of ln r = ln sum_ab p(a, b) p(x|a) p(y|b) - ln sum_a p(a) p(x|a) - ln sum_b p(b) p(y|b)."""
        log_x, log_y = (
            self.log_densities(side, means)
            for side, means in zip(self.sample(N_FOR_TRUTH, seed=2), self.means, strict=True)
        )
        log_k = np.log(self.n_groups)
        of_x, of_y = (logsumexp(log, axis=1) - log_k for log in (log_x, log_y))
        with np.errstate(divide="ignore"):  # none is changed, or all are
            same = logsumexp(log_x + log_y, axis=1) - log_k + np.log1p(-self.changed)
            other = of_x + of_y + np.log(self.changed)
        return float((np.logaddexp(same, other) - of_x - of_y).mean())

    @property
    def means(self) -> Array:
        """Of x's columns in each group, and of y's: `2 x groups x dim`."""
        return self.drawn(np.random.default_rng(0), (2, self.n_groups, self.dim))

    @abstractmethod
    def drawn(self, random: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Means of columns in groups."""

    @abstractmethod
    def shown(self, means: Array, random: np.random.Generator) -> Array:
        """Rows of these means."""

    @abstractmethod
    def log_densities(self, rows: Array, means: Array) -> Array:
        """`n x dim`, `groups x dim` -> `n x groups`, up to a constant of each row's."""


class Clusters(Groups):
    kind, spread = "clusters", 0.3

    def drawn(self, random: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return random.normal(size=shape)

    def shown(self, means: Array, random: np.random.Generator) -> Array:
        return means + self.spread * random.normal(size=means.shape)

    def log_densities(self, rows: Array, means: Array) -> Array:
        return (rows @ means.T - (means**2).sum(axis=1) / 2) / self.spread**2


class Topics(Groups):
    """Columns of 0 and 1."""

    kind = "topics"

    def drawn(self, random: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return random.uniform(0.05, 0.95, size=shape)

    def shown(self, means: Array, random: np.random.Generator) -> Array:
        return (random.random(means.shape) < means).astype(float)

    def log_densities(self, rows: Array, means: Array) -> Array:
        return rows @ np.log(means).T + (1 - rows) @ np.log1p(-means).T


class Counts(Groups):
    kind = "topics of counts"

    def drawn(self, random: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return random.gamma(1.0, 2.0, size=shape)

    def shown(self, means: Array, random: np.random.Generator) -> Array:
        return random.poisson(means).astype(float)

    def log_densities(self, rows: Array, means: Array) -> Array:
        return rows @ np.log(means).T - means.sum(axis=1)


@dataclass(frozen=True)
class Angle:
    """A direction and, of y, one that is turned by a normal angle: their cosines and sines, or some waves of them."""

    waves: int = 0
    turned: float = 0.3

    @property
    def name(self) -> str:
        return (
            f"an angle in {self.waves} + {self.waves} waves" if self.waves else "an angle's cosine and sine"
        )

    def sample(self, n: int, seed: int) -> tuple[Array, Array]:
        random, fixed = np.random.default_rng(seed), np.random.default_rng(0)
        angle = random.uniform(0, 2 * np.pi, size=(n, 1))
        of_y = angle + self.turned * random.normal(size=(n, 1))
        if not self.waves:
            return np.hstack([np.cos(angle), np.sin(angle)]), np.hstack([np.cos(of_y), np.sin(of_y)])
        often, start = (
            fixed.integers(1, 5, size=self.waves),
            fixed.uniform(0, 2 * np.pi, size=(2, self.waves)),
        )
        return np.cos(often * angle + start[0]), np.cos(often * of_y + start[1])

    @property
    def nats(self) -> float:
        """ln 2 pi less the entropy of the turn, which is far from going round."""
        return float(np.log(2 * np.pi) - np.log(2 * np.pi * np.e * self.turned**2) / 2)


CASES: tuple[Groups | Angle, ...] = (
    Clusters(10, 50),
    Clusters(10, 50, changed=0.3),
    Clusters(40, 20, changed=0.3),
    Clusters(10, 5),
    Topics(10, 60),
    Counts(10, 40),
    Angle(),
    Angle(waves=30),
)


def row(case: Groups | Angle, n: int, samples: int, budget: str) -> dict[str, Any]:
    truth = case.nats
    pairs = [case.sample(n, seed=k) for k in range(100, 100 + samples)]
    copula = [estimate(x, y, method="gaussian_copula").nats for x, y in pairs]
    found = [estimate(x, y, budget=budget) for x, y in pairs]
    return {
        "case": case.name,
        "n": n,
        "budget": budget,
        "samples": samples,
        "truth_nats": round(truth, 3),
        "copula_nats": round(float(np.mean(copula)), 3),
        "auto_nats": round(float(np.mean([one.nats for one in found])), 3),
        "auto_off_nats": round(float(np.mean([abs(one.nats - truth) for one in found])), 3),
        "intervals_that_hold": sum(one.interval[0] <= truth <= one.interval[1] for one in found),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.lookalikes", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=5, help="of each case and size (default: %(default)s)")
    parser.add_argument("--budget", default="fast", choices=BUDGETS, help="of auto (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.samples < 1:
        parser.error(f"--samples must be at least 1; got {options.samples}")
    table = pd.DataFrame(row(case, n, options.samples, options.budget) for case in CASES for n in N_PAIRS)
    _tables.write(options.out, table)
    print(table.to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
