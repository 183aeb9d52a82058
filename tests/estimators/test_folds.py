"""Folds and what is fitted on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mibounds.errors import DataError
from mibounds.estimators._folds import split, standardised

SHARES = (0.6, 0.2, 0.2)


def test_folds_are_disjoint_cover_all_rows_and_repeat_by_seed():
    folds, again, other = split(500, SHARES, 0), split(500, SHARES, 0), split(500, SHARES, 1)
    rows = torch.cat([folds.train, folds.select, folds.report])
    assert sorted(rows.tolist()) == list(range(500))
    assert folds.sizes() == {"train": 300, "select": 100, "report": 100}
    assert torch.equal(folds.train, again.train) and not torch.equal(folds.train, other.train)


def test_too_few_rows_say_how_many_are_needed():
    with pytest.raises(DataError, match="expected at least") as caught:
        split(60, SHARES, 0)
    least = int(str(caught.value).rsplit(" ", 1)[1])
    split(least, SHARES, 0)
    with pytest.raises(DataError):
        split(least - 1, SHARES, 0)


def test_only_the_training_rows_are_fitted():
    values = np.random.default_rng(0).normal(5, 3, (100, 2))
    train = torch.arange(60)
    changed = values.copy()
    changed[60:] *= 100
    assert torch.equal(standardised(values, train)[:60], standardised(changed, train)[:60])
    # Few normal values lie beyond 3 standard deviations, where the tails are drawn in.
    assert standardised(values, train)[:60].mean(0).abs().max() < 0.05


def test_drawing_in_the_tails_is_monotone_and_leaves_the_rest_alone():
    values = np.linspace(-1000, 1000, 4001)[:, None]
    train = torch.arange(1990, 2011)  # from -5 to 5
    drawn = standardised(values, train)[:, 0].double().numpy()
    assert (np.diff(drawn) > 0).all() and np.abs(drawn).max() < 10
    plain = values[:, 0] / values[train.numpy(), 0].std()
    inside = np.abs(plain) < 3
    np.testing.assert_allclose(drawn[inside], plain[inside], atol=1e-5)
