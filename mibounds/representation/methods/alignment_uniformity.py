"""Alignment and uniformity: the two aims of the contrastive loss, as a loss of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.representation.contrast import contrast
from mibounds.representation.methods._contrastive import WithNegatives
from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs


class AlignmentUniformity(WithNegatives):
    """loss = mean_i |z_i - z'_i|^alpha + weight [U(z) + U(z')] / 2, U(z) = ln mean_(i != j) e^(-t |z_i - z_j|^2).

    Uniformity is within a view, so an anchor's negatives are rows of its own view. Embeddings are on the unit sphere.
    The loss bounds no MI.

    Args:
        network, seeds: see Method.
        alpha: power of the distance of positives.
        t: sharpness of the kernel between negatives.
        weight: of uniformity.
        options: n_negatives, repulsion: see WithNegatives.

    Raises: ShapeError, ParameterError.

    References: Wang and Isola 2020, arXiv:2005.10242, section 4.1.
    """

    name = "alignment_uniformity"
    arrangement = "one-way"
    denominator = "without positive"
    prevents_collapse = "uniformity"
    references = ("Wang and Isola 2020, arXiv:2005.10242",)

    def __init__(
        self,
        network: Network,
        seeds: Sequence[int],
        *,
        alpha: float = 2.0,
        t: float = 2.0,
        weight: float = 1.0,
        **options: Any,
    ):
        super().__init__(network, seeds, **options)
        for name, value in (("alpha", alpha), ("t", t), ("weight", weight)):
            if not 0 < value < math.inf:
                raise ParameterError(f"{name} must be greater than 0; got {value}")
        self.alpha, self.t, self.weight = alpha, t, weight

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        z_a, z_b = self.embeddings(network, pairs)
        uniformity = (self._uniformity(z_a) + self._uniformity(z_b)) / 2
        aligned = self._alignment(z_a, z_b)
        return aligned + self.weight * uniformity if self.repulsion else aligned

    def _alignment(self, z_a: Tensor, z_b: Tensor) -> Tensor:
        return ((z_a - z_b).norm(dim=-1) ** self.alpha).mean(-1)

    def _uniformity(self, z: Tensor) -> Tensor:
        """On the unit sphere -t |z - z'|^2 = 2 t z.z' - 2 t."""
        scores = contrast(z, z, 1 / (2 * self.t), "one-way", self.n_negatives)
        return scores.log_partition - 2 * self.t
