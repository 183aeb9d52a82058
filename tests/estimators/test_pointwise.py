"""Each pair's value: held out where a critic is trained, near the law's own, and the estimate's mean."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import mibounds
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DataError, ParameterError
from mibounds.estimators import _cross_fitted, build
from mibounds.estimators._cross_fitted import PARTS, _rotations
from mibounds.estimators.variational import Variational

LAW = Gaussian.from_correlation(1, 0.8)
X, Y = LAW.sample(600, 0)
TRUE = LAW.log_density_ratio(X, Y).numpy()
QUICK = {
    "max_steps": 150,
    "check_every": 25,
    "learning_rate": 3e-3,
    "critic_options": {"hidden": (64,), "embedding": 16},
}


def test_parts_are_disjoint_all_pairs_and_apart_from_what_trains_and_selects():
    rotations = list(_rotations(503, (0.6, 0.2, 0.2), 0))
    assert len(rotations) == PARTS
    reported = torch.cat([folds.report for folds in rotations])
    assert sorted(reported.tolist()) == list(range(503))
    for folds in rotations:
        rows = torch.cat([folds.train, folds.select, folds.report])
        assert sorted(rows.tolist()) == list(range(503))
        assert len(folds.select) == pytest.approx(len(folds.train) / 3, abs=2)


@pytest.mark.parametrize("method", ["info_nce", "nwj"])
def test_trained_values_are_near_the_laws_own(method):
    found = mibounds.pointwise(X, Y, method=method, **QUICK)
    assert found.shape == (600,) and found.dtype == np.float64
    assert np.corrcoef(found, TRUE)[0, 1] > 0.8
    assert found.mean() == pytest.approx(mibounds.estimate(X, Y, method=method, **QUICK).nats, abs=0.2)
    assert found.max() <= math.log(120)


def test_what_a_critic_leaves_open_falls_out(monkeypatch):
    """A constant c(x) added to its scores changes nothing."""
    plain = mibounds.pointwise(X, Y, max_steps=20)
    scores = _cross_fitted._scores
    monkeypatch.setattr(
        _cross_fitted, "_scores", lambda *given: (s := scores(*given)) + torch.arange(len(s))[:, None] / 10
    )
    assert mibounds.pointwise(X, Y, max_steps=20) == pytest.approx(plain, abs=1e-4)


def test_the_mean_over_a_part_is_info_nces_value_there(monkeypatch):
    kept = []
    scores = _cross_fitted._scores
    monkeypatch.setattr(_cross_fitted, "_scores", lambda *given: kept.append(scores(*given)) or kept[-1])
    found = mibounds.pointwise(X, Y, max_steps=20)
    bound = build("info_nce").bound
    assert found.mean() == pytest.approx(torch.stack([bound(s) for s in kept]).mean().item(), abs=1e-6)


def test_a_pairs_critic_has_not_seen_it(monkeypatch):
    """Pairs of one part are replaced: critics of that part stay as they are, others change."""
    fitted = []
    fit = Variational.fit

    def watched(self, x, y, folds, seed):
        fitted.append((folds, fit(self, x, y, folds, seed)))
        return fitted[-1][1]

    monkeypatch.setattr(Variational, "fit", watched)
    mibounds.pointwise(X, Y, max_steps=10, check_every=5)
    part = fitted[0][0].report
    spoiled = X.clone()
    spoiled[part] = 9.0 + spoiled[part] ** 2
    mibounds.pointwise(spoiled, Y, max_steps=10, check_every=5)
    before, after = fitted[:PARTS], fitted[PARTS:]
    assert before[0][1].history == after[0][1].history
    assert all(old.history != new.history for (_, old), (_, new) in zip(before[1:], after[1:], strict=True))


def test_the_gaussians_values_are_its_fitted_laws():
    found = mibounds.pointwise(X, Y, method="gaussian")
    assert np.corrcoef(found, TRUE)[0, 1] > 0.99
    assert found.mean() == pytest.approx(mibounds.estimate(X, Y, method="gaussian").nats, abs=1e-12)


def test_neighbours_values_are_the_terms_of_the_estimate():
    found = mibounds.pointwise(X, Y, method="ksg")
    assert np.corrcoef(found, TRUE)[0, 1] > 0.4
    assert found.mean() == pytest.approx(mibounds.estimate(X, Y, method="ksg").nats, abs=1e-12)


def test_the_same_seed_repeats():
    first, again, other = (mibounds.pointwise(X, Y, max_steps=10, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_what_cannot_be_done_is_named():
    with pytest.raises(DataError, match="too few samples for 5 parts"):
        mibounds.pointwise(X[:100], Y[:100])
    with pytest.raises(ParameterError, match="seed must be an integer"):
        mibounds.pointwise(X, Y, seed="one")


def test_what_is_missing_beside_text_is_refused():
    with pytest.raises(DataError, match="x, column '0', has no entry in 50 of 200 rows, first in row 1"):
        mibounds.pointwise(["a", math.nan, "b", "a"] * 50, [0, 1, 0, 1] * 50, method="discrete")
