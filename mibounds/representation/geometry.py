"""Geometry of embeddings on the sphere and of representations: numbers that say how a model spends its space."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize


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
