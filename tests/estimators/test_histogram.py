"""Bins: the table's value, no more than the columns hold, and edges as they were asked for."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

import mibounds
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import ParameterError

X, Y = (side.numpy()[:, 0] for side in Gaussian.from_correlation(1, 0.8).sample(1000, seed=0))


def value(x, y, **options) -> float:
    return mibounds.estimate(x, y, method="histogram", **options).nats


def test_it_is_the_table_of_the_bins():
    edges = (-1.0, 0.0, 1.0)
    codes = [np.digitize(side, edges) for side in (X, Y)]
    assert value(X, Y, edges=edges, correction="none") == pytest.approx(mutual_info_score(*codes), abs=1e-12)
    wide = [np.histogram_bin_edges(side, 8)[1:-1] for side in (X, Y)]
    codes = [np.digitize(side, inner) for side, inner in zip((X, Y), wide, strict=True)]
    found = value(X, Y, bins=8, edges="width", correction="none")
    assert found == pytest.approx(mutual_info_score(*codes), abs=1e-12)


def test_bins_of_equal_mass_see_ranks_alone():
    assert value(np.exp(X), Y**3, bins=10) == pytest.approx(value(X, Y, bins=10), abs=1e-12)


def test_coarser_bins_hold_less_and_none_hold_more_than_the_columns():
    x, y = (side.numpy()[:, 0] for side in Gaussian.from_correlation(1, 0.8).sample(50_000, seed=1))
    values = [value(x, y, bins=bins) for bins in (2, 4, 8, 16)]
    assert values == sorted(values) and values[-1] < Gaussian.from_correlation(1, 0.8).mutual_information


def test_the_bins_grow_with_the_samples_and_share_out_over_columns():
    assert value(X, Y) == value(X, Y, bins=10), "the cube root of 1,000"
    assert value(np.c_[X, X], Y) != value(X, Y)
    assert mibounds.pointwise(X, Y, method="histogram").mean() == pytest.approx(value(X, Y), abs=1e-12)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bins": 1}, "bins must be"),
        ({"bins": 2.5}, "bins must be"),
        ({"edges": "equal"}, "edges must be mass, width"),
        ({"edges": (1.0, 0.0)}, "ascending"),
        ({"edges": (0.0,), "bins": 3}, "expected one of them"),
        ({"correction": "some"}, "correction must be"),
        ({"given": X}, "no form given z"),
    ],
)
def test_mistakes_are_refused(options, said):
    with pytest.raises(ParameterError, match=said):
        value(X, Y, **options)
