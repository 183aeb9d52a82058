"""MINE: the moving average accumulates, and divides the gradient only."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mibounds.bounds.donsker_varadhan import DonskerVaradhan
from mibounds.bounds.mine import MINE


def batches(count: int, *shape: int) -> Tensor:
    return 2 * torch.randn(count, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def partition(scores: Tensor) -> float:
    n = len(scores)
    return sum(math.exp(scores[i, j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))


def test_the_average_accumulates_over_all_batches() -> None:
    bound, state, average = MINE(rate=0.25), None, None
    for scores in batches(6, 4, 4):
        _, state = bound.step(state, scores)
        newest = partition(scores)
        average = newest if average is None else 0.75 * average + 0.25 * newest
        assert state.item() == pytest.approx(math.log(average))
    assert abs(state.item() - math.log(newest)) > 0.01


def test_the_gradient_divides_by_the_average() -> None:
    bound = MINE(rate=0.25)
    first, second = batches(2, 4, 4)
    _, state = bound.step(None, first)
    scores = second.requires_grad_()
    objective, state = bound.step(state, scores)
    objective.backward()
    off_diagonal = 1 - torch.eye(4, dtype=torch.float64)
    by_hand = torch.eye(4) / 4 - off_diagonal * scores.detach().exp() / 12 / state.exp()
    torch.testing.assert_close(scores.grad, by_hand)
    assert not state.requires_grad


def test_rate_one_and_the_first_step_have_donsker_varadhans_gradient() -> None:
    first, second = batches(2, 4, 4)
    second.requires_grad_()
    (dv,) = torch.autograd.grad(DonskerVaradhan()(second), second)
    _, state = MINE(rate=1.0).step(None, first)
    for bound, kept in ((MINE(rate=1.0), state), (MINE(rate=0.1), None)):
        (gradient,) = torch.autograd.grad(bound.step(kept, second)[0], second)
        torch.testing.assert_close(gradient, dv)


def test_each_run_of_a_stack_keeps_its_own_average() -> None:
    bound, stacked = MINE(rate=0.3), batches(2, 3, 4, 4)
    _, state = bound.step(bound.step(None, stacked[0])[1], stacked[1])
    for run in range(3):
        _, alone = bound.step(bound.step(None, stacked[0, run])[1], stacked[1, run])
        torch.testing.assert_close(state[run], alone)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_jumps_of_the_scores_between_steps_stay_finite(dtype: torch.dtype) -> None:
    bound, state = MINE(rate=0.01), None
    for level in (-1000.0, 1000.0, -1000.0):
        scores = torch.full((3, 3), level, dtype=dtype, requires_grad=True)
        objective, state = bound.step(state, scores)
        objective.backward()
        assert objective.isfinite() and state.isfinite() and scores.grad.isfinite().all()


def test_the_value_is_donsker_varadhans() -> None:
    scores = batches(3, 4, 4)
    assert torch.equal(MINE()(scores), DonskerVaradhan()(scores))
