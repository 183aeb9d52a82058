"""What the endless latent sources share: latents with a law, seen through a frozen invertible network."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from mibounds.distributions.maps.random_network import RandomNetwork
from mibounds.errors import ParameterError
from mibounds.representation.sources.base import Examples, Pairs, Source, Split
from mibounds.seeding import Seed, generator


class LatentSource(Source):
    """Views g(z) and g(z') of latents (z, z'): g changes neither the mutual information nor the density ratio.

    A subclass draws the latents and knows their density ratio. A clean input is a view, since there is no noise beyond
    the latents' own law, and both views have the same one.

    Args:
        dim: of the latents and of the views.
        depth: hidden layers of g; 0 shows the latents themselves.
        seed: of g.

    Raises: ParameterError.
    """

    steps_a_draw = 32

    def __init__(self, dim: int, depth: int, seed: int):
        if dim < 1 or depth < 0:
            raise ParameterError(f"expected dim >= 1 and depth >= 0; got {dim} and {depth}")
        self.shape = (dim,)
        self._network = RandomNetwork(dim, depth, seed=seed) if depth else None

    @abstractmethod
    def draw_latents(self, n: int, generator: torch.Generator) -> Pairs:
        """`n` pairs of latents, in the place of the views, and the first one's factors, on the generator's device."""

    @abstractmethod
    def ratio_of_latents(self, z_a: Tensor, z_b: Tensor) -> Tensor | None:
        """The log density ratio of all pairs of latents, in float64; None if unknown."""

    def pairs(
        self, n: int, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Pairs:
        if n < 1:
            raise ParameterError(f"n must be at least 1; got {n}")
        z, other, factors = self.draw_latents(n, generator(seed, device))
        return Pairs(self._observed(z), self._observed(other), factors)

    def examples(
        self, n: int | None, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Examples:
        view, _, factors = self.pairs(self.require_count(n), seed, device=device)
        return Examples(view, factors)

    def log_density_ratio_matrix(self, view_a: Tensor, view_b: Tensor) -> Tensor | None:
        # in float64, since g's inverse multiplies what rounding left
        ratio = self.ratio_of_latents(self._latents_of(view_a.double()), self._latents_of(view_b.double()))
        return None if ratio is None else ratio.to(view_a)

    def _observed(self, z: Tensor) -> Tensor:
        return self._network.forward(z) if self._network else z

    def _latents_of(self, view: Tensor) -> Tensor:
        return self._network.inverse(view) if self._network else view


def normal(n: int, dim: int, generator: torch.Generator) -> Tensor:
    """`n x dim` standard normal numbers on the generator's device."""
    return torch.randn(n, dim, generator=generator, device=generator.device)
