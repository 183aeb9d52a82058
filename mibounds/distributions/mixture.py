"""Mixtures of Gaussians: dependence within the components, and through which component it was."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mibounds.distributions.base import Distribution
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import ParameterError, ShapeError
from mibounds.seeding import generator, seed_of

TRUTH_BLOCK = 2**16


class Mixture(Distribution):
    """(x, y) ~ N(mean_k, covariance_k) with probability weight_k.

        ln r(x, y) = ln p(x, y) - ln p(x) - ln p(y), each p a weighted sum of Gaussian densities;    I = E[ln r],

    by Monte Carlo: the mean over `truth_samples` pairs of a seed of its own, the same at each call, in float64. Its
    standard error is `mutual_information_error`. Two components of opposite correlations are dependent without being
    correlated; components apart share which one it was, the entropy of the weights at most.

    Args:
        weights: `k`, positive; scaled here to sum to one.
        means: `k x (dim_x + dim_y)`.
        covariances: `k` squares of that size, symmetric positive definite.
        dim_x: how many of the leading dimensions are x.
        truth_samples: pairs that the truth is computed from.

    Raises: ShapeError, ParameterError if the parts do not fit each other or are no law.

    References: Czyz et al. 2023, arXiv:2310.10240 (mixtures with a Monte-Carlo truth).

    Example:
        >>> law = Mixture.crossed(0.9, truth_samples=2**16)
        >>> round(law.mutual_information, 2), round(law.mutual_information_error, 3)
        (0.41, 0.003)
    """

    def __init__(
        self,
        weights: Sequence[float] | Tensor,
        means: Sequence[Sequence[float]] | Tensor,
        covariances: Sequence[Tensor] | Tensor,
        dim_x: int,
        truth_samples: int = 2**20,
    ):
        share, self.means = (torch.as_tensor(part, dtype=torch.float64) for part in (weights, means))
        parts = [Gaussian(covariance, dim_x) for covariance in covariances]
        self.dim_x, self.dim_y = dim_x, parts[0].dim_y
        if self.means.shape != (len(parts), dim_x + self.dim_y) or share.shape != (len(parts),):
            raise ShapeError(
                "expected k weights, k means and k covariances of one dimension; "
                f"got shapes {tuple(share.shape)}, {tuple(self.means.shape)} and {len(parts)} of "
                f"{len(parts[0].covariance)} dimensions"
            )
        if not ((share > 0).all() and share.isfinite().all() and self.means.isfinite().all()):
            raise ParameterError("weights must be positive, and weights and means finite")
        if truth_samples < 2:
            raise ParameterError(f"truth_samples must be at least 2; got {truth_samples}")
        self.weights = share / share.sum()
        self.covariances = torch.stack([part.covariance for part in parts])
        self._factors = torch.linalg.cholesky(self.covariances)
        sides = slice(None), slice(None, dim_x), slice(dim_x, None)
        self._joint, self._of_x, self._of_y = (self._marginal(side) for side in sides)
        self.mutual_information, self.mutual_information_error = self._truth(truth_samples)

    @classmethod
    def crossed(cls, correlation: float, truth_samples: int = 2**20) -> Mixture:
        """A cross: two standard Gaussians of 1 + 1 dimensions, one of this correlation and one of its negative."""
        both = [Gaussian.from_correlation(1, sign * correlation).covariance for sign in (1, -1)]
        return cls([1, 1], [[0, 0], [0, 0]], both, 1, truth_samples)

    @classmethod
    def example(cls) -> Mixture:
        apart = [[0.0, 0.0, 0.0], [2.0, -1.0, 1.0]]
        both = [Gaussian.dense(2, 1, 0.4).covariance, Gaussian.sparse(2, 1, 1, -0.8).covariance]
        return cls([0.3, 0.7], apart, both, 2, truth_samples=2**18)

    def draw(self, n: int, generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        uniform = torch.rand(n, generator=generator, dtype=torch.float64, device=generator.device)
        steps = self.weights.cumsum(0)[:-1].to(uniform)
        which = torch.searchsorted(steps, uniform, right=True)
        noise = torch.randn(n, len(self.means[0]), generator=generator, dtype=dtype, device=generator.device)
        of_each = self.means.to(noise) + torch.einsum("ne,kde->nkd", noise, self._factors.to(noise))
        both = of_each[torch.arange(n, device=which.device), which]
        return both[:, : self.dim_x], both[:, self.dim_x :]

    def log_density_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        x, y, dtype = x.double(), y.double(), x.dtype
        pairs = torch.broadcast_shapes(x.shape[:-1], y.shape[:-1])
        both = torch.cat([x.expand(*pairs, -1), y.expand(*pairs, -1)], -1)
        ratio = _log_density(both, *self._joint) - _log_density(x, *self._of_x) - _log_density(y, *self._of_y)
        return ratio.to(dtype)

    def _marginal(self, side: slice) -> tuple[Tensor, Tensor, Tensor]:
        """ln weight - 1/2 ln det of each component, its mean, and what whitens it, on one side."""
        factors = torch.linalg.cholesky(self.covariances[:, side, side])
        log_det = factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return self.weights.log() - log_det, self.means[:, side], torch.linalg.inv(factors)

    def _truth(self, n: int) -> tuple[float, float]:
        source = generator(seed_of("truth of a mixture"))
        sizes = [TRUTH_BLOCK] * (n // TRUTH_BLOCK) + [n % TRUTH_BLOCK] * (n % TRUTH_BLOCK > 0)
        draws = (self.draw(size, source, torch.float64) for size in sizes)
        ratio = torch.cat([self.log_density_ratio(*pairs) for pairs in draws])
        return float(ratio.mean()), float(ratio.std()) / n**0.5


def _log_density(values: Tensor, log_weight: Tensor, means: Tensor, whitening: Tensor) -> Tensor:
    """ln p of `... x dim` -> `...`, without the powers of 2 pi, which cancel between x, y and both."""
    offset = values.unsqueeze(-2) - means.to(values.device)
    white = torch.einsum("...kd,ked->...ke", offset, whitening.to(values.device))
    return (log_weight.to(values.device) - white.square().sum(-1) / 2).logsumexp(-1)
