"""Reductions of scores against loops over floats, and their gradients where scores are extreme."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mibounds.errors import ShapeError
from mibounds.numerics import (
    guarded_exp,
    leave_one_out_log_mean_exp,
    log_mean_exp,
    log_mix,
    log_softplus,
    negatives_only,
    off_diagonal_log_mean_exp,
    off_diagonal_mean,
    positives,
    product_of_marginals,
    require_baseline,
    require_scores,
)

DTYPES = [torch.float32, torch.float64]


def random_scores(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def log_mean(values: list[float]) -> float:
    return math.log(sum(math.exp(value) for value in values) / len(values))


def extremes(dtype: torch.dtype) -> Tensor:
    """Matrices of scores +-1,000: random signs, ties, one entry far above or below the others."""
    signs = random_scores(6, 4, 4).sign()
    eye = torch.eye(4, dtype=torch.float64)
    return 1000 * torch.cat([signs, torch.stack([eye, -eye, 2 * eye - 1, 1 - 2 * eye, 0 * eye, eye**0])]).to(
        dtype
    )


def test_log_mean_exp() -> None:
    values = random_scores(3, 4, 5)
    torch.testing.assert_close(log_mean_exp(values)[1, 2].item(), log_mean(values[1, 2].tolist()))
    torch.testing.assert_close(
        log_mean_exp(values, (-2, -1))[1].item(), log_mean(values[1].flatten().tolist())
    )


def test_reductions_over_the_negatives() -> None:
    scores = random_scores(2, 4, 4)
    for matrix, log_partition, mean in zip(
        scores, off_diagonal_log_mean_exp(scores), off_diagonal_mean(scores), strict=True
    ):
        negatives = [matrix[i, j].item() for i in range(4) for j in range(4) if i != j]
        assert log_partition.item() == pytest.approx(log_mean(negatives))
        assert mean.item() == pytest.approx(sum(negatives) / 12)
    assert torch.equal(positives(scores)[1], scores[1].diag())
    assert negatives_only(scores, 7.0).diagonal(dim1=-2, dim2=-1).eq(7).all()


@pytest.mark.parametrize("n", [2, 3, 6])
def test_leave_one_out(n: int) -> None:
    scores = random_scores(2, n, n)
    left_out = leave_one_out_log_mean_exp(scores)
    for run in range(2):
        for i in range(n):
            for k in range(n):
                row = [scores[run, i, j].item() for j in range(n) if j != k]
                assert left_out[run, i, k].item() == pytest.approx(log_mean(row), abs=1e-12)
    assert torch.autograd.gradcheck(leave_one_out_log_mean_exp, scores.requires_grad_())


def test_leave_one_out_of_a_dominant_score_sees_the_others() -> None:
    row = torch.tensor([[900.0, 1.0, 2.0]] * 3)
    left_out = leave_one_out_log_mean_exp(row)[0]
    assert left_out[0].item() == pytest.approx(log_mean([1.0, 2.0]))
    assert left_out[1].item() == left_out[2].item() == pytest.approx(900 - math.log(2))


def test_leave_one_out_of_tied_largest_scores() -> None:
    torch.testing.assert_close(leave_one_out_log_mean_exp(torch.full((4, 4), 3.0)), torch.full((4, 4), 3.0))


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_log_mix(weight: float) -> None:
    log_a, log_b = random_scores(5), random_scores(5, seed=1)
    torch.testing.assert_close(
        log_mix(log_a, log_b, weight).exp(), weight * log_a.exp() + (1 - weight) * log_b.exp()
    )
    if weight in (0.0, 1.0):
        assert torch.equal(log_mix(log_a, log_b, weight), log_a if weight else log_b)
    assert torch.autograd.gradcheck(
        lambda a, b: log_mix(a, b, weight), (log_a.requires_grad_(), log_b.requires_grad_())
    )


def test_log_softplus() -> None:
    values = torch.linspace(-39, 30, 200, dtype=torch.float64)
    by_hand = [math.log(math.log1p(math.exp(value))) for value in values.tolist()]
    torch.testing.assert_close(log_softplus(values).tolist(), by_hand)
    assert torch.equal(log_softplus(torch.tensor([-1000.0, -50.0])), torch.tensor([-1000.0, -50.0]))
    assert torch.autograd.gradcheck(
        log_softplus, torch.tensor([-60.0, -41, -39, -1, 0, 5, 50]).double().requires_grad_()
    )


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 60.0), (torch.float64, 600.0)])
def test_guarded_exp_is_exp_up_to_its_limit_and_a_line_beyond(dtype: torch.dtype, limit: float) -> None:
    below = torch.linspace(-limit, limit, 100, dtype=dtype)
    torch.testing.assert_close(guarded_exp(below), below.exp())
    beyond = torch.tensor([limit, limit + 1, limit + 2, 1e4], dtype=dtype, requires_grad=True)
    values = guarded_exp(beyond)
    (slopes,) = torch.autograd.grad(values.sum(), beyond)
    assert values.isfinite().all() and (values.diff() > 0).all()
    torch.testing.assert_close(slopes[1:], torch.full((3,), limit, dtype=dtype).exp())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "reduction",
    [
        log_mean_exp,
        off_diagonal_log_mean_exp,
        off_diagonal_mean,
        leave_one_out_log_mean_exp,
        log_softplus,
        guarded_exp,
        lambda scores: log_mix(scores, scores.mT, 0.3),
        lambda scores: log_mix(scores, scores.mT, 1.0),
    ],
)
def test_values_and_gradients_are_finite_at_extremes(reduction, dtype: torch.dtype) -> None:
    scores = extremes(dtype).requires_grad_()
    values = reduction(scores)
    (gradient,) = torch.autograd.grad(values.sum(), scores)
    assert values.dtype == dtype and values.isfinite().all() and gradient.isfinite().all()
    assert torch.equal(scores, extremes(dtype)) and scores._version == 0


def test_product_of_marginals() -> None:
    joint = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    torch.testing.assert_close(product_of_marginals(joint), torch.tensor([[0.12, 0.18], [0.28, 0.42]]))


@pytest.mark.parametrize("shape", [(4,), (4, 3), (1, 1), (0, 0), (2, 3, 4)])
def test_what_is_no_stack_of_score_matrices_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="n >= 2"):
        require_scores(torch.zeros(shape))


def test_a_baseline_must_be_there_and_fit() -> None:
    scores, baseline = torch.zeros(3, 4, 4), torch.zeros(3, 4)
    assert require_baseline(scores, (baseline,)) is baseline
    for wrong in ((), (baseline, baseline), (torch.zeros(4),), (torch.zeros(3, 4, 1),)):
        with pytest.raises(ShapeError, match=r"one log_baseline of shape \(3, 4\)"):
            require_baseline(scores, wrong)
