"""Parameters: their domains, their ends, and the traps around them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mibounds import bounds
from mibounds.bounds import Bound
from mibounds.bounds.alpha_cpc import AlphaCPC
from mibounds.bounds.flo import FLO
from mibounds.bounds.info_nce import InfoNCE
from mibounds.bounds.info_nce_anchor import InfoNCEAnchor
from mibounds.bounds.interpolated import Interpolated
from mibounds.bounds.jensen_shannon import JensenShannon
from mibounds.bounds.mine import MINE
from mibounds.bounds.multilabel_cpc import MultilabelCPC
from mibounds.bounds.nwj import NWJ
from mibounds.bounds.smile import SMILE
from mibounds.bounds.tuba import TUBA
from mibounds.errors import ParameterError
from tests import oracles
from tests.conformance import test_bounds as conformance

JOINT = oracles.random_joint(2, 3, seed=21)
VARIANTS = [
    AlphaCPC(0.01),
    AlphaCPC(0.5),
    InfoNCEAnchor(0.2),
    InfoNCEAnchor(5.0),
    Interpolated(0.0),
    Interpolated(0.01),
    Interpolated(1.0),
    MINE(0.01),
    MINE(1.0),
    MultilabelCPC(0.05),
    MultilabelCPC(1.0),
    SMILE(0.5),
    SMILE(50.0),
]
CHECKS = [
    conformance.check_population_is_on_its_side_of_the_mi,
    conformance.check_no_adversary_lifts_the_expectation_over_the_mi,
    conformance.check_ceiling_holds_and_is_reached,
    conformance.check_a_stack_is_its_members,
    conformance.check_gradients_agree_with_finite_differences,
    conformance.check_extreme_scores_give_finite_values_and_gradients,
    conformance.check_training_is_at_rest_at_the_optimal_scores,
]


def scores(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("bound", VARIANTS, ids=repr)
def test_every_parameter_keeps_the_facts(bound: Bound, check) -> None:
    check(bound)


@pytest.mark.parametrize(
    ("name", "parameter", "refused"),
    [
        ("smile", "clip", (0.0, -1.0, math.inf, math.nan)),
        ("interpolated", "alpha", (-0.1, 1.1, math.nan)),
        ("multilabel_cpc", "alpha", (0.0, -1.0, 1.5, math.nan)),
        ("alpha_cpc", "alpha", (0.0, -1.0, 1.5, math.nan)),
        ("info_nce_anchor", "anchor_weight", (0.0, -1.0, math.inf, math.nan)),
        ("mine", "rate", (0.0, -1.0, 1.5, math.nan)),
    ],
)
def test_parameters_outside_their_domain_are_refused(
    name: str, parameter: str, refused: tuple[float, ...]
) -> None:
    for value in refused:
        with pytest.raises(ParameterError, match=f"{parameter} must"):
            bounds.load(name)(**{parameter: value})


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_interpolated_is_its_slow_version(alpha: float) -> None:
    matrix, baseline = scores(5, 5), scores(5, seed=1)
    slow = oracles.interpolated(matrix.tolist(), baseline.tolist(), alpha)
    assert Interpolated(alpha)(matrix, baseline).item() == pytest.approx(slow)


def test_interpolated_runs_from_tuba_at_0_to_info_nce_at_1() -> None:
    matrix, baseline = scores(3, 5, 5), scores(3, 5, seed=1)
    torch.testing.assert_close(Interpolated(0.0)(matrix, baseline), TUBA()(matrix, baseline))
    # InfoNCE with one candidate fewer, each negative held out of its row in turn: rows of every such matrix.
    without = torch.stack(
        [
            matrix[:, i, i] - matrix[:, i, [j for j in range(5) if j != k]].logsumexp(-1) + math.log(4)
            for i in range(5)
            for k in range(5)
            if k != i
        ]
    )
    torch.testing.assert_close(Interpolated(1.0)(matrix, baseline), without.mean(0))


def test_interpolated_at_1_ignores_the_baseline_and_the_rows_level() -> None:
    matrix, level = scores(5, 5), scores(5, 1, seed=1)
    values = [
        Interpolated(1.0)(matrix, matrix.new_zeros(5)),
        Interpolated(1.0)(matrix, scores(5, seed=2)),
        Interpolated(1.0)(matrix + level, matrix.new_zeros(5)),
    ]
    torch.testing.assert_close(values[1:], [values[0]] * 2)


def test_alpha_one_is_info_nce() -> None:
    torch.testing.assert_close(AlphaCPC(1.0)(scores(3, 6, 6)), InfoNCE()(scores(3, 6, 6)))


@pytest.mark.parametrize("alpha", [0.02, 0.5, 1.0])
def test_reweighted_cpc_is_its_slow_version(alpha: float) -> None:
    matrix = scores(6, 6)
    assert AlphaCPC(alpha)(matrix).item() == pytest.approx(oracles.alpha_cpc(matrix.tolist(), alpha))
    assert MultilabelCPC(alpha)(matrix).item() == pytest.approx(
        oracles.multilabel_cpc(matrix.tolist(), alpha)
    )


@pytest.mark.parametrize("clip", [0.5, 2.0, 50.0])
def test_smile_clips_the_partition_and_not_the_positives(clip: float) -> None:
    matrix = scores(6, 6)
    assert SMILE(clip)(matrix).item() == pytest.approx(oracles.smile(matrix.tolist(), clip))
    far = matrix + 1000 * torch.eye(6)
    torch.testing.assert_close(SMILE(clip)(far), SMILE(clip)(matrix) + 1000)


@pytest.mark.parametrize("weight", [0.1, 1.0, 7.0])
def test_anchor_objective_is_its_slow_version(weight: float) -> None:
    matrix = scores(5, 5)
    slow = oracles.anchor_objective(matrix.tolist(), weight)
    assert InfoNCEAnchor(weight).objective(matrix).item() == pytest.approx(slow)


def test_the_anchor_pins_the_scale_that_info_nce_leaves_free() -> None:
    best = oracles.log_density_ratio(JOINT)
    at_best = oracles.expected(JOINT, 3, InfoNCEAnchor().objective, best)
    for seed in range(3):
        moved = best + scores(2, 1, seed=seed)
        torch.testing.assert_close(
            oracles.expected(JOINT, 3, InfoNCE(), moved), oracles.expected(JOINT, 3, InfoNCE(), best)
        )
        assert oracles.expected(JOINT, 3, InfoNCEAnchor().objective, moved) < at_best - 1e-3


def test_a_zero_baseline_makes_tuba_nwj() -> None:
    matrix = scores(3, 6, 6)
    torch.testing.assert_close(TUBA()(matrix, torch.zeros(3, 6)), NWJ()(1 + matrix))


def test_flo_at_its_best_u_gives_each_pair_its_own_partition() -> None:
    matrix = scores(6, 6)
    log_partition = matrix.masked_fill(torch.eye(6) == 1, -math.inf).logsumexp(-1) - math.log(5)
    best = FLO()(matrix, log_partition)
    torch.testing.assert_close(best, (matrix.diagonal() - log_partition).mean())
    assert FLO()(matrix, log_partition + 0.1) < best and FLO()(matrix, log_partition - 0.1) < best


@pytest.mark.parametrize("name", ["smile", "f_dime_gan", "jsd_xi"])
def test_readers_of_the_classifier_share_its_training(name: str) -> None:
    bound = bounds.load(name)()
    assert bound.trained_as == JensenShannon()
    assert torch.equal(bound.objective(scores(4, 4)), JensenShannon().objective(scores(4, 4)))
