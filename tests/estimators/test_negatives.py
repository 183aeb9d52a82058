"""How many negatives a value rests on, and the warning where they are few."""

from __future__ import annotations

import math

import pytest
import torch

from mibounds import estimate
from mibounds.bounds import load
from mibounds.distributions.gaussian import Gaussian
from mibounds.estimators._negatives import Negatives
from mibounds.seeding import generator

N = 50


def off_diagonal(scores):
    return scores[~torch.eye(len(scores), dtype=torch.bool)]


def test_of_donsker_varadhan_it_is_kishs_effective_sample_size():
    scores = 2 * torch.randn(N, N, generator=generator(0), dtype=torch.double)
    weights = off_diagonal(scores).exp()
    kish = (weights.sum() ** 2 / weights.square().sum()).item()
    negatives = Negatives.of(load("donsker_varadhan")(), [(scores,)])
    assert negatives.n == N * (N - 1)
    assert kish < 500 and negatives.count_as == pytest.approx(kish)


def test_the_error_is_that_of_the_value_where_negatives_are_independent():
    bound, source = load("donsker_varadhan")(), generator(0)
    folds = [torch.randn(N, N, generator=source, dtype=torch.double).fill_diagonal_(0) for _ in range(400)]
    spread = torch.stack([bound(scores) for scores in folds]).std().item()
    told = torch.tensor([Negatives.of(bound, [(scores,)]).error_nats for scores in folds]).mean().item()
    assert told == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize(
    "name", ["info_nce", "nwj", "donsker_varadhan", "mine", "jensen_shannon", "smile", "club"]
)
def test_equal_scores_weigh_alike(name):
    negatives = Negatives.of(load(name)(), [(torch.zeros(N, N),), (torch.zeros(N, N),)])
    assert negatives.count_as == pytest.approx(negatives.n) == 2 * N * (N - 1)
    assert negatives.error_nats < 1e-6


def test_weights_that_vanish_leave_nothing_to_warn_of():
    """A score that clamps, or is far under the positive, moves nothing."""
    scores = torch.full((N, N), -1e4).fill_diagonal_(1e4)
    negatives = Negatives.of(load("info_nce")(), [(scores,)])
    assert negatives.count_as == math.inf and negatives.error_nats == 0 and negatives.warning() is None


def test_the_estimate_warns_where_few_count_and_only_there():
    def warnings_at(nats: float, n: int, bound: str):
        law = Gaussian.from_mutual_information(5, nats)
        x, y = (side.numpy() for side in law.sample(n, seed=1))
        return estimate(x, y, method=bound, seed=0, max_steps=800).warnings

    assert any("few negatives count" in said for said in warnings_at(6.0, 500, "donsker_varadhan"))
    assert not any("few negatives count" in said for said in warnings_at(1.0, 500, "donsker_varadhan"))
    assert not any("few negatives count" in said for said in warnings_at(6.0, 500, "info_nce"))
