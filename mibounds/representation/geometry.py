"""Geometry of embeddings and representations: numbers that say how a model spends its space.

Rows are `... x n x d`, a run at each leading index. Alignment, uniformity, tolerance and spread look at directions
alone, so the rows are normalised first. A rotation or a change of scale changes none of them, nor rank and CKA, but for
the spread, which looks at axes.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from mibounds.errors import DataError, ShapeError

SCORES_AT_ONCE = 2**24


def alignment(rows_a: Tensor, rows_b: Tensor, *, alpha: float = 2.0) -> Tensor:
    """mean_i |a_i - b_i|^alpha over positive pairs of unit rows, `... x n x d` twice -> `...`; 0 where views agree.

    References: Wang and Isola 2020, arXiv:2005.10242, eq. 4.

    Example:
        >>> alignment(torch.eye(3), 2 * torch.eye(3)).item(), round(alignment(torch.eye(3), -torch.eye(3)).item(), 4)
        (0.0, 4.0)
    """
    if rows_a.shape != rows_b.shape:
        raise ShapeError(f"expected pairs of one shape; got {tuple(rows_a.shape)} and {tuple(rows_b.shape)}")
    return (normalize(rows_a, dim=-1) - normalize(rows_b, dim=-1)).norm(dim=-1).pow(alpha).mean(-1)


def uniformity(rows: Tensor, *, t: float = 2.0) -> Tensor:
    """ln mean_(i != j) e^(-t |z_i - z_j|^2) over distinct unit rows: `... x n x d` -> `...`, 0 if all are the same.

    It is least on the uniform law, where it is ln E e^(2 t (s - 1)), s the cosine of independent directions: about
    -2t in many dimensions. Its square of pairs is taken in chunks of rows.

    References: Wang and Isola 2020, arXiv:2005.10242, eq. 5.

    Example:
        >>> round(uniformity(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])).item(), 4)
        -8.0
    """
    unit = normalize(rows, dim=-1)
    n = _require_rows(unit)
    at_once = max(1, SCORES_AT_ONCE // (math.prod(unit.shape[:-2]) * n))
    sums = [_log_kernel_sum(unit, i, min(i + at_once, n), t) for i in range(0, n, at_once)]
    return torch.logsumexp(torch.stack(sums), dim=0) - math.log(n * (n - 1))


def _log_kernel_sum(unit: Tensor, start: int, end: int, t: float) -> Tensor:
    """ln of the kernel's sum over rows start..end and all others."""
    # |a - b|^2 = 2 - 2 a.b
    exponents = 2 * t * (unit[..., start:end, :] @ unit.mT - 1)
    row = torch.arange(start, end, device=unit.device)
    exponents[..., row - start, row] = -torch.inf
    return torch.logsumexp(exponents.flatten(-2), dim=-1)


def tolerance(rows: Tensor, labels: Tensor) -> Tensor:
    """Mean cosine of distinct rows of the same class: `... x n x d`, labels `... x n` or `n` -> `...`.

    = sum_c (|s_c|^2 - n_c) / sum_c n_c (n_c - 1), s_c the sum of class c's unit rows.

    References: Wang and Liu 2021, arXiv:2012.09740, section 4.2 (there over all pairs, the same-class ones counted).

    Raises: DataError if no class has two rows.

    Example:
        >>> tolerance(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0, 1])).item()
        1.0
    """
    of_class = one_hot(labels).to(rows)
    counts = of_class.sum(-2)
    pairs = (counts * (counts - 1)).sum(-1)
    if not (pairs > 0).all():
        raise DataError("tolerance needs a class with two rows or more; take more rows, or fewer classes")
    sums = of_class.mT @ normalize(rows, dim=-1)
    return (sums.square().sum((-2, -1)) - counts.sum(-1)) / pairs


def effective_rank(rows: Tensor) -> Tensor:
    """exp of the entropy of the normalised singular values of centred rows: `... x n x d` -> `...`, 1 to d.

    References: Roy and Vetterli 2007; Garrido et al. 2023, arXiv:2210.02885 (RankMe).

    Example:
        >>> round(effective_rank(torch.eye(8).repeat(4, 1)).item(), 3)
        7.0
    """
    values = torch.linalg.svdvals(rows - rows.mean(-2, keepdim=True))
    share = values / values.sum(-1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)
    return torch.special.entr(share).sum(-1).exp()


def spread(rows: Tensor) -> Tensor:
    """Mean over dimensions of the standard deviation of unit rows, `... x n x d` -> `...`; 1/sqrt(d) when uniform."""
    return normalize(rows, dim=-1).std(-2).mean(-1)


def linear_cka(rows_a: Tensor, rows_b: Tensor, *, debiased: bool = False) -> Tensor:
    """HSIC(a, b) / sqrt(HSIC(a, a) HSIC(b, b)) with linear kernels: `... x n x d`, `... x n x e` -> `...`, at most 1.

    1 for representations that are rotations and scalings of each other. Two independent ones of n rows give about
    sqrt(d e) / n and more, which is much for wide ones; the debiased estimate is 0 on average then.

    References: Kornblith et al. 2019, arXiv:1905.00414, eq. 4; Song et al. 2012 (the unbiased HSIC).

    Raises: ShapeError; DataError if a side is constant.
    """
    if rows_a.shape[:-1] != rows_b.shape[:-1] or _require_rows(rows_a) < (4 if debiased else 2):
        raise ShapeError(
            f"expected two representations of the same rows, four or more; "
            f"got {tuple(rows_a.shape)} and {tuple(rows_b.shape)}"
        )
    a, b = (rows.double() - rows.double().mean(-2, keepdim=True) for rows in (rows_a, rows_b))
    hsic = _unbiased_hsic if debiased else _hsic
    of_a, of_b = hsic(a, a), hsic(b, b)
    if not ((of_a > 0) & (of_b > 0)).all():
        raise DataError(
            "CKA needs representations that vary, and more rows than a few; one of these does not vary"
        )
    return hsic(a, b) / (of_a * of_b).sqrt()


def _hsic(a: Tensor, b: Tensor) -> Tensor:
    return (a.mT @ b).square().sum((-2, -1))


def _unbiased_hsic(a: Tensor, b: Tensor) -> Tensor:
    """n (n - 3) times it, for Gram matrices K = a a', L = b b' without their diagonals, which are never built."""
    n = a.shape[-2]
    k, own_a = _row_sums(a)
    l, own_b = _row_sums(b)  # noqa: E741
    trace = _hsic(a, b) - (own_a * own_b).sum(-1)
    totals = k.sum(-1) * l.sum(-1) / ((n - 1) * (n - 2))
    return trace + totals - 2 / (n - 2) * (k * l).sum(-1)


def _row_sums(a: Tensor) -> tuple[Tensor, Tensor]:
    """Row sums of a a' without its diagonal, and the diagonal: `... x n`."""
    own = a.square().sum(-1)
    return (a * a.sum(-2, keepdim=True)).sum(-1) - own, own


def mean_correlation(latents: Tensor, rows: Tensor, *, ranks: bool = False) -> Tensor:
    """Mean correlation coefficient: how well single dimensions of the rows stand for single latents, `...`, 0 to 1.

    mean_k |corr(latent_k, row_pi(k))| under the assignment pi that makes it largest; a latent left without a
    dimension counts as 0. `ranks` takes Spearman's correlation for Pearson's, which any increasing map leaves alone.
    Give predictions of the latents (`Regression.predictions`) as rows for the coefficient after a linear map.

    Args:
        latents: `... x n x k`.
        rows: `... x n x d`.

    References: Hyvarinen and Morioka 2016, arXiv:1605.06336, section 5 (its use); Zimmermann et al. 2021,
        arXiv:2102.08850.

    Raises: ShapeError.
    """
    from scipy.optimize import linear_sum_assignment

    if latents.shape[:-1] != rows.shape[:-1]:
        raise ShapeError(
            f"expected latents of the same rows; got {tuple(latents.shape)} and {tuple(rows.shape)}"
        )
    a, b = (_standardised(_ranked(side) if ranks else side.double()) for side in (latents, rows))
    size = (a.mT @ b).abs().cpu().numpy()
    found = np.empty(size.shape[:-2])
    for run in np.ndindex(found.shape):
        found[run] = size[run][linear_sum_assignment(size[run], maximize=True)].sum() / size.shape[-2]
    return torch.from_numpy(found).to(latents.device)


def _ranked(rows: Tensor) -> Tensor:
    from scipy.stats import rankdata

    return torch.from_numpy(rankdata(rows.cpu().numpy(), axis=-2)).double().to(rows.device)


def _standardised(rows: Tensor) -> Tensor:
    """Columns of mean 0 and length 1; a constant one becomes 0, which correlates with nothing."""
    return normalize(rows - rows.mean(-2, keepdim=True), dim=-2)


def _require_rows(rows: Tensor) -> int:
    if rows.ndim < 2 or rows.shape[-2] < 2:
        raise ShapeError(f"expected rows ... x n x d with n of 2 or more; got {tuple(rows.shape)}")
    return rows.shape[-2]
