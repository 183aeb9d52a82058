"""Coverage and error rates of mibounds.statistics, measured at fixed seeds within four binomial errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mibounds import statistics
from mibounds.errors import ParameterError, ShapeError

N_TRIALS = 1000


def near(rate: float, stated: float, trials: int = N_TRIALS) -> bool:
    return abs(rate - stated) < 4 * math.sqrt(stated * (1 - stated) / trials)


def samples(n: int, seed: int, trials: int = N_TRIALS) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(trials, n))


@pytest.mark.parametrize("n", [3, 10])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_mean_interval_covers_as_stated(n: int, confidence: float):
    intervals = [statistics.mean_interval(row + 3, confidence) for row in samples(n, seed=n)]
    assert near(np.mean([low <= 3 <= high for _, low, high in intervals]), confidence)


def test_paired_interval_covers_the_difference_and_gains_from_pairing():
    common, first, second = samples(10, 1), samples(10, 2), samples(10, 3)
    pairs = [(5 * c + a + 1, 5 * c + b) for c, a, b in zip(common, first, second, strict=True)]
    intervals = [statistics.paired_interval(a, b) for a, b in pairs]
    assert near(np.mean([low <= 1 <= high for _, low, high in intervals]), 0.95)
    alone = statistics.mean_interval(pairs[0][0])
    assert intervals[0].high - intervals[0].low < alone.high - alone.low


def test_one_sided_intervals_cover_as_stated():
    rows = samples(6, seed=4)
    assert near(np.mean([statistics.one_sided_lower(row).low <= 0 for row in rows]), 0.95)
    assert near(np.mean([statistics.one_sided_upper(row).high >= 0 for row in rows]), 0.95)
    assert statistics.one_sided_lower(rows[0]).high == math.inf
    assert statistics.one_sided_upper(rows[0]).low == -math.inf


def test_p_value_is_uniform_under_the_null_and_agrees_with_the_interval():
    rows = samples(8, seed=5)
    p = np.array([statistics.p_value(row) for row in rows])
    assert near(np.mean(p < 0.05), 0.05) and near(np.mean(p < 0.5), 0.5)
    excludes = [not low <= 0 <= high for _, low, high in map(statistics.mean_interval, rows)]
    assert excludes == (p < 0.05).tolist()


def test_holm_keeps_the_familywise_error_and_beats_bonferroni():
    rng = np.random.default_rng(6)
    false, more = [], 0
    for _ in range(N_TRIALS):
        p = np.concatenate([rng.uniform(size=3), rng.uniform(size=3) * 0.012])
        rejected = statistics.holm(p) <= 0.05
        false.append(rejected[:3].any())
        more += int(rejected.sum() - (6 * p <= 0.05).sum())
    assert np.mean(false) < 0.05 + 4 * math.sqrt(0.05 * 0.95 / N_TRIALS)
    assert more > 0


def test_holm_under_the_global_null_reaches_its_level():
    p = np.random.default_rng(7).uniform(size=(N_TRIALS, 5))
    assert near(np.mean([(statistics.holm(row) <= 0.05).any() for row in p]), 1 - (1 - 0.01) ** 5)


def test_intervals_at_holms_confidence_decide_as_holm_does():
    shifts = np.array([0.0, 0.3, 0.7, 1.2])
    rng = np.random.default_rng(8)
    for _ in range(200):
        groups = rng.normal(size=(4, 10)) + shifts[:, None]
        p = np.array([statistics.p_value(group) for group in groups])
        levels = statistics.holm_confidence(p)
        intervals = [statistics.mean_interval(g, level) for g, level in zip(groups, levels, strict=True)]
        excludes = [not low <= 0 <= high for _, low, high in intervals]
        assert excludes == (statistics.holm(p) <= 0.05).tolist()


def test_equivalence_errs_at_its_level_on_the_margin_and_has_power_inside():
    on_margin = [statistics.equivalence(row + 2, margin=2.0) for row in samples(12, seed=9)]
    assert near(np.mean([one.equivalent for one in on_margin]), 0.05)
    assert [one.p_value < 0.05 for one in on_margin] == [one.equivalent for one in on_margin]
    inside = [statistics.equivalence(row, margin=2.0).equivalent for row in samples(12, seed=10)]
    assert np.mean(inside) > 0.99


def test_equivalence_is_not_claimed_from_absence_of_a_difference():
    wide = statistics.equivalence([-3.0, 3.0, 0.1], margin=1.0)
    assert wide.low < 0 < wide.high and not wide.equivalent


@pytest.mark.parametrize("errors", [None, np.linspace(0.5, 2.0, 8)])
def test_slope_interval_covers_as_stated(errors: np.ndarray | None):
    x = np.arange(8.0)
    noise = samples(8, seed=11) * (1 if errors is None else errors)
    intervals = [statistics.slope_interval(x, 2 - 0.5 * x + row, errors) for row in noise]
    assert near(np.mean([low <= -0.5 <= high for _, low, high in intervals]), 0.95)


def test_bootstrap_interval_covers_nearly_as_stated_and_repeats():
    trials = 300
    rows = samples(40, seed=12, trials=trials)
    intervals = [
        statistics.bootstrap_interval(row, np.mean, seed=i, n_resamples=400) for i, row in enumerate(rows)
    ]
    rate = np.mean([low <= 0 <= high for _, low, high in intervals])
    assert 0.90 < rate < 0.98
    again = statistics.bootstrap_interval(rows[0], np.mean, seed=0, n_resamples=400)
    assert again == intervals[0]


def test_bootstrap_leaves_the_global_state_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    statistics.bootstrap_interval(np.arange(20.0), np.median, seed=0, n_resamples=50)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_jackknife_interval_covers_a_ratio_of_means():
    rng = np.random.default_rng(13)
    hits = []
    for _ in range(N_TRIALS):
        a, b = rng.normal(2, 0.3, size=200), rng.normal(4, 0.3, size=200)
        groups = np.arange(200).reshape(20, 10)
        left_out = [np.delete(a, g).mean() / np.delete(b, g).mean() for g in groups]
        _, low, high = statistics.jackknife_interval(a.mean() / b.mean(), left_out)
        hits.append(low <= 0.5 <= high)
    assert near(np.mean(hits), 0.95)


@pytest.mark.parametrize("p", [0.02, 0.3, 0.9])
def test_clopper_pearson_never_covers_less_than_stated(p: float):
    from scipy.stats import binom

    n = 25
    intervals = [statistics.clopper_pearson(k, n) for k in range(n + 1)]
    covered = [k for k, (_, low, high) in enumerate(intervals) if low <= p <= high]
    assert binom.pmf(covered, n, p).sum() >= 0.95
    assert statistics.clopper_pearson(n, n).high == 1.0


def test_one_value_decides_nothing():
    for interval in (statistics.mean_interval([1.0]), statistics.paired_interval([1.0], [2.0])):
        assert interval[1:] == (-math.inf, math.inf)
    assert statistics.one_sided_lower([1.0]).low == -math.inf
    assert statistics.p_value([1.0]) == 1.0
    assert not statistics.equivalence([0.0], margin=1.0).equivalent
    assert statistics.bootstrap_interval([1.0], np.mean, seed=0)[1:] == (-math.inf, math.inf)


def test_values_that_are_not_finite_give_no_interval():
    assert math.isnan(statistics.mean_interval([1.0, math.nan, 2.0]).low)


def test_constant_values_give_an_interval_of_no_width():
    assert statistics.mean_interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)
    assert statistics.p_value([2.0, 2.0]) == 0.0 and statistics.p_value([0.0, 0.0]) == 1.0
    assert statistics.equivalence([0.5, 0.5], margin=1.0).p_value == 0.0


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: statistics.mean_interval([]), ShapeError),
        (lambda: statistics.mean_interval([1.0, 2.0], confidence=95), ParameterError),
        (lambda: statistics.paired_interval([1.0, 2.0], [1.0]), ShapeError),
        (lambda: statistics.equivalence([1.0, 2.0], margin=0.0), ParameterError),
        (lambda: statistics.slope_interval([1.0, 2.0], [1.0, 2.0]), ParameterError),
        (lambda: statistics.slope_interval([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]), ParameterError),
        (lambda: statistics.slope_interval([1.0, 2.0, 3.0], [1.0, 2.0]), ShapeError),
        (lambda: statistics.clopper_pearson(3, 2), ParameterError),
        (lambda: statistics.holm_confidence([0.1], alpha=0.0), ParameterError),
    ],
)
def test_bad_input_has_a_named_error(call, error):
    with pytest.raises(error):
        call()
