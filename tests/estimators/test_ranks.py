"""Scores of places among fitted rows: those of ranks, of order alone, and blind to all other rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from mibounds.estimators._ranks import CentredScores, probabilities

RANDOM = np.random.default_rng(0)
COLUMNS = np.stack(
    [RANDOM.normal(size=400), RANDOM.integers(5, size=400), RANDOM.random(400) < 0.01, np.full(400, 3.0)],
    axis=1,
)


def test_of_fitted_rows_they_are_the_quantiles_of_their_ranks_ties_and_all():
    expected = ndtri(probabilities(COLUMNS))
    found = CentredScores.fitted(COLUMNS)(COLUMNS)
    assert found == pytest.approx(expected - expected.mean(axis=0), abs=1e-12)
    assert found.mean(axis=0) == pytest.approx(0, abs=1e-12)


def test_another_row_stands_in_the_middle_of_its_neighbours_and_beyond_all_at_a_finite_place():
    scores = CentredScores.fitted(np.array([[1.0], [2.0], [4.0]]))
    between = scores(np.array([[-np.inf], [1.5], [2.0], [1e300]]))[:, 0]
    assert between == pytest.approx(ndtri(np.array([0.5, 1.5, 2.0, 3.5]) / 4))


def test_only_the_order_counts():
    fitted, others = COLUMNS[:300], COLUMNS[300:]
    plain = CentredScores.fitted(fitted)(others)
    assert np.array_equal(CentredScores.fitted(np.exp(fitted))(np.exp(others)), plain)
