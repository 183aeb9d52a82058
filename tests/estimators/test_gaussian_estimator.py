"""Canonical correlations: unbiased at every size, covering, invariant, and clear about what they cannot do."""

from __future__ import annotations

import math

import numpy as np
import pytest

import mibounds
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DataError

REPEATS = 300


@pytest.mark.parametrize(
    ("dim", "n", "truth_nats", "least"),
    [
        (1, 50, 0.5, 0.89),
        (1, 1000, 0.0, 0.95),
        (5, 100, 1.0, 0.91),
        (20, 60, 1.0, 0.91),
        (20, 100, 0.0, 0.95),
    ],
)
def test_it_is_unbiased_and_its_interval_covers(dim, n, truth_nats, least):
    law = Gaussian.from_mutual_information(dim, truth_nats)
    found = [mibounds.estimate(*law.sample(n, seed), method="gaussian") for seed in range(REPEATS)]
    values = np.array([e.nats for e in found])
    assert abs(values.mean() - truth_nats) < 4 * values.std() / math.sqrt(REPEATS)
    assert np.mean([e.interval[0] <= truth_nats <= e.interval[1] for e in found]) >= least


def test_the_interval_covers_under_heavy_tails_what_the_covariance_holds():
    """Student-t with 12 degrees of freedom: the Gaussian of that covariance has -ln(1 - rho^2) / 2."""
    truth_nats = -math.log1p(-0.36) / 2
    covered = 0
    for seed in range(REPEATS):
        random = np.random.default_rng(seed)
        x, e = random.normal(size=(2, 500))
        scale = np.sqrt(12 / random.chisquare(12, 500))
        found = mibounds.estimate(x * scale, (0.6 * x + 0.8 * e) * scale, method="gaussian")
        covered += found.interval[0] <= truth_nats <= found.interval[1]
    assert covered / REPEATS >= 0.9


def test_linear_maps_and_repeated_columns_change_nothing():
    x, y = (side.double().numpy() for side in Gaussian.from_mutual_information(3, 1.0).sample(200, 0))
    found = mibounds.estimate(x, y, method="gaussian")
    mixed = mibounds.estimate(
        y, np.hstack([x @ [[2, 1, 0], [0, 1, 5], [1, 0, 1]], x[:, :1] - x[:, 1:2]]) + 7, method="gaussian"
    )
    assert mixed.nats == pytest.approx(found.nats) and mixed.interval == pytest.approx(found.interval)
    assert found.folds == {"all": 200} and found.ceiling_nats == math.inf and found.direction == "none"


def test_it_knows_the_closed_form_in_one_dimension():
    x, y = np.random.default_rng(0).normal(size=(2, 10_000))
    y = y + x
    plug_in = -math.log1p(-(np.corrcoef(x, y)[0, 1] ** 2)) / 2
    # The plug-in's bias is dim_x dim_y / 2n to first order.
    assert mibounds.estimate(x, y, method="gaussian").nats == pytest.approx(plug_in - 1 / 20_000, abs=1e-7)


def test_too_few_samples_and_exact_linear_functions_are_refused():
    random = np.random.default_rng(0)
    with pytest.raises(DataError, match="expected at least 22"):
        mibounds.estimate(random.normal(size=(21, 10)), random.normal(size=(21, 10)), method="gaussian")
    x = random.normal(size=(100, 2))
    with pytest.raises(DataError, match="exact linear function"):
        mibounds.estimate(x, np.column_stack([x.sum(1), random.normal(size=100)]), method="gaussian")
