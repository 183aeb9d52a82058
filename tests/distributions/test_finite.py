from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from mibounds.distributions.finite import FiniteTable
from mibounds.errors import DataError, ParameterError, ShapeError
from tests import oracles

TABLE = torch.tensor([[0.0, 3.0, 1.0, 0.0], [2.0, 0.0, 0.0, 4.0]], dtype=torch.float64)


def test_frequencies_are_the_probabilities_and_empty_cells_stay_empty():
    x, y = FiniteTable(TABLE).sample(20_000, 0)
    counts = torch.zeros_like(TABLE)
    counts.index_put_((x.long().flatten(), y.long().flatten()), torch.ones(20_000).double(), accumulate=True)
    some = TABLE > 0
    assert not counts[~some].any()
    expected = TABLE[some] / 10 * 20_000
    assert stats.chisquare(counts[some].numpy(), expected.numpy()).pvalue > 1e-4


def test_information_is_the_sum_over_the_table():
    for seed in range(5):
        joint = oracles.random_joint(4, 3, seed)
        assert FiniteTable(joint).mutual_information == pytest.approx(
            oracles.mutual_information(joint.tolist())
        )
    assert FiniteTable(TABLE).mutual_information == pytest.approx(-0.4 * math.log(0.4) - 0.6 * math.log(0.6))


def test_the_log_ratio_is_read_from_the_table():
    joint = oracles.random_joint(4, 3, 0)
    rows, columns = torch.arange(4.0).unsqueeze(-1), torch.arange(3.0).unsqueeze(-1)
    ratio = FiniteTable(joint).log_density_ratio_matrix(rows, columns)
    torch.testing.assert_close(ratio.double(), oracles.log_density_ratio(joint), atol=1e-6, rtol=0)
    assert FiniteTable(TABLE).log_density_ratio(torch.zeros(1, 1), torch.zeros(1, 1)) == -math.inf


def test_weights_are_scaled_to_probabilities():
    assert FiniteTable(7 * TABLE).joint.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("codes", [[[0.5]], [[-1.0]], [[2.0]], [[math.nan]]])
def test_codes_that_are_no_outcomes_are_refused(codes):
    with pytest.raises(DataError, match="integer codes from 0 to 1"):
        FiniteTable(TABLE).log_density_ratio(torch.tensor(codes), torch.zeros(1, 1))


@pytest.mark.parametrize(
    "joint",
    [[[1.0, -1.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]], [[math.inf, 1.0]]],
)
def test_weights_that_are_no_law_are_refused(joint):
    with pytest.raises(ParameterError, match="non-negative"):
        FiniteTable(torch.tensor(joint))


def test_what_is_no_table_is_refused():
    with pytest.raises(ShapeError, match="table"):
        FiniteTable(torch.ones(3))
