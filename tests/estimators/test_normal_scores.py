"""Maps of single columns: increasing, fitted on what they are given alone, and with the slope that they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mibounds.estimators._folds import Scale
from mibounds.estimators._normal_scores import NormalScores

RANDOM = np.random.default_rng(0)
COLUMNS = {
    "normal": RANDOM.normal(3.0, 2.0, 2000),
    "heavy": RANDOM.standard_t(1, 2000),
    "exponential": RANDOM.exponential(size=2000),
    "two heaps": np.where(RANDOM.random(2000) < 0.5, -5.0, 5.0) + RANDOM.normal(size=2000),
    "tiny": 1e-200 * RANDOM.normal(size=2000),
    "huge": 1e200 * RANDOM.normal(size=2000),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_what_comes_out_is_normal_and_in_the_same_order(name):
    column = COLUMNS[name]
    scores = NormalScores.fitted(column[:1000, None])(column[:, None])[:, 0]
    fresh = scores[1000:].double().numpy()
    expected = np.quantile(RANDOM.normal(size=100_000), [0.1, 0.3, 0.5, 0.7, 0.9])
    assert np.abs(np.quantile(fresh, [0.1, 0.3, 0.5, 0.7, 0.9]) - expected).max() < 0.2
    assert (np.diff(scores.numpy()[np.argsort(column)]) >= 0).all() and scores.isfinite().all()


@pytest.mark.parametrize("name", ["normal", "heavy", "exponential", "two heaps"])
def test_the_slope_is_the_derivative(name):
    column = COLUMNS[name]
    scores = NormalScores.fitted(column[:1000, None])
    places = np.linspace(*np.quantile(column, [0.02, 0.98]), 50)[:, None]
    step = 1e-6 * np.ptp(np.quantile(column, [0.25, 0.75]))
    fine = [_in_float64(scores, places + sign * step) for sign in (-1, 1)]
    numerical = np.log((fine[1] - fine[0]) / (2 * step))
    assert np.allclose(scores.log_slope(places).numpy(), numerical, atol=2e-3)


def _in_float64(scores: NormalScores, values: np.ndarray) -> np.ndarray:
    from mibounds.estimators import _normal_scores

    (places, targets) = scores.knots[0]
    return _normal_scores._map(scores.scale(values)[:, 0], places, targets)[0]


def test_values_beyond_those_fitted_keep_their_order():
    column = COLUMNS["normal"]
    low, high = column.min(), column.max()
    beyond = np.array([low - 100, low - 10, low - 1, high + 1, high + 10, high + 100])[:, None]
    scores = NormalScores.fitted(column[:, None])(beyond)[:, 0]
    assert (scores.diff() > 0).all() and scores.isfinite().all()


def test_ties_and_columns_that_do_not_vary():
    values = np.stack([RANDOM.integers(0, 2, 500), np.full(500, 7.0)], axis=1).astype(float)
    scores = NormalScores.fitted(values)(values)
    assert scores.isfinite().all() and len(scores[:, 0].unique()) == 2 and (scores[:, 1] == 0).all()


def test_a_scale_is_what_it_was_fitted_to():
    fitted, others = RANDOM.normal(size=(50, 2)), RANDOM.normal(size=(50, 2))
    scale = Scale.fitted(fitted)
    assert np.allclose(scale(others), np.arcsinh((others - fitted.mean(0)) / fitted.std(0)))
    assert torch.equal(NormalScores.fitted(fitted)(others), NormalScores.fitted(fitted.copy())(others))
