"""Finite tables: laws on finitely many outcomes, where every quantity is an exact sum."""

from __future__ import annotations

import torch
from torch import Tensor

from mibounds.distributions.base import Distribution
from mibounds.errors import DataError, ParameterError, ShapeError


class FiniteTable(Distribution):
    """P(x = i, y = j) = joint[i, j]; x and y are integer codes, held as float columns.

        I = sum_ij p_ij ln r(i, j),        ln r(i, j) = ln ( p_ij / p_i. p_.j ), -inf where p_ij = 0.

    Args:
        joint: `a x b` non-negative weights, scaled here to sum to one; no row and no column is all zero.

    Raises: ShapeError, ParameterError if the weights are no law.

    Example:
        >>> law = FiniteTable(torch.eye(2))
        >>> round(law.mutual_information, 4)
        0.6931
    """

    dim_x = dim_y = 1

    def __init__(self, joint: Tensor):
        joint = torch.as_tensor(joint, dtype=torch.float64)
        if joint.ndim != 2:
            raise ShapeError(f"joint must be a table a x b; got shape {tuple(joint.shape)}")
        if not (joint.isfinite().all() and (joint >= 0).all() and joint.sum(0).all() and joint.sum(1).all()):
            raise ParameterError("joint must be finite and non-negative, and no row or column all zero")
        self.joint = joint / joint.sum()
        self._log_ratio = (self.joint / (self.joint.sum(1, keepdim=True) * self.joint.sum(0))).log()
        self.mutual_information = float((self.joint * self._log_ratio).nansum())

    @classmethod
    def example(cls) -> FiniteTable:
        return cls(torch.tensor([[4.0, 1.0, 1.0, 2.0], [1.0, 3.0, 0.5, 0.5], [0.5, 0.5, 5.0, 1.0]]))

    def draw(self, n: int, generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        uniform = torch.rand(n, generator=generator, dtype=torch.float64, device=generator.device)
        cumulative = self.joint.flatten().cumsum(0).to(uniform)
        # divided by its end, so that the last step is exactly one; right=True passes over empty cells
        cell = torch.searchsorted(cumulative / cumulative[-1], uniform, right=True).unsqueeze(-1)
        n_columns = self.joint.shape[1]
        return (cell // n_columns).to(dtype), (cell % n_columns).to(dtype)

    def log_density_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        rows, columns = (_codes(values, size) for values, size in zip((x, y), self.joint.shape, strict=True))
        return self._log_ratio.to(x)[rows, columns]


def _codes(values: Tensor, size: int) -> Tensor:
    codes = values.squeeze(-1).long()
    if not ((codes.unsqueeze(-1) == values).all() and (codes >= 0).all() and (codes < size).all()):
        raise DataError(f"outcomes must be integer codes from 0 to {size - 1}")
    return codes
