"""Tables of counts: scikit-learn's value without correction, exact laws of the corrections, intervals that cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

import mibounds
from mibounds.errors import DataError, ParameterError
from mibounds.estimators._counts import CORRECTIONS, Counts


def entropy(values: np.ndarray) -> float:
    shares = np.unique(values, return_counts=True, axis=0)[1] / len(values)
    return float(-(shares * np.log(shares)).sum())


def plug_in(*sides: np.ndarray) -> float:
    """I(x; y | z) by entropies of frequencies, from labels `n` each."""
    x, y, z = (*sides, np.zeros(len(sides[0])))[:3]
    return entropy(np.c_[x, z]) + entropy(np.c_[y, z]) - entropy(np.c_[x, y, z]) - entropy(z)


def letters(n: int, kinds: int, kept: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """y is x with probability `kept`, else anything."""
    random = np.random.default_rng(seed)
    x, other = random.integers(kinds, size=(2, n))
    return x, np.where(random.random(n) < kept, x, other)


def truth_nats(kinds: int, kept: float) -> float:
    joint = (1 - kept) / kinds**2 + kept * np.eye(kinds) / kinds
    return float((joint * np.log(joint * kinds**2)).sum())


def value(*sides, **options) -> float:
    return mibounds.estimate(*sides, method="discrete", **options).nats


@pytest.mark.parametrize(("n", "kinds", "kept"), [(50, 2, 0.0), (500, 7, 0.5), (300, 40, 0.9), (90, 3, 1.0)])
def test_without_correction_it_is_scikit_learns(n, kinds, kept):
    x, y = letters(n, kinds, kept)
    assert value(x, y, correction="none") == pytest.approx(mutual_info_score(x, y), abs=1e-12)


def test_given_z_it_is_the_frequencies_information():
    x, y = letters(400, 4, 0.4)
    z = np.random.default_rng(1).integers(3, size=400)
    assert value(x, y, given=z, correction="none") == pytest.approx(plug_in(x, y, z), abs=1e-12)
    assert value(x, y, given=x, correction="none") == pytest.approx(0, abs=1e-12)
    both = np.c_[z, x % 2]
    of_each = 2 * z + x % 2
    assert value(x, y, given=both) == value(x, y, given=of_each), "a row's columns are one value"


def test_the_jackknife_is_the_one_that_leaves_pairs_out():
    x, y = letters(60, 4, 0.3)
    z = np.random.default_rng(1).integers(2, size=60)
    n = len(x)
    without = [plug_in(*(np.delete(side, i) for side in (x, y, z))) for i in range(n)]
    slow = n * plug_in(x, y, z) - (n - 1) * np.mean(without)
    assert value(x, y, given=z) == pytest.approx(slow, abs=1e-10)


def test_miller_and_madow_take_off_what_they_say():
    x, y = letters(60, 4, 0.3)
    cells = [len(np.unique(side, axis=0)) for side in (x, y, np.c_[x, y])]
    expected = plug_in(x, y) + (cells[0] + cells[1] - cells[2] - 1) / (2 * len(x))
    assert value(x, y, correction="miller_madow") == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("kinds", "kept", "n"), [(2, 0.0, 50), (5, 0.0, 200), (5, 0.5, 200), (10, 0.5, 500)])
def test_corrections_leave_less_bias_and_the_interval_covers(kinds, kept, n):
    found = {
        name: [
            mibounds.estimate(*letters(n, kinds, kept, seed), method="discrete", correction=name)
            for seed in range(200)
        ]
        for name in CORRECTIONS
    }
    truth = truth_nats(kinds, kept)
    bias = {name: abs(np.mean([e.nats for e in of]) - truth) for name, of in found.items()}
    assert bias["jackknife"] < bias["none"] / 2 and bias["miller_madow"] < bias["none"] / 2
    covered = np.mean([e.interval[0] <= truth <= e.interval[1] for e in found["jackknife"]])
    assert covered >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 200)
    assert kept > 0 or min(e.nats for e in found["jackknife"]) < 0, "never clipped"


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_pointwise_values_have_the_estimate_as_their_mean(correction):
    x, y = letters(300, 4, 0.4)
    for given in (None, x % 2):
        terms = mibounds.pointwise(x, y, given=given, method="discrete", correction=correction)
        assert terms.shape == (300,)
        assert terms.mean() == pytest.approx(value(x, y, given=given, correction=correction), abs=1e-12)


def test_a_pairs_value_is_its_cells_log_ratio():
    x, y = letters(300, 3, 0.4)
    terms = mibounds.pointwise(x, y, method="discrete", correction="none")
    share = np.mean((x == x[0]) & (y == y[0])) / (np.mean(x == x[0]) * np.mean(y == y[0]))
    assert terms[0] == pytest.approx(math.log(share))


def test_text_is_the_same_as_its_codes_and_names_do_not_matter():
    x, y = letters(200, 4, 0.4)
    words = np.array(["north", "east", "south", "west"])
    assert value(words[x], words[y]) == pytest.approx(value(x, y), abs=1e-12)
    assert value(y, x) == pytest.approx(value(x, y), abs=1e-12)


def test_degrees_of_freedom_count_what_is_seen_with_each_z():
    x, y, z = (
        np.array([0, 1, 0, 1, 2, 2, 2]),
        np.array([0, 0, 1, 1, 0, 1, 2]),
        np.array([0, 0, 0, 0, 1, 1, 1]),
    )
    assert Counts.of(x, y, z).degrees == (2 - 1) * (2 - 1) + (1 - 1) * (3 - 1)
    assert Counts.of(x, y).degrees == 2 * 2


def test_a_table_with_too_few_pairs_is_warned_of():
    few, many = (mibounds.estimate(*letters(n, 20, 0.5), method="discrete") for n in (200, 4000))
    assert any("alone in their cell" in said for said in few.warnings) and few.nats > truth_nats(20, 0.5)
    assert many.warnings == ()


def test_what_cannot_be_a_table_is_refused():
    x = np.random.default_rng(0).normal(size=50)
    with pytest.raises(DataError, match="x never repeats in 50 rows"):
        value(x, x > 0)
    with pytest.raises(ParameterError, match="correction must be one of none, miller_madow, jackknife"):
        value(x > 0, x > 1, correction="chao")
