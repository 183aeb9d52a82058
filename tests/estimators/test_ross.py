"""A discrete side beside numbers: scikit-learn's value where nothing repeats, the truth where it is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_classif

import mibounds
from mibounds.errors import DataError, ParameterError


def value(x, y, **options) -> float:
    return mibounds.estimate(x, y, method="ross", **options).nats


def classes(n: int, kinds: int, dim: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """`n x dim` numbers around their label, and the label."""
    random = np.random.default_rng(seed)
    label = random.integers(kinds, size=n)
    return label[:, None] + 2 * random.random((n, dim)), label


def slow(x: np.ndarray, label: np.ndarray, k: int) -> float:
    apart = (np.abs(x[:, None] - x) / x.std(axis=0)).max(axis=2)
    terms = []
    for i in range(len(x)):
        others = np.arange(len(x)) != i
        own = others & (label == label[i])
        near = min(k, own.sum())
        m = np.sum(apart[i, others] < np.sort(apart[i, own])[near - 1]) + 1
        terms.append(digamma(near) - digamma(own.sum() + 1) - digamma(m))
    return float(np.mean(terms) + digamma(len(x)))


@pytest.mark.parametrize(("n", "kinds", "dim", "k"), [(200, 2, 1, 3), (300, 5, 1, 5), (200, 3, 4, 1)])
def test_it_is_the_slow_version_to_rounding(n, kinds, dim, k):
    x, label = classes(n, kinds, dim)
    assert value(x, label, neighbours=k) == pytest.approx(slow(x, label, k), abs=1e-12)


@pytest.mark.parametrize(("n", "kinds"), [(200, 2), (500, 5)])
def test_it_is_scikit_learns_but_for_the_noise_that_it_adds(n, kinds):
    x, label = classes(n, kinds)
    (theirs,) = mutual_info_classif(x, label, random_state=0)
    assert value(x, label) == pytest.approx(theirs, abs=1e-5)


def test_the_truth_of_overlapping_uniforms():
    """Ross 2014: I = ln m - (m - 1)/m ln 2."""
    values = [mibounds.pointwise(*classes(600, 4, seed=seed), method="ross").mean() for seed in range(10)]
    assert np.mean(values) == pytest.approx(math.log(4) - 0.75 * math.log(2), abs=0.03)


def test_independent_sides_hold_nothing_and_the_interval_covers():
    found = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        x, y = random.normal(size=300), random.integers(3, size=300)
        found.append(mibounds.estimate(x, y, method="ross", seed=seed))
    assert np.mean([e.nats for e in found]) == pytest.approx(0, abs=0.015)
    assert min(e.nats for e in found) < 0, "never clipped"
    assert np.mean([e.interval[0] <= 0 <= e.interval[1] for e in found]) >= 0.8


def test_either_side_may_be_the_discrete_one():
    x, label = classes(300, 3)
    expected = value(x, label)
    assert value(label, x) == pytest.approx(expected, abs=1e-12)
    assert value(x, np.array(["a", "b", "c"])[label]) == pytest.approx(expected, abs=1e-12)
    assert value(x, label, discrete="y") == pytest.approx(expected, abs=1e-12)


def test_rounded_numbers_do_not_mislead_it():
    random = np.random.default_rng(0)
    label = random.integers(2, size=1000)
    assert abs(value(random.normal(size=1000).round(1), label)) < 0.03


def test_a_class_of_one_is_left_out_and_said_so():
    x, label = classes(200, 2)
    label[0] = 7
    found = mibounds.estimate(x, label, method="ross")
    assert found.nats == pytest.approx(value(x[1:], label[1:]), abs=1e-6) and found.folds == {"all": 199}
    assert any("1 of 200 pairs are alone in their class" in said for said in found.warnings)
    with pytest.raises(DataError, match="a class has a single member"):
        mibounds.pointwise(x, label, method="ross")


def test_parts_of_too_few_pairs_to_scatter_are_refused():
    x, label = np.random.default_rng(0).normal(size=12), np.arange(12) % 2
    for n in (4, 8, 9):
        with pytest.raises(DataError, match=f"in each of two halves: {n}; expected at least 10"):
            value(x[:n], label[:n])
    low, high = mibounds.estimate(x[:10], label[:10], method="ross").interval
    assert low < high


def test_pointwise_values_have_the_estimate_as_their_mean():
    x, label = classes(200, 2)
    assert mibounds.pointwise(x, label, method="ross").mean() == pytest.approx(value(x, label), abs=1e-12)


def test_what_it_cannot_take_is_refused():
    x, label = classes(60, 2)
    words = np.array(["a", "b"])[label]
    with pytest.raises(DataError, match="not categories; take discrete or mixed"):
        value(words, words)
    with pytest.raises(DataError, match="never repeats"):
        value(x, x**2)
    with pytest.raises(ParameterError, match="ross has no form given z; expected one of auto, discrete"):
        value(x, label, given=x**2)
    with pytest.raises(ParameterError, match="discrete must be auto, x or y"):
        value(x, label, discrete="z")


def test_one_class_with_company_tells_nothing():
    flag = np.arange(400) == 7
    with pytest.raises(DataError, match="one class alone has more than one member"):
        mibounds.estimate(np.random.default_rng(0).normal(size=400).round(2), flag, method="ross")


def test_the_side_of_lower_entropy_has_the_classes_where_both_have_as_many_values():
    random = np.random.default_rng(0)
    few = random.integers(10, size=300)
    lower = np.minimum(few, random.integers(10, size=300))
    both = [mibounds.estimate(*sides, method="ross").nats for sides in ((few, lower), (lower, few))]
    assert both[0] == both[1]
