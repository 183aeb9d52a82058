"""Log-partitions without the matrix of scores, beside the matrix in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds.errors import ParameterError, ShapeError
from mibounds.partition import (
    Block,
    mean_log_partition,
    mean_log_partition_both_ways,
    mean_log_partition_of_pairs,
    tiles,
)

RUNS, N, DIM = 2, 37, 5
SCALES = [1.0, 300.0, 5000.0]  # the last two reach far under one shift for all rows


@pytest.fixture(autouse=True, params=["small tiles", "one tile"])
def small_tiles(request, monkeypatch):
    """Several tiles and chunks a matrix, ragged ones among them; or all in one."""
    if request.param == "small tiles":
        monkeypatch.setattr(tiles, "IN_CACHE", tiles.Sizes(side=8, columns=8, rows=(4, 10), held=200))


def rows(n: int, seed: int, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    z = torch.randn(RUNS, n, DIM, generator=source, dtype=torch.float64)
    return (scale * normalize(z, dim=-1)).to(dtype).requires_grad_()


def kept(n: int, c: int, first: int, count: int | None) -> Tensor:
    """Which of c keys are an anchor's."""
    distance = (torch.arange(c) - torch.arange(n).unsqueeze(1) - first) % c
    return distance < (c if count is None else count)


def log_partition(scores: Tensor, kept: Tensor) -> Tensor:
    return scores.masked_fill(~kept, -torch.inf).logsumexp(-1)


def assert_same(
    found: Tensor, expected: Tensor, inputs: tuple[Tensor, ...], tolerance: float = 1e-11
) -> None:
    """Values, and gradients of a sum in which each run has a weight of its own."""
    weights = torch.tensor([1.0, -2.5]).to(found)
    torch.testing.assert_close(found.double(), expected.double(), rtol=tolerance, atol=tolerance)
    ours = torch.autograd.grad((weights * found).sum(), inputs)
    theirs = torch.autograd.grad((weights * expected).sum(), inputs)
    for one, other in zip(ours, theirs, strict=True):
        assert (one - other).abs().max() <= tolerance * other.abs().max()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    ("first", "count"), [(0, None), (0, N), (1, N - 1), (0, 1), (1, 1), (0, 9), (1, 30), (5, 20), (36, 3)]
)
def test_one_way(first, count, scale):
    a, b = rows(N, 0, scale), rows(N, 1)
    mean, each = mean_log_partition(a, [Block(b, first, count)])
    expected = log_partition(a @ b.mT, kept(N, N, first, count))
    torch.testing.assert_close(each, expected.detach(), rtol=1e-11, atol=1e-11)
    assert not each.requires_grad
    assert_same(mean, expected.mean(-1), (a, b))


@pytest.mark.parametrize("scale", SCALES)
def test_several_blocks_make_one_partition(scale):
    a, b, past = rows(N, 0, scale), rows(N, 1), rows(50, 2)
    nothing = torch.zeros(RUNS, 0, DIM, dtype=torch.float64)  # as a queue begins
    mean, _ = mean_log_partition(a, [Block(b, 1, 4), Block(nothing), Block(past), Block(a, 1, N - 1)])
    scores = torch.cat([a @ b.mT, a @ past.mT, a @ a.mT], dim=-1)
    of_all = torch.cat([kept(N, N, 1, 4), kept(N, 50, 0, None), kept(N, N, 1, N - 1)], dim=-1)
    assert_same(mean, log_partition(scores, of_all).mean(-1), (a, b, past))


@pytest.mark.parametrize("first", [0, 1])
def test_keys_of_the_anchors_label_are_left_out_but_the_own_one(first):
    a, b = rows(N, 0, 4.0), rows(N, 1)
    labels = torch.randint(3, (RUNS, N), generator=torch.Generator().manual_seed(3))
    mean, _ = mean_log_partition(a, [Block(b, first, N - first, labels, labels)])
    other = labels.unsqueeze(2) != labels.unsqueeze(1)
    of_all = (other | torch.eye(N, dtype=torch.bool)) & kept(N, N, first, N - first)
    assert_same(mean, log_partition(a @ b.mT, of_all).mean(-1), (a, b))


@pytest.mark.parametrize("scale", SCALES)
def test_both_ways(scale):
    a, b = rows(N, 0, scale), rows(23, 1)
    mean, by_row, by_column = mean_log_partition_both_ways(a, b)
    scores = a @ b.mT
    torch.testing.assert_close(by_row, scores.logsumexp(2).detach(), rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(by_column, scores.logsumexp(1).detach(), rtol=1e-11, atol=1e-11)
    assert_same(mean, (scores.logsumexp(2).mean(1) + scores.logsumexp(1).mean(1)) / 2, (a, b))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("skip", [(0,), (0, 18), ()])
def test_pairs_of_one_set(skip, scale):
    z = rows(36, 0, scale**0.5)
    mean, each = mean_log_partition_of_pairs(z, skip)
    apart = (torch.arange(36) - torch.arange(36).unsqueeze(1)).abs()
    expected = log_partition(z @ z.mT, ~torch.isin(apart, torch.tensor(skip)))
    torch.testing.assert_close(each, expected.detach(), rtol=1e-11, atol=1e-11)
    assert_same(mean, expected.mean(-1), (z,))


@pytest.mark.parametrize("scale", [1.0, 30.0, 300.0])
def test_in_float32_the_error_is_the_plain_paths(scale):
    """Of the gradients, against float64: nowhere more than a few roundings of the largest score above it."""
    a, b = rows(N, 0, scale, torch.float32), rows(N, 1, 1.0, torch.float32)
    precise = [t.detach().double().requires_grad_() for t in (a, b)]
    exact = torch.autograd.grad((precise[0] @ precise[1].mT).logsumexp(-1).mean(-1).sum(), precise)
    plain = torch.autograd.grad((a @ b.mT).logsumexp(-1).mean(-1).sum(), (a, b))
    ours = torch.autograd.grad(mean_log_partition(a, [Block(b)])[0].sum(), (a, b))
    for one, other, truth in zip(ours, plain, exact, strict=True):
        rounding = torch.finfo(torch.float32).eps * scale * truth.abs().max()
        assert (one - truth).abs().max() <= (other - truth).abs().max() + rounding


def test_an_anchor_without_candidates_has_none_and_pulls_at_nothing():
    a, b = rows(N, 0), rows(N, 1)
    mean, each = mean_log_partition(a, [Block(b, 0, 0)])
    assert (each == -torch.inf).all()
    assert all((g == 0).all() for g in torch.autograd.grad(mean.sum(), (a, b)))


def test_a_run_that_diverges_harms_no_other():
    a, b = rows(N, 0), rows(N, 1)
    broken = a.detach().clone()
    broken[0, 3] = torch.nan
    mean, _ = mean_log_partition(broken, [Block(b)])
    assert mean[0].isnan() and mean[1] == mean_log_partition(a, [Block(b)])[0][1]
    mean, _ = mean_log_partition_of_pairs(broken)
    assert mean[0].isnan() and mean[1] == mean_log_partition_of_pairs(a)[0][1]


def test_inputs_are_left_as_they_are_and_constants_get_no_gradient():
    a, b = rows(N, 0), rows(N, 1).detach()
    before = a.detach().clone(), b.clone()
    mean, _ = mean_log_partition(a, [Block(b)])
    mean.sum().backward()
    assert torch.equal(a.detach(), before[0]) and torch.equal(b, before[1]) and b.grad is None
    assert not mean_log_partition(b, [Block(b)])[0].requires_grad


def test_what_is_wrong_is_named():
    z = rows(N, 0)
    with pytest.raises(ShapeError, match="R x m x d"):
        mean_log_partition(z[0], [Block(z)])
    with pytest.raises(ShapeError, match="2 runs in 5 dimensions"):
        mean_log_partition(z, [Block(z[..., :3])])
    with pytest.raises(ShapeError, match="R x c x d"):
        Block(z[0])
    with pytest.raises(ParameterError, match="count must lie in"):
        Block(z, count=38)
    with pytest.raises(ParameterError, match="anchor_labels and key_labels"):
        Block(z, anchor_labels=torch.zeros(RUNS, N))
    with pytest.raises(ShapeError, match="R x n x d"):
        mean_log_partition_both_ways(z, z[:1])
    with pytest.raises(ShapeError, match="R x m x d"):
        mean_log_partition_of_pairs(z[0])
