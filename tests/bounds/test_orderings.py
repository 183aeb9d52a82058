"""What lies below what: between bounds, and between a batch's expectation and the population."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mibounds import bounds
from mibounds.bounds.donsker_varadhan import DonskerVaradhan
from mibounds.bounds.info_nce import InfoNCE
from mibounds.bounds.leave_one_out import LeaveOneOut
from mibounds.bounds.multilabel_cpc import MultilabelCPC
from mibounds.bounds.nwj import NWJ
from tests.oracles import expected, log_density_ratio, mutual_information, random_joint

SHAPES = [(2, 2), (2, 3), (3, 3)]


def random_scores(*shape: int, seed: int = 0) -> Tensor:
    """Matrices of every scale from 0.1 to 30 along the first dimension."""
    noise = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    scale = torch.logspace(-1, 1.5, shape[0], dtype=torch.float64)
    return noise * scale.reshape(-1, *[1] * (len(shape) - 1))


def test_nwj_is_at_most_dv_on_every_matrix() -> None:
    for n in (2, 5, 20):
        scores = random_scores(200, n, n, seed=n) + torch.linspace(-3, 3, 200).reshape(-1, 1, 1)
        assert (NWJ()(scores) <= DonskerVaradhan()(scores) + 1e-9).all()


def test_nwj_meets_dv_where_the_partition_is_e() -> None:
    scores = random_scores(20, 6, 6)
    normalised = scores - bounds_log_partition(scores) + 1
    torch.testing.assert_close(NWJ()(normalised), DonskerVaradhan()(normalised))


def bounds_log_partition(scores: Tensor) -> Tensor:
    positives = scores.diagonal(dim1=-2, dim2=-1).mean(-1)
    return (positives - DonskerVaradhan()(scores)).reshape(-1, 1, 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_population_nwj_is_at_most_dv_is_at_most_the_mi(shape: tuple[int, int]) -> None:
    joint = random_joint(*shape, seed=11)
    for scores in random_scores(20, *shape):
        nwj, dv = NWJ().population(joint, scores), DonskerVaradhan().population(joint, scores)
        assert nwj <= dv + 1e-12 and dv <= mutual_information(joint.tolist()) + 1e-12


@pytest.mark.parametrize("name", ["donsker_varadhan", "mine", "jsd_xi"])
def test_a_plug_in_overestimates_its_population_value(name: str) -> None:
    bound = bounds.load(name)()
    joint = random_joint(2, 3, seed=12)
    for scores in random_scores(6, 2, 3):
        biases = [expected(joint, n, bound, scores) - bound.population(joint, scores) for n in (2, 3)]
        assert biases[0] > biases[1] > 0


@pytest.mark.parametrize("shape", SHAPES)
def test_info_nce_is_at_most_the_mi_and_ln_k_for_any_critic(shape: tuple[int, int]) -> None:
    joint = random_joint(*shape, seed=13, sharpness=6.0)
    mi = mutual_information(joint.tolist())
    for scores in random_scores(15, *shape):
        for n_candidates in (2, 3):
            assert expected(joint, n_candidates, InfoNCE(), scores) <= min(mi, math.log(n_candidates)) + 1e-12


@pytest.mark.parametrize("shape", [(2, 2), (2, 3)])
def test_optimal_info_nce_grows_with_the_candidates(shape: tuple[int, int]) -> None:
    joint = random_joint(*shape, seed=14)
    values = [expected(joint, k, InfoNCE(), log_density_ratio(joint)).item() for k in (2, 3, 4, 5)]
    assert values == sorted(values) and values[-1] < mutual_information(joint.tolist())


@pytest.mark.parametrize("shape", [(2, 2), (2, 3)])
def test_leave_one_out_falls_to_the_mi_with_the_batch(shape: tuple[int, int]) -> None:
    joint = random_joint(*shape, seed=15)
    values = [expected(joint, n, LeaveOneOut(), log_density_ratio(joint)).item() for n in (2, 3, 4, 5)]
    assert values == sorted(values, reverse=True) and values[-1] > mutual_information(joint.tolist())


def test_multilabel_cpc_at_alpha_one_is_at_most_info_nce_on_every_matrix() -> None:
    for n in (2, 5, 20):
        scores = random_scores(200, n, n, seed=n)
        assert (MultilabelCPC(alpha=1.0)(scores) <= InfoNCE()(scores) + 1e-9).all()
