"""KSG: the slow version's value to rounding, the truth where it is known, warnings where data do not suit it."""

from __future__ import annotations

import math

import numpy as np
import pytest

import mibounds
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DataError, ParameterError
from mibounds.estimators import _boxes, _neighbours
from tests.estimators.neighbour_oracle import ksg as slow

ALGORITHMS = (1, 2)
TIES = "equally near"


def normals(n: int, dim_x: int, dim_y: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Columns that share a factor, each side."""
    random = np.random.default_rng(seed)
    shared = random.normal(size=(n, 1))
    return shared + random.normal(size=(n, dim_x)), shared + random.normal(size=(n, dim_y))


def value(x, y, **options) -> float:
    return mibounds.estimate(x, y, method="ksg", **options).nats


def warned(x, y, about: str, **options) -> bool:
    return any(about in said for said in mibounds.estimate(x, y, method="ksg", **options).warnings)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize(("dim_x", "dim_y"), [(1, 1), (2, 3), (5, 5), (1, 12)])
def test_it_is_the_slow_version_to_rounding(dim_x, dim_y, k, algorithm):
    x, y = normals(300, dim_x, dim_y)
    assert value(x, y, neighbours=k, algorithm=algorithm) == pytest.approx(
        slow(x, y, k, algorithm), abs=1e-12
    )


def rounded(dim: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = normals(300, dim, dim)
    return (4 * x).round(), (4 * y).round()


def repeated() -> tuple[np.ndarray, np.ndarray]:
    x, y = normals(100, 1, 2)
    return np.tile(x, (3, 1)), np.tile(y, (3, 1))


def discrete_beside_continuous() -> tuple[np.ndarray, np.ndarray]:
    x, y = normals(300, 1, 2)
    return (x > 0).astype(float), y


def copied() -> tuple[np.ndarray, np.ndarray]:
    x, _ = normals(300, 2, 1)
    return x, x.copy()


TIED = {
    "rounded, 1+1": lambda: rounded(1),
    "rounded, 3+3": lambda: rounded(3),
    "rounded, 7+7": lambda: rounded(7),
    "copies of pairs": repeated,
    "a discrete side": discrete_beside_continuous,
    "y is x": copied,
    "two values a side": lambda: tuple(np.random.default_rng(0).integers(0, 2, (2, 200, 1)).astype(float)),
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("case", TIED)
def test_ties_are_counted_as_the_slow_version_counts_them(case, algorithm):
    x, y = TIED[case]()
    assert value(x, y, algorithm=algorithm) == pytest.approx(slow(x, y, 3, algorithm), abs=1e-12)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("decimals", [None, 0])
def test_many_leaves_and_blocks_of_bit_sets_give_the_same(monkeypatch, decimals, algorithm):
    monkeypatch.setattr(_neighbours, "BOXES_FROM", (0, 0))
    monkeypatch.setattr(_neighbours, "LEAF", 20)
    monkeypatch.setattr(_boxes, "TABLE_BITS", 12 * 128**2)
    x, y = normals(900, 6, 6)
    if decimals is not None:
        x, y = x.round(decimals), y.round(decimals)
    assert value(x, y, algorithm=algorithm) == pytest.approx(slow(x, y, 3, algorithm), abs=1e-12)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_as_few_samples_as_can_be_and_one_fewer(algorithm):
    x, y = normals(10, 1, 1)
    found = mibounds.estimate(x, y, method="ksg", algorithm=algorithm)
    assert found.nats == pytest.approx(slow(x, y, 3, algorithm), abs=1e-12)
    assert all(map(math.isfinite, found.interval)) and found.interval[0] < found.interval[1]
    with pytest.raises(DataError, match="expected at least 10"):
        value(x[:9], y[:9], algorithm=algorithm)


@pytest.mark.parametrize(
    ("dim", "truth_nats", "n", "tolerance"),
    [(1, 0.0, 1000, 0.02), (1, 1.0, 1000, 0.03), (2, 0.5, 1000, 0.04)],
)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_it_is_nearly_unbiased_in_few_columns(dim, truth_nats, n, tolerance, algorithm):
    law = Gaussian.from_mutual_information(dim, truth_nats)
    values = [value(*law.sample(n, seed), algorithm=algorithm) for seed in range(40)]
    assert np.mean(values) == pytest.approx(truth_nats, abs=tolerance)
    assert truth_nats > 0 or min(values) < 0, "never clipped"


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_the_interval_covers_its_expectation(correlation):
    """On one column a side the bias is far under an interval's width, so that the truth stands for the expectation."""
    law = Gaussian.from_correlation(1, correlation)
    found = [mibounds.estimate(*law.sample(1000, seed), method="ksg", seed=seed) for seed in range(60)]
    truth_nats = law.mutual_information
    assert np.mean([e.interval[0] <= truth_nats <= e.interval[1] for e in found]) >= 0.8
    widths = np.array([e.interval[1] - e.interval[0] for e in found])
    assert widths.mean() / 2 == pytest.approx(2.09 * np.std([e.nats for e in found]), rel=0.4)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(("scale_x", "scale_y"), [(1e-30, 1e30), (1e300, 1e-300), (1.0, 3.7)])
def test_units_of_columns_do_not_matter(scale_x, scale_y, algorithm):
    x, y = normals(500, 2, 1)
    moved = value(scale_x * x * [1, 7], scale_y * (y + 5), algorithm=algorithm)
    assert moved == pytest.approx(value(x, y, algorithm=algorithm), abs=1e-9)


def test_shifts_and_powers_of_two_leave_tied_integers_as_they_are():
    x, y = rounded(2)
    assert value(4 * x + 1000, y / 8 - 17) == value(x, y)


def test_single_precision_reads_the_same_but_for_its_rounding():
    x, y = normals(2000, 2, 2)
    assert value(x.astype(np.float32), y.astype(np.float32)) == pytest.approx(value(x, y), abs=1e-4)


def test_sides_and_the_order_of_pairs_may_be_exchanged():
    x, y = normals(500, 3, 1)
    order = np.random.default_rng(1).permutation(500)
    assert value(y, x) == pytest.approx(value(x, y), abs=1e-12)
    assert value(x[order], y[order]) == pytest.approx(value(x, y), abs=1e-12)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tails_as_heavy_as_a_cauchy_law_s_do_not_break_it(algorithm):
    x, y = np.random.default_rng(1).standard_cauchy((2, 1500, 1))
    found = mibounds.estimate(x, y, method="ksg", algorithm=algorithm)
    assert abs(found.nats) < 0.15 and not any(TIES in said for said in found.warnings)
    x, y = normals(1500, 1, 1)
    assert value(np.sinh(x), y, algorithm=algorithm) > 0.8 * value(x, y, algorithm=algorithm)
    assert not warned(np.sinh(4 * x), y, TIES, algorithm=algorithm), (
        "the bulk is not lost in the tails' rounding"
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_ties_are_warned_of(algorithm):
    x, y = normals(400, 1, 1)
    for tied_x, tied_y in ((x.round(1), y.round(1)), (np.tile(x, (2, 1)), np.tile(y, (2, 1)))):
        assert warned(tied_x, tied_y, TIES, algorithm=algorithm)
    assert not warned(x, y, TIES, algorithm=algorithm)
    # Beside a discrete side, only algorithm 2 is off.
    assert warned((x > 0).astype(float), y, TIES, algorithm=algorithm) == (algorithm == 2)


def test_a_bias_that_has_not_died_down_is_warned_of():
    few, many = ((Gaussian.from_mutual_information(dim, 2.0).sample(2000, 0)) for dim in (1, 6))
    assert warned(*many, "nats less than all of them") and not warned(*few, "the bias has not died down")


def test_a_negative_value_is_kept_and_explained():
    law = Gaussian.from_correlation(1, 0.0)
    seed = next(seed for seed in range(20) if value(*law.sample(200, seed)) < 0)
    assert warned(*law.sample(200, seed), "negative")


def test_the_ceiling_is_what_y_equal_to_x_reads():
    x = np.random.default_rng(0).normal(size=(400, 1))
    for algorithm in ALGORITHMS:
        found = mibounds.estimate(x, x, method="ksg", algorithm=algorithm)
        assert found.nats == pytest.approx(found.ceiling_nats) and found.saturated
    far = mibounds.estimate(*Gaussian.from_mutual_information(1, 1.0).sample(400, 0), method="ksg")
    assert not far.saturated and far.direction == "none" and far.folds == {"all": 400}


def test_the_seed_moves_the_interval_alone():
    x, y = normals(300, 1, 1)
    first, again, other = (mibounds.estimate(x, y, method="ksg", seed=seed) for seed in (0, 0, 1))
    assert first == again and first.nats == other.nats and first.interval != other.interval
    wide = mibounds.estimate(x, y, method="ksg", confidence=0.99).interval
    assert wide[0] < first.interval[0] and wide[1] > first.interval[1]


def test_a_constant_side_and_parameters_outside_their_domain_are_refused():
    x, y = normals(50, 1, 1)
    with pytest.raises(DataError, match="y is constant"):
        value(x, np.ones(50))
    assert value(np.hstack([x, np.ones((50, 1))]), y) == value(x, y)
    for options in (
        {"neighbours": 0},
        {"neighbours": 2.5},
        {"algorithm": 3},
        {"neighbours": True, "algorithm": 0},
    ):
        with pytest.raises(ParameterError, match="must be"):
            value(x, y, **options)
