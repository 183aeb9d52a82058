"""Spectral contrastive loss: a low-rank factorisation of the density ratio, by least squares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.representation.contrast import Contrast
from mibounds.representation.methods._contrastive import WithNegatives
from mibounds.representation.network import Network


class Spectral(WithNegatives):
    """loss = -2 mean_i z_i.z'_i + mean_(i != j) (z_i.z'_j)^2, without a temperature.

    The optimal inner product is the density ratio itself, of rank d: its leading eigenfunctions. -loss is a lower bound
    on 1 + chi^2 of the joint against the product, which is at least e^MI: it says nothing of the MI from below.

    Args:
        network, seeds: see Method.
        radius: None leaves embeddings as they are; a number puts them on the sphere of this radius.
        options: n_negatives, repulsion: see WithNegatives. The control is on a sphere, else its loss has no end.

    Raises: ShapeError, ParameterError.

    References: HaoChen et al. 2021, arXiv:2106.04156, eq. 6.
    """

    name = "spectral"
    arrangement = "one-way"
    references = ("HaoChen et al. 2021, arXiv:2106.04156",)

    def __init__(
        self, network: Network, seeds: Sequence[int], *, radius: float | None = None, **options: Any
    ):
        super().__init__(network, seeds, **options)
        if radius is not None and not 0 < radius < math.inf:
            raise ParameterError(
                f"radius must be greater than 0, or None for embeddings as they are; got {radius}"
            )
        self.radius = radius

    def placed(self, z: Tensor) -> Tensor:
        if self.radius is None and self.repulsion:
            return z
        return (self.radius or 1.0) * super().placed(z)

    def loss(self, arranged: Contrast) -> Tensor:
        return arranged.mean_over_negatives(arranged.filled(0.0).square()) - 2 * arranged.positives.mean(-1)
