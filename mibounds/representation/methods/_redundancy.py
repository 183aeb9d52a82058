"""Variance and covariance of a batch's embeddings: what keeps dimensions alive and different."""

from __future__ import annotations

import torch
from torch import Tensor


def variance_hinge(z: Tensor, eps: float = 1e-4) -> Tensor:
    """mean_j max(0, 1 - sqrt(Var z_j + eps)): `R x n x d` -> `R`. Bardes et al. 2022, arXiv:2105.04906, eq. 1."""
    return torch.relu(1 - (z.var(1) + eps).sqrt()).mean(-1)


def covariance_penalty(z: Tensor) -> Tensor:
    """1/d sum over i != j of Cov(z_i, z_j)^2: `R x n x d` -> `R`. Bardes et al. 2022, arXiv:2105.04906, eq. 4."""
    centred = z - z.mean(1, keepdim=True)
    covariance = torch.bmm(centred.mT, centred) / (z.shape[1] - 1)
    return off_diagonal_squares(covariance) / z.shape[-1]


def off_diagonal_squares(matrix: Tensor) -> Tensor:
    """Sum over i != j of matrix_ij^2: `... x d x d` -> `...`."""
    diagonal = torch.diag_embed(matrix.diagonal(dim1=-2, dim2=-1))
    return (matrix - diagonal).square().sum((-2, -1))
