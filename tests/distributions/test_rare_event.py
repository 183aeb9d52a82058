"""Rare events: how rare, that both sides see them, and that without one nothing is shared."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from mibounds.distributions.finite import FiniteTable
from mibounds.distributions.gaussian import Gaussian
from mibounds.distributions.rare_event import RareEvent
from mibounds.errors import ParameterError
from tests import oracles

LAW = RareEvent(0.05, Gaussian.from_correlation(1, 0.99))


def test_events_come_as_often_as_said_and_both_sides_see_them():
    x, y = LAW.sample(20_000, 0)
    in_x, in_y = x[:, 0] >= 1, y[:, 0] >= 1
    assert torch.equal(in_x, in_y)
    assert stats.binomtest(int(in_x.sum()), 20_000, 0.05).pvalue > 1e-4
    for column in (x[:, 0] - in_x.float(), y[:, 0] - in_y.float(), (x[:, 0] + y[:, 0]) % 1):
        assert stats.kstest(column.numpy(), stats.uniform.cdf).pvalue > 1e-4


def test_only_events_carry_the_law_and_columns_look_alike_in_both():
    x, y = LAW.sample(20_000, 0, dtype=torch.float64)
    event = x[:, 0] >= 1
    assert float(torch.stack([x[event, 1], y[event, 1]]).corrcoef()[0, 1]) > 0.98
    assert abs(float(torch.stack([x[~event, 1], y[~event, 1]]).corrcoef()[0, 1])) < 4 / 19_000**0.5
    for side in (x, y):
        assert stats.ks_2samp(side[event, 1].numpy(), side[~event, 1].numpy()).pvalue > 1e-4


def test_the_information_is_that_of_the_whole_table():
    """An event over a finite law is a finite law: the table with a block for each state."""
    joint, p = oracles.random_joint(2, 3, 0), 0.1
    of_none = joint.sum(1, keepdim=True) * joint.sum(0)
    whole = torch.block_diag(p * joint, (1 - p) * of_none)
    expected = oracles.mutual_information(whole.tolist())
    assert RareEvent(p, FiniteTable(joint)).mutual_information == pytest.approx(expected)


def test_sides_that_disagree_are_impossible():
    x, y = torch.tensor([[1.5, 0.0], [0.5, 0.0]]), torch.tensor([[0.5, 0.0], [0.5, 0.0]])
    ratio = LAW.log_density_ratio(x, y)
    assert ratio.tolist() == [-math.inf, pytest.approx(-math.log(0.95))]


@pytest.mark.parametrize("probability", [0.0, 1.0, -0.1, math.nan])
def test_probabilities_outside_are_refused(probability):
    with pytest.raises(ParameterError, match="probability"):
        RareEvent(probability, LAW)
