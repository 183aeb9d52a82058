"""Multivariate Student-t vectors: heavy tails, and dependence even without correlation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mibounds.distributions._chi_squared import chi_squared
from mibounds.distributions.base import Distribution
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import ParameterError


class StudentT(Distribution):
    """(x, y) = Gaussian(dispersion) / sqrt(chi^2_nu / nu): one random scale for all dimensions of x and y.

        I = I_Gaussian(dispersion) + c(dim_x) + c(dim_y) - c(dim_x + dim_y),
        c(k) = ln Gamma(nu/2) - ln Gamma((nu+k)/2) + (nu+k)/2 [ psi((nu+k)/2) - psi(nu/2) ],

    psi the digamma function. Sharing a scale is dependence: I > 0 also for the identity as dispersion. There
    is no mean at nu <= 1, no variance at nu <= 2, and E_p[r] is infinite at any nu.

    Args:
        dispersion: `(dim_x + dim_y)` square, symmetric positive definite.
        dim_x: how many of its leading dimensions are x.
        dof: nu > 0, the degrees of freedom.

    Raises: ShapeError, ParameterError.

    References: Arellano-Valle, Contreras-Reyes and Genton 2013 (entropy); Czyz et al. 2023.

    Example:
        >>> round(StudentT.identity(1, 1, dof=1).mutual_information, 4)
        0.2242
    """

    def __init__(self, dispersion: Tensor, dim_x: int, dof: float):
        if not 0 < dof < math.inf:
            raise ParameterError(f"dof must be positive and finite; got {dof}")
        self.gaussian, self.dof = Gaussian(dispersion, dim_x), float(dof)
        self.dim_x, self.dim_y = self.gaussian.dim_x, self.gaussian.dim_y
        dispersion, precision = self.gaussian.covariance, torch.linalg.inv(self.gaussian.covariance)
        self._inverse_x = torch.linalg.inv(dispersion[:dim_x, :dim_x])
        self._inverse_y = torch.linalg.inv(dispersion[dim_x:, dim_x:])
        self._joint_x, self._joint_y = precision[:dim_x, :dim_x], precision[dim_x:, dim_x:]
        self._cross = 2 * precision[:dim_x, dim_x:]
        sides = ((self.dim_x, 1), (self.dim_y, 1), (self.dim_x + self.dim_y, -1))
        self._offset = self.gaussian.mutual_information + sum(s * self._log_normaliser(k) for k, s in sides)
        self.mutual_information = self._offset + sum(s * self._mean_log_tail(k) for k, s in sides)

    @classmethod
    def identity(cls, dim_x: int, dim_y: int, dof: float) -> StudentT:
        """The identity as dispersion: uncorrelated, yet dependent through the shared scale."""
        return cls(torch.eye(dim_x + dim_y, dtype=torch.float64), dim_x, dof)

    @classmethod
    def example(cls) -> StudentT:
        return cls(Gaussian.from_mutual_information(2, 0.5).covariance, 2, dof=3)

    def draw(self, n: int, generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        x, y = self.gaussian.draw(n, generator, dtype)
        scale = (chi_squared(n, self.dof, generator) / self.dof).rsqrt().to(dtype)
        return x * scale, y * scale

    def log_density_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        # in float64, since large terms cancel
        wide_x, wide_y = x.double(), y.double()
        cross = ((wide_x @ self._cross.to(wide_x)) * wide_y).sum(-1)
        return self._log_ratio(wide_x, wide_y, cross).to(x)

    def log_density_ratio_matrix(self, x: Tensor, y: Tensor) -> Tensor:
        wide_x, wide_y = x.double(), y.double()
        cross = wide_x @ self._cross.to(wide_x) @ wide_y.mT
        return self._log_ratio(wide_x.unsqueeze(-2), wide_y.unsqueeze(-3), cross).to(x)

    def _log_ratio(self, x: Tensor, y: Tensor, cross: Tensor) -> Tensor:
        joint = _quadratic(x, self._joint_x) + cross + _quadratic(y, self._joint_y)
        return (
            self._offset
            + self._log_tail(_quadratic(x, self._inverse_x), self.dim_x)
            + self._log_tail(_quadratic(y, self._inverse_y), self.dim_y)
            - self._log_tail(joint, self.dim_x + self.dim_y)
        )

    def _log_tail(self, quadratic: Tensor, dim: int) -> Tensor:
        """-ln of a `dim`-dimensional t density, up to its normaliser."""
        return (self.dof + dim) / 2 * torch.log1p(quadratic / self.dof)

    def _mean_log_tail(self, dim: int) -> float:
        ends = torch.tensor([self.dof + dim, self.dof], dtype=torch.float64) / 2
        return float(ends[0] * (ends.digamma()[0] - ends.digamma()[1]))

    def _log_normaliser(self, dim: int) -> float:
        return math.lgamma(self.dof / 2) - math.lgamma((self.dof + dim) / 2)


def _quadratic(values: Tensor, matrix: Tensor) -> Tensor:
    return ((values @ matrix.to(values)) * values).sum(-1)
