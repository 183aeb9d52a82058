"""Classes by linear log odds: fitted as scikit-learn does, and near the truth where the odds are linear."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import mibounds
from mibounds.errors import DataError, ParameterError
from mibounds.estimators._ranks import CentredScores
from mibounds.estimators.logistic import Logistic


def factor(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A label, and one that is it in three of five pairs and otherwise any: 0.332 nats."""
    random = np.random.default_rng(seed)
    z = random.integers(3, size=n)
    return np.array(list("abc"))[z], np.where(random.random(n) < 0.6, z, random.integers(3, size=n))


def factor_nats() -> float:
    same, other = (0.6 + 0.4 / 3), 0.4 / 3
    return math.log(3) + same * math.log(same) + 2 * other * math.log(other)


@pytest.mark.parametrize("scale", [1.0, 0.2])
def test_the_fit_is_that_of_scikit_learn_with_a_pair_of_each_class_in_the_middle(scale):
    random = np.random.default_rng(0)
    labels = random.integers(3, size=300)
    x = random.normal(size=(300, 2)) + labels[:, None] * [0.5, 1.0]
    x = CentredScores.fitted(x)(x)
    posterior = Logistic(scale)._fit(x, labels, np.bincount(labels) / 300)
    peer = LogisticRegression(C=scale**2, tol=1e-8)
    peer.fit(np.vstack([x, np.zeros((3, 2))]), np.append(labels, [0, 1, 2]))
    assert posterior(x) == pytest.approx(peer.predict_log_proba(x), abs=2e-3)


def test_classes_that_are_rare_cost_little():
    """Of forty classes of one pair each, none is among the pairs that fit what reads it."""
    random = np.random.default_rng(0)
    classes = np.append(random.integers(3, size=360), np.arange(3, 43))
    found = mibounds.estimate(random.normal(size=(400, 2)), classes.astype(str), method="logistic")
    assert abs(found.nats) < 0.15


def test_it_is_near_the_truth_beside_a_label_and_a_number():
    found = []
    for seed in range(6):
        label, classes = factor(1500, seed)
        number = np.random.default_rng(seed).normal(size=1500)
        frame = {"label": label, "number": number}
        found.append(mibounds.estimate(pd.DataFrame(frame), classes, method="logistic"))
    assert np.mean([e.nats for e in found]) == pytest.approx(factor_nats(), abs=0.02)
    assert sum(e.interval[0] < factor_nats() < e.interval[1] for e in found) >= 5


def test_nothing_is_read_where_there_is_nothing():
    random = np.random.default_rng(0)
    held = 0
    for _ in range(20):
        found = mibounds.estimate(
            random.normal(size=(300, 5)), random.integers(3, size=300), method="logistic"
        )
        held += found.interval[0] <= 0 <= found.interval[1]
    assert held >= 17


def test_pointwise_values_are_of_pairs_that_did_not_fit():
    random = np.random.default_rng(0)
    x, classes = random.normal(size=(60, 40)), random.integers(2, size=60)
    assert mibounds.pointwise(x, classes, method="logistic").mean() < -0.1
    assert (
        mibounds.estimate(x, classes, method="logistic").nats
        > mibounds.pointwise(x, classes, method="logistic").mean()
    )


def test_what_it_cannot_take_is_refused():
    x, words = np.arange(40.0) ** 2, ["a", "b"] * 20
    with pytest.raises(ParameterError, match="scale must be between 1e-6 and 1e6; got 0"):
        mibounds.estimate(x, words, method="logistic", scale=0)
    with pytest.raises(DataError, match="expected at least 10"):
        mibounds.estimate(x[:8], words[:8], method="logistic")
    with pytest.raises(DataError, match="never repeats"):
        mibounds.estimate(x, x, method="logistic")
