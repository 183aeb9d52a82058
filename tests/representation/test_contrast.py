"""Which negatives an anchor has: never its positive or itself, as many as asked for, more being the fewer and more."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds.errors import ParameterError, ShapeError, UnknownNameError
from mibounds.numerics import guarded_exp
from mibounds.representation.contrast import available, contrast
from tests.representation.contrastive_oracles import TAU, drawn, mean, rows_behind

N = 6


ARRANGEMENTS = ["one-way", "symmetric", "two-view"]


def chosen(arrangement: str, n: int, k: int | None) -> Tensor:
    """Which candidates anchors have: `m x c`, from embeddings that tell all views apart."""
    z = torch.eye(2 * n, dtype=torch.float64).unsqueeze(0)
    return contrast(z[:, :n], z[:, n:], 1.0, arrangement, [k]).kept[0]


@pytest.mark.parametrize("n", [2, 3, 7])
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_negatives_are_never_the_positive_or_the_anchor_itself(arrangement, n):
    kept = chosen(arrangement, n, None)
    anchors, candidates = torch.arange(kept.shape[0]), torch.arange(kept.shape[1])
    same_row = anchors.unsqueeze(1) % n == candidates % n
    assert torch.equal(kept, ~same_row)


@pytest.mark.parametrize("n", [2, 3, 7])
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_counts_are_right_and_more_negatives_are_the_fewer_and_others(arrangement, n):
    before = torch.zeros_like(chosen(arrangement, n, 1))
    for k in range(1, available(arrangement, n) + 1):
        kept = chosen(arrangement, n, k)
        assert (kept.sum(-1) == k).all() and (kept | before).equal(kept)
        assert (kept.sum(0) == kept.sum(0)[0]).all(), "every row serves as a negative equally often"
        before = kept


def test_scores_are_the_inner_products_over_the_temperature_of_each_run():
    z_a, z_b = drawn()
    tau = torch.tensor([0.5, 2.0], dtype=torch.float64).view(2, 1, 1)
    scores = contrast(z_a, z_b, tau)
    torch.testing.assert_close(scores.positives, (z_a * z_b).sum(-1) / tau.squeeze(-1))
    assert scores.negatives[1, 0, 3] == z_a[1, 0] @ z_b[1, 3] / 2
    assert torch.equal(scores.n_negatives, torch.full((2, 1), N - 1.0, dtype=torch.float64))


def test_self_similarity_left_in_would_change_the_value():
    z_a, z_b = (normalize(z, dim=-1) for z in drawn())
    both = torch.cat([z_a, z_b], dim=1)
    with_self = torch.logsumexp(both @ both.mT / TAU, dim=-1).mean(-1)
    positives = (z_a * z_b).sum(-1).mean(-1) / TAU
    right = contrast(z_a, z_b, TAU, "two-view").cross_entropy.mean(-1)
    assert (with_self - positives > right + 0.1).all()


def test_means_weigh_the_kept_negatives_only():
    z_a, z_b = drawn()
    scores = contrast(z_a, z_b, 1.0, "one-way", [2, 5])
    two = [scores.negatives[0, i, j] for i in range(N) for j in rows_behind(i, 2, N)]
    torch.testing.assert_close(scores.mean_over_negatives(scores.filled(9.0))[0], mean(two))
    torch.testing.assert_close(scores.log_partition[0].exp(), mean([u.exp() for u in two]))
    torch.testing.assert_close(scores.log_mean_exp[0, 0].exp(), mean([u.exp() for u in two[:2]]))
    assert (
        torch.equal(scores.filled(9.0)[0] == 9.0, ~scores.kept[0])
        and not (scores.filled(9.0)[1] == 9.0).all()
    )


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_functions_of_left_out_candidates_give_no_nan_to_the_gradient():
    z_a, z_b = drawn()
    z_a.requires_grad_()
    scores = contrast(z_a, z_b, 1.0, "one-way", [1, 2])
    values = scores.log_partition + scores.log_mean_exp.sum(-1) + scores.cross_entropy.sum(-1)
    values = (
        values + scores.mean_over_negatives(scores.filled(0.0).square()) + guarded_exp(scores.log_partition)
    )
    with torch.autograd.detect_anomaly(check_nan=True):
        (gradient,) = torch.autograd.grad(values.sum(), z_a)
    assert gradient.isfinite().all()


def test_more_negatives_than_the_batch_holds_are_refused_with_what_there_is():
    z_a, z_b = drawn()
    with pytest.raises(ParameterError, match=r"1\.\.5, which a batch of 6 holds \(one-way\); got 6"):
        contrast(z_a, z_b, 1.0, "one-way", [2, 6])
    with pytest.raises(ParameterError, match=r"1\.\.10, which a batch of 6 holds \(two-view\); got 11"):
        contrast(z_a, z_b, 1.0, "two-view", [2, 11])
    with pytest.raises(ParameterError, match="a batch of 1 holds no negatives"):
        contrast(z_a[:, :1], z_b[:, :1], 1.0)
    with pytest.raises(UnknownNameError, match="did you mean 'two-view'"):
        contrast(z_a, z_b, 1.0, "two-views")
    with pytest.raises(ShapeError, match="two views of one shape"):
        contrast(z_a, z_b[:, :3], 1.0)
