"""The interval covers what it says it covers: the expectation of the bound with a critic that is given."""

from __future__ import annotations

import math

import pytest
import torch

from mibounds.bounds import load
from mibounds.distributions.gaussian import Gaussian
from mibounds.estimators._reading import mean_value, value_and_interval
from mibounds.seeding import generator
from mibounds.theory import info_nce_oracle_gaussian

REPEATS = 200


def oracle_readings(name: str, law: Gaussian, n: int, n_batches: int = 1):
    """(value, interval) of a bound with its optimal critic, over independent folds."""
    bound, source = load(name)(), generator(0)
    for _ in range(REPEATS):
        pairs = (law.sample(n, source) for _ in range(n_batches))
        batches = [(bound.optimal_scores(law.log_density_ratio_matrix(x, y)),) for x, y in pairs]
        yield value_and_interval(bound, batches, 0.95)


@pytest.mark.parametrize(("dim", "n", "n_batches"), [(1, 40, 1), (1, 100, 1), (5, 100, 1), (5, 50, 2)])
def test_the_interval_of_info_nce_covers_its_expectation(dim, n, n_batches):
    law = Gaussian.from_mutual_information(dim, 1.0)
    expected = info_nce_oracle_gaussian(dim, math.sqrt(-math.expm1(-2 / dim)), n)
    readings = list(oracle_readings("info_nce", law, n, n_batches))
    covered = sum(low <= expected <= high for _, (low, high) in readings)
    # 0.95 +- 4 binomial standard errors of 200 repeats, and a little below for n = 40.
    assert 0.88 <= covered / REPEATS <= 1.0
    values = torch.tensor([value for value, _ in readings])
    reach = torch.tensor([(high - low) / 2 for _, (low, high) in readings]).mean().item()
    assert 0.85 < reach / (2.02 * values.std().item()) < 1.25


def test_the_interval_covers_where_the_scores_of_a_row_rise_together():
    """f = 1 + ln r + x / 2, of which NWJ expects I + 1 - E[e^(x / 2)]."""
    law, source = Gaussian.from_correlation(1, 0.25), generator(0)
    expected = law.mutual_information + 1 - math.exp(1 / 8)
    covered = 0
    for _ in range(REPEATS):
        x, y = law.sample(60, source)
        scores = 1 + law.log_density_ratio_matrix(x, y) + x / 2
        _, (low, high) = value_and_interval(load("nwj")(), [(scores,)], 0.95)
        covered += low <= expected <= high
    assert 0.88 <= covered / REPEATS <= 1.0


def test_deleting_a_pair_deletes_its_row_and_its_column():
    scores = torch.randn(5, 5, generator=generator(0))
    bound = load("info_nce")()
    kept = [0, 1, 3, 4]
    without_each = torch.tensor(
        [bound(scores[rows][:, rows]) for rows in ([j for j in range(5) if j != i] for i in range(5))]
    )
    assert bound(scores[kept][:, kept]) == without_each[2]
    # Delete-one: the jackknife's variance is (n - 1)/n times the sum of squares around the mean.
    spread = math.sqrt(4 / 5 * ((without_each - without_each.mean()) ** 2).sum())
    value, (low, high) = value_and_interval(bound, [(scores,)], 0.95)
    assert value == pytest.approx(bound(scores).item())
    assert (high - low) / 2 == pytest.approx(2.776445 * spread, rel=1e-5)


def test_a_log_baseline_loses_the_same_pairs():
    scores, log_baseline = (
        torch.randn(50, 50, generator=generator(0)),
        torch.randn(50, generator=generator(1)),
    )
    value, interval = value_and_interval(load("tuba")(), [(scores, log_baseline)], 0.9)
    flat = value_and_interval(load("tuba")(), [(scores - log_baseline[:, None], torch.zeros(50))], 0.9)
    assert (value, *interval) == pytest.approx((flat[0], *flat[1]), rel=1e-4)


def test_the_value_is_the_mean_over_batches():
    bound = load("info_nce")()
    batches = [(torch.randn(8, 8, generator=generator(seed)),) for seed in range(3)]
    assert mean_value(bound, batches) == pytest.approx(sum(bound(s).item() for (s,) in batches) / 3)
