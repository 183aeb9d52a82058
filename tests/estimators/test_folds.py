"""Folds and what is fitted on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mibounds.errors import DataError, ParameterError
from mibounds.estimators._folds import equal_blocks, require_shares, split, standardised

SHARES = (0.6, 0.2, 0.2)


def test_folds_are_disjoint_cover_all_rows_and_repeat_by_seed():
    folds, again, other = split(500, SHARES, 0), split(500, SHARES, 0), split(500, SHARES, 1)
    rows = torch.cat([folds.train, folds.select, folds.report])
    assert sorted(rows.tolist()) == list(range(500))
    assert folds.sizes() == {"train": 300, "select": 100, "report": 100}
    assert torch.equal(folds.train, again.train) and not torch.equal(folds.train, other.train)


@pytest.mark.parametrize("shares", [SHARES, (0.34, 0.33, 0.33), (0.01, 0.5, 0.49)])
def test_too_few_rows_say_how_many_are_needed(shares):
    with pytest.raises(DataError, match="expected at least") as caught:
        split(60, shares, 0)
    least = int(str(caught.value).rsplit(" ", 1)[1])
    assert min(split(least, shares, 0).sizes().values()) >= 32
    with pytest.raises(DataError):
        split(least - 1, shares, 0)


@pytest.mark.parametrize(
    "shares", [(0.5, 0.5), (0.5, 0.2, 0.2), (0.5, 0.5, 0.0), (1.2, -0.1, -0.1), (0.99, 0.005, 0.005)]
)
def test_shares_that_are_none(shares):
    with pytest.raises(ParameterError, match="folds must be three shares"):
        require_shares(shares)


def test_only_the_training_rows_are_fitted():
    values = np.random.default_rng(0).normal(5, 3, (100, 2))
    train = torch.randperm(100, generator=torch.Generator().manual_seed(0))[:60]
    others = np.setdiff1d(np.arange(100), train.numpy())
    changed = values.copy()
    changed[others] *= 100
    assert torch.equal(standardised(values, train)[train], standardised(changed, train)[train])
    plain = standardised(values, train)[train].sinh()
    torch.testing.assert_close(plain.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(plain.std(0, correction=0), torch.ones(2))


def test_standardising_keeps_order_and_is_finite_at_any_magnitude():
    values = np.linspace(-1, 1, 2001)[:, None] * np.array([1e-300, 1.0, 1e300])
    train = torch.arange(995, 1006)
    drawn = standardised(values, train)
    assert drawn.isfinite().all() and (drawn.diff(dim=0) > 0).all() and drawn.abs().max() < 10
    torch.testing.assert_close(drawn, drawn[:, :1].expand(-1, 3))


def test_a_column_that_is_constant_in_the_training_fold_is_only_centred():
    values = np.full((10, 1), 3.0)
    values[9] = 4.0
    assert standardised(values, torch.arange(9))[:9].abs().max() == 0
    assert standardised(values, torch.arange(9))[9].item() == pytest.approx(np.arcsinh(1 / 3))


@pytest.mark.parametrize(
    ("n", "at_most"), [(32, 4096), (4096, 4096), (4097, 4096), (10_000, 4096), (1000, 128)]
)
def test_blocks_are_equal_and_leave_out_fewer_rows_than_there_are_blocks(n, at_most):
    blocks = equal_blocks(n, at_most)
    sizes = {block.stop - block.start for block in blocks}
    assert len(sizes) == 1 and sizes.pop() <= at_most
    rows = [row for block in blocks for row in range(n)[block]]
    assert rows == list(range(len(rows))) and n - len(rows) < len(blocks)
