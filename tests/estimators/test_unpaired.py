"""Sides that were drawn apart: what a slow computation weighs them by, Gaussian columns, and columns in clusters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import lfilter

import mibounds
from mibounds import suite
from mibounds.distributions.gaussian import Gaussian
from mibounds.estimators._ranks import normal_scores
from mibounds.estimators._terms import Terms, doubts
from mibounds.estimators._unpaired import surely_in_excess, weighed_by
from mibounds.estimators.gaussian import whitened


def normals(n: int, dim: int, nats: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    sides = Gaussian.from_mutual_information(dim, nats).sample(n, seed)
    return tuple(normal_scores(side.double().numpy()) for side in sides)


def clustered(n: int, n_clusters: int, dim: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Columns that say in which of some clusters a row lies, the same one on both sides: ln n_clusters nats."""
    random, cluster = np.random.default_rng(seed), np.arange(n) % n_clusters
    means = random.normal(size=(2, n_clusters, dim))
    return tuple(mean[cluster] + 0.3 * random.normal(size=(n, dim)) for mean in means)


def test_sides_drawn_apart_are_weighed_as_by_the_fitted_densities():
    n, sides = 60, normals(60, 2, 1.0)
    both = np.hstack([side - side.mean(axis=0) for side in sides])
    covariance = both.T @ both / n

    def log_density(values: np.ndarray, columns: slice) -> float:
        part = covariance[columns, columns]
        return -(np.linalg.slogdet(part)[1] + values @ np.linalg.solve(part, values)) / 2

    def weight(i: int, j: int) -> float:
        x, y = both[i, :2], both[j, 2:]
        joint = log_density(np.concatenate([x, y]), slice(0, 4))
        return math.exp(joint - log_density(x, slice(0, 2)) - log_density(y, slice(2, 4)))

    others = [[j for j in range(n) if j != i] for i in range(n)]
    of_x = [math.log(sum(weight(i, j) for j in others[i]) / (n - 1)) for i in range(n)]
    of_y = [math.log(sum(weight(j, i) for j in others[i]) / (n - 1)) for i in range(n)]
    slow = (np.array(of_x) + of_y) / 2
    assert weighed_by(*map(whitened, sides)) == pytest.approx((slow.mean(), slow.std() / n**0.5), rel=1e-5)


@pytest.mark.parametrize(
    ("n", "dim", "nats"), [(60, 1, 1.0), (200, 20, 0.0), (200, 20, 3.0), (600, 90, 2.0), (60, 25, 3.0)]
)
def test_gaussian_columns_have_no_excess(n, dim, nats):
    assert max(surely_in_excess(*normals(n, dim, nats, seed), seed) for seed in range(10)) == 0


@pytest.mark.parametrize("method", ["gaussian_copula", "student_copula"])
def test_clusters_in_many_columns_look_gaussian_and_are_told_by_their_excess(method):
    found = mibounds.estimate(*clustered(800, 10, 50), method=method)
    assert found.nats > 3 * math.log(10)
    assert any("drawn apart" in warning for warning in found.warnings)


def test_auto_leaves_such_copulas_out():
    found = mibounds.estimate(*clustered(800, 10, 50), budget="fast")
    assert found.interval[0] < math.log(10) < found.interval[1]
    assert found.nats == pytest.approx(math.log(10), abs=0.3)
    assert not any("drawn apart" in warning for warning in found.warnings)


def test_an_excess_below_half_counts_against_a_copula_where_models_are_chosen():
    random = np.random.default_rng(0)
    angle = random.uniform(0, 2 * np.pi, 2000)
    turned = angle + 0.3 * random.normal(size=2000)
    x, y = (np.column_stack([np.cos(side), np.sin(side)]) for side in (angle, turned))
    truth = math.log(2 * np.pi) - math.log(2 * np.pi * math.e * 0.3**2) / 2
    assert mibounds.estimate(x, y, method="gaussian_copula").interval[0] > truth
    found = mibounds.estimate(x, y, budget="fast")
    assert found.interval[0] < truth < found.interval[1]


def test_pictures_have_more_in_excess_than_is_left():
    x, y = (normal_scores(side.double().numpy()) for side in suite.task("rendered-0.1").sample(2000, seed=0))
    assert surely_in_excess(x, y, seed=0) > 2.903


@pytest.mark.parametrize(
    ("share", "is_said", "is_void"), [(0.1, False, False), (0.3, True, False), (0.6, True, True)]
)
def test_a_part_is_said_and_half_is_too_much(share, is_said, is_void):
    found = Terms(2.0, np.zeros(3), 0.1, excess=share * 2.0)
    assert (bool([*doubts(found)]), found.is_void) == (is_said, is_void)


def test_auto_says_so_of_a_copula_that_it_keeps(monkeypatch):
    for copula in ("gaussian_copula", "student_copula"):
        monkeypatch.setattr(f"mibounds.estimators.{copula}.surely_in_excess", lambda x, y, seed: 0.2)
    found = mibounds.estimate(*normals(100, 1, 0.8))  # so few that no other model reads halves
    assert any("drawn apart" in warning for warning in found.warnings)


@pytest.mark.parametrize(("n", "dim"), [(60, 40), (250, 100)])
def test_of_few_pairs_principal_components_are_looked_at(n, dim):
    assert surely_in_excess(*clustered(n, 10, dim), seed=0) > 2
    assert max(surely_in_excess(*normals(n, dim, 3.0, seed), seed) for seed in range(5)) == 0


def test_where_nothing_is_read_nothing_is_in_excess():
    assert surely_in_excess(np.arange(-5.0, 5.0)[:, None], np.tile([1.0, -1.0], 5)[:, None], seed=0) == 0


def test_rows_that_follow_each_other_are_not_set_beside_their_neighbours():
    kept = math.exp(-1 / 100)
    slow = lfilter(
        [math.sqrt(1 - kept**2)], [1, -kept], np.random.default_rng(0).normal(size=(6000, 2)), axis=0
    )
    sides = (normal_scores(slow + 0.3 * np.random.default_rng(k).normal(size=slow.shape)) for k in (1, 2))
    assert surely_in_excess(*sides, seed=0) == 0


def test_of_many_pairs_a_part_is_fitted_and_the_same_seed_gives_the_same():
    sides = clustered(21_000, 10, 5)
    found = surely_in_excess(*sides, seed=3)
    assert 0 < found == surely_in_excess(*sides, seed=3)
    assert found != surely_in_excess(*sides, seed=4)
