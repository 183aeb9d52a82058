"""Von Mises-Fisher latents on a sphere, seen through a frozen invertible network: what contrastive theory assumes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds.distributions.maps.random_network import RandomNetwork
from mibounds.distributions.transformed import Transformed
from mibounds.distributions.von_mises_fisher import VonMisesFisher
from mibounds.errors import ParameterError
from mibounds.representation.sources.base import Examples, Factor, Pairs, Source, Split
from mibounds.seeding import Seed, generator, seed_of


class VMF(Source):
    """z uniform on the sphere of R^dim, z' ~ vMF(z, kappa); the views are g(z) and g(z').

    The optimal critic is kappa z.z' - ln E e^(kappa s), a cosine over the temperature 1/kappa. Labels are the cells of
    `n_classes` random directions: the class of z is the direction nearest to it.

    Args:
        dim: of the latents and of the views.
        kappa: concentration of the positives.
        n_classes: of the label; 0 for none.
        depth: hidden layers of g.
        seed: of g and of the classes' directions.

    Raises: ParameterError.

    References: Zimmermann et al. 2021, arXiv:2102.08850.

    Example:
        >>> round(VMF(10, kappa=20).mutual_information, 2)
        4.76
    """

    name = "vmf"
    steps_a_draw = 32

    def __init__(
        self, dim: int = 10, kappa: float = 20.0, *, n_classes: int = 10, depth: int = 2, seed: int = 0
    ):
        if n_classes < 0 or n_classes == 1:
            raise ParameterError(f"n_classes must be 0, for no label, or at least 2; got {n_classes}")
        self._latents = VonMisesFisher(dim, kappa)
        self._network = RandomNetwork(dim, depth, seed=seed)
        self._law = Transformed(self._latents, self._network, self._network)
        self.mutual_information = self._law.mutual_information
        self.shape = (dim,)
        self.dim, self.kappa = dim, float(kappa)
        self.label = "label" if n_classes else None
        source = generator(seed_of("classes", seed))
        self._directions = normalize(
            torch.randn(n_classes, dim, generator=source, dtype=torch.float64), dim=-1
        ).float()
        self.factors = {"latent": Factor(dim)}
        if n_classes:
            self.factors["label"] = Factor(n_classes=n_classes)

    @classmethod
    def example(cls) -> VMF:
        return cls(4, kappa=10.0, n_classes=4)

    def pairs(
        self, n: int, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Pairs:
        z, other = self._latents.sample(n, seed, device=device)
        return Pairs(self._network.forward(z), self._network.forward(other), self._known(z))

    def examples(
        self, n: int | None, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Examples:
        view, _, factors = self.pairs(self.require_count(n), seed, device=device)
        return Examples(view, factors)

    def _known(self, z: Tensor) -> dict[str, Tensor]:
        known = {"latent": z}
        if self.label:
            known["label"] = (z @ self._directions.T.to(z)).argmax(-1)
        return known

    def log_density_ratio_matrix(self, view_a: Tensor, view_b: Tensor) -> Tensor | None:
        return self._law.log_density_ratio_matrix(view_a, view_b)
