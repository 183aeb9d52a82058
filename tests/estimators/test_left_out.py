"""Pairs left out: what a slow refit reads, what Gaussian columns lose, and columns that are bent in each other."""

from __future__ import annotations

import numpy as np
import pytest

import mibounds
from mibounds.distributions.gaussian import Gaussian
from mibounds.estimators._left_out import left_out, surely_lost
from mibounds.estimators._ranks import normal_scores


def normals(n: int, dim: int, nats: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    sides = Gaussian.from_mutual_information(dim, nats).sample(n, seed)
    return tuple(normal_scores(side.double().numpy()) for side in sides)


def bent(n: int, dim: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth functions of two causes a side, of which one is shared: 0.51 nats."""
    random = np.random.default_rng(seed)
    shared = random.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=n)
    sides = []
    for cause in shared.T:
        causes = np.column_stack([cause, random.normal(size=n)])
        sides.append(np.sin(causes @ random.normal(size=(2, dim)) + random.uniform(0, 6, dim)))
    return tuple(sides)


def test_it_reads_what_a_fit_to_all_others_does():
    x, y = normals(40, 2, 1.0)
    both = np.hstack([x, y])

    def log_ratio(row: int) -> float:
        others = np.delete(both, row, axis=0)
        covariance = others.T @ others / len(others)

        def log_density(columns: slice) -> float:
            part, value = covariance[columns, columns], both[row, columns]
            return -(np.linalg.slogdet(part)[1] + value @ np.linalg.solve(part, value)) / 2

        return log_density(slice(0, 4)) - log_density(slice(0, 2)) - log_density(slice(2, 4))

    read, _ = left_out(x, y)
    np.testing.assert_allclose(read, [log_ratio(row) for row in range(40)], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("n", "dim"), [(60, 1), (60, 10), (200, 40)])
def test_gaussian_columns_lose_what_is_expected(n, dim):
    found = [left_out(*normals(n, dim, 1.0, seed)) for seed in range(20)]
    short = [expected - read.mean() for read, expected in found]
    errors = [read.std() / np.sqrt(n) for read, _ in found]
    assert abs(np.mean(short)) < 0.3 * np.mean(errors)
    assert max(surely_lost(*normals(n, dim, 1.0, seed)) for seed in range(20)) == 0


def test_columns_that_are_bent_in_each_other_lose_more_than_is_read():
    found = mibounds.estimate(*bent(400, 60), method="gaussian_copula")
    assert found.nats > 1.0, "far above the truth"
    assert any("left out" in warning for warning in found.warnings)
    assert surely_lost(*map(normal_scores, bent(400, 60))) > found.nats


def test_auto_leaves_such_a_copula_out_and_neighbours_see_how_few_causes_there_are():
    found = mibounds.estimate(*bent(800, 100), budget="fast")
    assert found.interval[0] < 0.51 < found.interval[1] and abs(found.nats - 0.51) < 0.2
    assert not any("copula" in warning for warning in found.warnings)


def test_of_too_few_pairs_nothing_is_said():
    assert surely_lost(*normals(12, 5, 0.5)) == 0
    assert "left out" not in str(mibounds.estimate(*normals(12, 5, 0.5), method="gaussian_copula").warnings)
