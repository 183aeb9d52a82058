"""Correlated Gaussian latents, seen through a frozen invertible network: the law of the estimators' own benchmarks."""

from __future__ import annotations

import torch
from torch import Tensor

from mibounds import theory
from mibounds.distributions.gaussian import Gaussian
from mibounds.representation.sources._labels import DirectionLabels
from mibounds.representation.sources._latents import LatentSource
from mibounds.representation.sources.base import Factor, Pairs
from mibounds.seeding import seed_of


class Gauss(LatentSource):
    """z and z' standard normal in R^dim, correlated by rho in each dimension; the views are g(z) and g(z').

        I = -(dim/2) ln(1 - rho^2),
        ln r(z, z') = I + ( rho z.z' - rho^2 (|z|^2 + |z'|^2) / 2 ) / (1 - rho^2).

    The optimal critic depends on lengths, which a cosine of the latents has not: beside `vmf`, where it has none, this
    shows what a unit-norm embedding costs. Labels are the cells of `n_classes` random directions. A clean input is a
    view.

    Args:
        dim: of the latents and of the views.
        correlation: rho, -1 < rho < 1, of each latent with its counterpart.
        n_classes: of the label; 0 for none.
        depth: hidden layers of g; 0 shows the latents themselves.
        seed: of g and of the classes' directions.

    Raises: ParameterError.

    References: Cover and Thomas 2006, example 8.5.1; Poole et al. 2019, arXiv:1905.06922 (as a testbed).

    Example:
        >>> Gauss.from_mutual_information(10, 4.0).mutual_information
        4.0
    """

    name = "gauss"

    def __init__(
        self, dim: int = 10, correlation: float = 0.8, *, n_classes: int = 10, depth: int = 2, seed: int = 0
    ):
        super().__init__(dim, depth, seed)
        self.dim, self.correlation = dim, float(correlation)
        self._law = Gaussian.from_correlation(dim, correlation)
        shared = correlation != 0
        self._labels = DirectionLabels(dim, n_classes, seed=seed_of("classes", seed), shared=shared)
        self.mutual_information = self._law.mutual_information
        self.label = self._labels.name
        self.factors = {"latent": Factor(dim, shared=shared), **self._labels.factors}

    @classmethod
    def from_mutual_information(
        cls, dim: int, nats: float, *, n_classes: int = 10, depth: int = 2, seed: int = 0
    ) -> Gauss:
        """The source of `nats` between its views: rho = sqrt(1 - exp(-2 I / dim)). Raises: ParameterError."""
        correlation = theory.gaussian_correlation(dim, nats)
        source = cls(dim, correlation, n_classes=n_classes, depth=depth, seed=seed)
        source.mutual_information = float(nats)
        return source

    @classmethod
    def example(cls) -> Gauss:
        return cls.from_mutual_information(4, 1.5, n_classes=4)

    def draw_latents(self, n: int, generator: torch.Generator) -> Pairs:
        z, other = self._law.sample(n, generator)
        return Pairs(z, other, {"latent": z, **self._labels.known(z)})

    def ratio_of_latents(self, z_a: Tensor, z_b: Tensor) -> Tensor:
        return self._law.log_density_ratio_matrix(z_a, z_b)
