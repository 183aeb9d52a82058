"""Von Mises-Fisher latents on a sphere, seen through a frozen invertible network: what contrastive theory assumes."""

from __future__ import annotations

import torch
from torch import Tensor

from mibounds.distributions.von_mises_fisher import VonMisesFisher
from mibounds.representation.sources._labels import DirectionLabels
from mibounds.representation.sources._latents import LatentSource
from mibounds.representation.sources.base import Factor, Pairs
from mibounds.seeding import seed_of


class VMF(LatentSource):
    """z uniform on the sphere of R^dim, z' ~ vMF(z, kappa); the views are g(z) and g(z').

    The optimal critic is kappa z.z' - ln E e^(kappa s), a cosine over the temperature 1/kappa. Labels are the cells of
    `n_classes` random directions: the class of z is the direction nearest to it.

    Args:
        dim: of the latents and of the views.
        kappa: concentration of the positives.
        n_classes: of the label; 0 for none.
        depth: hidden layers of g; 0 shows the latents themselves.
        seed: of g and of the classes' directions.

    Raises: ParameterError.

    References: Zimmermann et al. 2021, arXiv:2102.08850.

    Example:
        >>> round(VMF(10, kappa=20).mutual_information, 2)
        4.76
    """

    name = "vmf"

    def __init__(
        self, dim: int = 10, kappa: float = 20.0, *, n_classes: int = 10, depth: int = 2, seed: int = 0
    ):
        super().__init__(dim, depth, seed)
        self.dim, self.kappa = dim, float(kappa)
        self._law = VonMisesFisher(dim, kappa)
        self._labels = DirectionLabels(dim, n_classes, seed=seed_of("classes", seed))
        self.mutual_information = self._law.mutual_information
        self.label = self._labels.name
        self.factors = {"latent": Factor(dim), **self._labels.factors}

    @classmethod
    def example(cls) -> VMF:
        return cls(4, kappa=10.0, n_classes=4)

    def draw_latents(self, n: int, generator: torch.Generator) -> Pairs:
        z, other = self._law.sample(n, generator)
        return Pairs(z, other, {"latent": z, **self._labels.known(z)})

    def ratio_of_latents(self, z_a: Tensor, z_b: Tensor) -> Tensor:
        return self._law.log_density_ratio_matrix(z_a, z_b)
