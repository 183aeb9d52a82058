"""Jointly Gaussian vectors: correlated dimension by dimension, dense, or sparse."""

from __future__ import annotations

import torch
from torch import Tensor

from mibounds import theory
from mibounds.distributions.base import Distribution
from mibounds.errors import ParameterError, ShapeError


class Gaussian(Distribution):
    """A centred Gaussian (x, y) with joint covariance [[S_x, C], [C^T, S_y]].

        I = 1/2 ln ( det S_x det S_y / det S ),
        ln r(x, y) = I - 1/2 (x,y)^T S^-1 (x,y) + 1/2 x^T S_x^-1 x + 1/2 y^T S_y^-1 y.

    Args:
        covariance: `(dim_x + dim_y)` square, symmetric positive definite.
        dim_x: how many of its leading dimensions are x.

    Raises: ShapeError, ParameterError if the covariance is no covariance.

    Example:
        >>> Gaussian.from_mutual_information(20, 4.0).mutual_information
        4.0
    """

    def __init__(self, covariance: Tensor, dim_x: int):
        covariance = torch.as_tensor(covariance, dtype=torch.float64)
        square = covariance.ndim == 2 and covariance.shape[0] == covariance.shape[1]
        if not (square and 0 < dim_x < len(covariance)):
            raise ShapeError(
                "covariance must be square with dim_x rows for x and at least one for y; "
                f"got {tuple(covariance.shape)} with dim_x = {dim_x}"
            )
        factor, failure = torch.linalg.cholesky_ex(covariance)
        if failure or not covariance.isfinite().all() or not torch.allclose(covariance, covariance.T):
            raise ParameterError("covariance must be finite, symmetric and positive definite")
        self.covariance, self.dim_x, self.dim_y = covariance, dim_x, len(covariance) - dim_x
        self._factor = factor
        of_x, of_y = covariance[:dim_x, :dim_x], covariance[dim_x:, dim_x:]
        self.mutual_information = float(of_x.logdet() + of_y.logdet() - covariance.logdet()) / 2
        precision = torch.linalg.inv(covariance)
        self._quadratic_x = (torch.linalg.inv(of_x) - precision[:dim_x, :dim_x]) / 2
        self._quadratic_y = (torch.linalg.inv(of_y) - precision[dim_x:, dim_x:]) / 2
        self._cross = -precision[:dim_x, dim_x:]

    @classmethod
    def from_correlation(cls, dim: int, correlation: float) -> Gaussian:
        """x and y of `dim` dimensions each, x_k and y_k correlated by rho: I = -(dim/2) ln(1 - rho^2)."""
        mutual_information = theory.gaussian_mutual_information(dim, correlation)
        eye = torch.eye(dim, dtype=torch.float64)
        off = correlation * eye
        law = cls(torch.cat([torch.cat([eye, off], 1), torch.cat([off, eye], 1)]), dim)
        law.mutual_information = mutual_information
        return law

    @classmethod
    def from_mutual_information(cls, dim: int, mutual_information: float) -> Gaussian:
        """As `from_correlation`, with rho = sqrt(1 - exp(-2 I / dim)) for I = `mutual_information` nats."""
        law = cls.from_correlation(dim, theory.gaussian_correlation(dim, mutual_information))
        law.mutual_information = float(mutual_information)
        return law

    @classmethod
    def dense(cls, dim_x: int, dim_y: int, correlation: float) -> Gaussian:
        """Every two of the dim_x + dim_y unit-variance variables correlated by `correlation`."""
        dim = dim_x + dim_y
        eye = torch.eye(dim, dtype=torch.float64)
        return cls(correlation + (1 - correlation) * eye, dim_x)

    @classmethod
    def sparse(cls, dim_x: int, dim_y: int, n_pairs: int, correlation: float) -> Gaussian:
        """Only (x_k, y_k), k < n_pairs, are correlated; all other variables are independent."""
        if not 0 <= n_pairs <= min(dim_x, dim_y):
            raise ParameterError(f"n_pairs must lie in 0..{min(dim_x, dim_y)}; got {n_pairs}")
        covariance = torch.eye(dim_x + dim_y, dtype=torch.float64)
        for k in range(n_pairs):
            covariance[k, dim_x + k] = covariance[dim_x + k, k] = correlation
        return cls(covariance, dim_x)

    @classmethod
    def example(cls) -> Gaussian:
        return cls.from_mutual_information(3, 1.0)

    def draw(self, n: int, generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        dim = self.dim_x + self.dim_y
        noise = torch.randn(n, dim, generator=generator, dtype=dtype, device=generator.device)
        both = noise @ self._factor.T.to(noise)
        return both[:, : self.dim_x], both[:, self.dim_x :]

    def log_density_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        # in float64, since terms of the size 1 / (1 - rho^2) cancel
        wide_x, wide_y = x.double(), y.double()
        cross = ((wide_x @ self._cross.to(wide_x)) * wide_y).sum(-1)
        return (self._half_x(wide_x) + self._half_y(wide_y) + cross).to(x)

    def log_density_ratio_matrix(self, x: Tensor, y: Tensor) -> Tensor:
        wide_x, wide_y = x.double(), y.double()
        cross = wide_x @ self._cross.to(wide_x) @ wide_y.mT
        return (self._half_x(wide_x).unsqueeze(-1) + self._half_y(wide_y).unsqueeze(-2) + cross).to(x)

    def _half_x(self, x: Tensor) -> Tensor:
        return self.mutual_information + ((x @ self._quadratic_x.to(x)) * x).sum(-1)

    def _half_y(self, y: Tensor) -> Tensor:
        return ((y @ self._quadratic_y.to(y)) * y).sum(-1)
