"""Any kind of column: KSG where nothing repeats, the table where all does, and what was rounded away in between."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import digamma, entr
from scipy.stats import poisson

import mibounds
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DataError, ParameterError
from mibounds.estimators._spreading import spread, spreads


def value(x, y, method: str = "mixed", **options) -> float:
    """The estimate without its interval, which takes longest."""
    return float(mibounds.pointwise(x, y, method=method, **options).mean())


def normals(n: int, seed: int = 0) -> np.ndarray:
    """x, y and z that share a factor: `3 x n`."""
    random = np.random.default_rng(seed)
    return random.normal(size=n) + random.normal(size=(3, n))


def slow(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> float:
    """The table with digammas for logarithms, counted one by one: O(n^2), of labels `n` each."""
    terms = []
    for i in range(len(x)):
        of_x, of_y, of_z = (side == side[i] for side in (x, y, z))
        counts = [np.sum(which) for which in (of_x & of_y & of_z, of_z, of_x & of_z, of_y & of_z)]
        terms.append(digamma(counts) @ [1, 1, -1, -1])
    return float(np.mean(terms))


@pytest.mark.parametrize("k", [1, 4])
def test_without_repeats_it_is_ksg(k):
    x, y, z = normals(400)
    for given in (None, z):
        expected = mibounds.estimate(x, y, given=given, method="ksg", neighbours=k)
        found = mibounds.estimate(x, y, given=given, method="mixed", neighbours=k)
        assert found.nats == expected.nats and found.interval == expected.interval


def test_of_categories_it_counts_as_a_table_does():
    random = np.random.default_rng(0)
    x, y, z = random.choice(list("abc"), size=(3, 200))
    y = np.where(random.random(200) < 0.4, x, y)
    assert value(x, y, given=z) == pytest.approx(slow(x, y, z), abs=1e-12)
    assert value(x, y) == pytest.approx(slow(x, y, np.zeros(200)), abs=1e-12)


@pytest.mark.parametrize("step", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_rounding_does_not_mislead_it(correlation, step):
    """Rounding to half a standard deviation loses 0.007 nats of 0.22; ksg reads the ties as information."""
    law = Gaussian.from_correlation(1, correlation)
    found, ksg = [], []
    for seed in range(8):
        x, y = ((side.numpy() / step).round() for side in law.sample(600, seed))
        found.append(value(x, y))
        ksg.append(value(x, y, "ksg"))
    assert np.mean(found) == pytest.approx(law.mutual_information, abs=0.045)
    assert np.mean(ksg) > law.mutual_information + 0.05


def zero_inflated(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.exponential(size=n)
    return x, np.where(random.random(n) < 0.15, 0, random.poisson(x)).astype(float)


def zero_inflated_nats(share: float) -> float:
    """H(y) - E[H(y | x)], by Laguerre's quadrature over x. (The closed form of Gao et al. 2017 is an upper bound.)"""
    counts = np.arange(150)
    marginal = (1 - share) * 0.5 ** (counts + 1.0)
    given_x = []
    nodes, weights = np.polynomial.laguerre.laggauss(80)
    for node in nodes:
        law = (1 - share) * poisson.pmf(counts, node)
        law[0] += share
        given_x.append(entr(law).sum())
    marginal[0] += share
    return float(entr(marginal).sum() - weights @ np.array(given_x))


def test_a_zero_inflated_poisson_law():
    values = [value(*zero_inflated(800, seed)) for seed in range(8)]
    assert np.mean(values) == pytest.approx(zero_inflated_nats(0.15), abs=0.04)


def test_text_beside_numbers():
    random = np.random.default_rng(0)
    label = random.integers(3, size=900)
    x = label + 2 * random.random(900)
    truth = math.log(3) - 2 * math.log(2) / 3
    assert value(x, np.array(["low", "mid", "high"])[label]) == pytest.approx(truth, abs=0.06)


@pytest.mark.parametrize(("n_columns", "n_classes"), [(20, 10), (3, 50)])
def test_labels_beside_many_columns_are_read_as_by_ross(n_columns, n_classes):
    """Neighbours in many columns are far: were a label nearer, all neighbours would be of any class, and tell 0."""
    random = np.random.default_rng(0)
    label = np.arange(600) % n_classes
    x = random.normal(size=(600, n_columns)) + random.normal(size=(n_classes, n_columns))[label]
    found = mibounds.estimate(x, label.astype(str), method="mixed")
    ross = mibounds.estimate(x, label.astype(str), method="ross")
    assert found.nats == pytest.approx(ross.nats, abs=1e-12) and found.nats > 0.3


def test_where_few_share_a_label_neighbours_are_as_many_and_where_none_do_nothing_is_read():
    random = np.random.default_rng(0)
    label = np.repeat(np.arange(70), [*[3] * 60, *[2] * 5, *[1] * 5])
    x, kept = label + random.normal(size=195), label < 65
    of_kept = x[kept], label[kept].astype(str)
    assert value(*of_kept) == pytest.approx(value(*of_kept, "ross"), abs=1e-12)
    terms = mibounds.pointwise(x, label.astype(str), method="mixed")
    assert not terms[~kept].any()
    warnings = mibounds.estimate(x, label.astype(str), method="mixed").warnings
    assert "5 of 195 pairs share their categories with no other, and read 0" in warnings


def test_many_categories_beside_far_values():
    """Counts of neighbours are exact, whatever the scales: numbers of 1e17 beside 400 labels."""
    random = np.random.default_rng(0)
    x = np.exp(12 * random.normal(size=1000))
    few, many = (
        mibounds.pointwise(x, random.integers(kinds, size=1000).astype(str), method="mixed")
        for kinds in (5, 400)
    )
    assert abs(few.mean()) < 0.1 and np.isfinite(many).all()


def test_given_a_label_that_both_depend_on_nothing_is_left():
    random = np.random.default_rng(0)
    z = random.integers(3, size=900)
    x, y = 5 * z + random.normal(size=(2, 900))
    assert value(x, y) > 0.9
    assert value(x, y, given=z.astype(str)) == pytest.approx(0.0, abs=0.06)


def test_spreading_can_be_undone_and_leaves_single_values_alone():
    column = np.array([0.0, 0.0, 1.0, 4.5, 4.5, 4.5, -3.2])
    source = np.random.default_rng(0)
    for _ in range(20):
        (moved,) = spread(column[:, None], source).T
        nearest = np.unique(column)[np.abs(moved[:, None] - np.unique(column)).argmin(axis=1)]
        assert np.array_equal(nearest, column)
        assert moved[2] == 1.0 and moved[6] == -3.2 and len(np.unique(moved)) == 7


def test_all_values_of_a_column_with_steps_are_spread_within_half_a_step():
    column, source = np.random.default_rng(0).permutation(100) / 10, np.random.default_rng(0)
    (moved,) = spread(column[:, None], source).T
    assert (moved != column).all() and np.abs(moved - column).max() <= 0.05 + 1e-9


def test_independent_ranks_share_nothing():
    ranks = [np.random.default_rng(seed) for seed in range(20)]
    read = [value(*(r.permutation(300)[:, None].astype(float) for _ in "xy")) for r in ranks]
    assert abs(np.mean(read)) < 0.02


def test_labels_in_z_are_shared_by_neighbours():
    random = np.random.default_rng(0)
    label = random.integers(10, size=1000)
    x, y = 3 * label + random.normal(size=(2, 1000))
    found = mibounds.estimate(x, y, given=label, method="mixed")
    text = mibounds.estimate(x, y, given=[f"label {k}" for k in label], method="mixed")
    assert found.nats == pytest.approx(text.nats, abs=1e-12) and abs(found.nats) < 0.03


def test_spreads_are_as_many_as_asked_and_one_where_nothing_repeats():
    x, y, _ = normals(50)[:, :, None]
    assert len(list(spreads([x.round(), y], 4, 0))) == 4
    ((on_x, on_y),) = spreads([x, y], 4, 0)
    assert len(np.unique(on_x)) == 50 and np.corrcoef(on_y[:, 0], y[:, 0])[0, 1] == pytest.approx(1.0)


def test_the_same_seed_repeats_and_the_mean_of_pointwise_values_is_the_estimate():
    x, y, z = normals(300).round(1)
    assert value(x, y, seed=3) == value(x, y, seed=3) != value(x, y, seed=4)
    found = mibounds.estimate(x, y, given=z, method="mixed", seed=3)
    assert found.nats == pytest.approx(value(x, y, given=z, seed=3), abs=1e-12)
    assert found.interval[0] < found.nats < found.interval[1]


def test_parameters_and_too_few_samples_are_refused():
    x, y, _ = normals(9)
    with pytest.raises(DataError, match="expected at least 10"):
        value(x, y)
    for name in ("neighbours", "spreads"):
        with pytest.raises(ParameterError, match=f"{name} must be a whole number, at least 1; got 0"):
            value(x, y, **{name: 0})
