"""N-pair loss: InfoNCE of inner products without a sphere or a temperature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.representation.contrast import Contrast
from mibounds.representation.methods._contrastive import WithNegatives
from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs


class NPair(WithNegatives):
    """loss = mean_i ln [ 1 + sum_(j != i) e^(z_i.z'_j - z_i.z'_i) ] + l2 mean_i (|z_i|^2 + |z'_i|^2) / 2.

    The triplet loss of metric learning with many negatives and a softplus for its hinge; the first term is InfoNCE. The
    embeddings' length is their temperature, held by l2. ln K - loss is a lower bound on the views' MI in expectation,
    as the penalty only lowers it.

    Args:
        network, seeds: see Method.
        l2: weight of the embeddings' squared length, 0 or more.
        options: n_negatives, repulsion: see WithNegatives. The control is on the sphere, else its loss has no end.

    Raises: ShapeError, ParameterError.

    References: Sohn 2016, "Improved deep metric learning with multi-class N-pair loss objective", eq. 6 and 7.
    """

    name = "n_pair"
    arrangement = "one-way"
    denominator = "with positive"
    validity = "bound in expectation"
    references = ("Sohn 2016, Improved deep metric learning with multi-class N-pair loss objective",)

    def __init__(self, network: Network, seeds: Sequence[int], *, l2: float = 0.002, **options: Any):
        super().__init__(network, seeds, **options)
        if not 0 <= l2 < math.inf:
            raise ParameterError(f"l2 must be 0 or more; got {l2}")
        self.l2 = l2

    def placed(self, z: Tensor) -> Tensor:
        return z if self.repulsion else super().placed(z)

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        z_a, z_b = self.embeddings(network, pairs)
        arranged = self.arranged(z_a, z_b)
        drawn = self.loss(arranged) if self.repulsion else -arranged.positives.mean(-1)
        return drawn + self.l2 * (z_a.square() + z_b.square()).sum(-1).mean(-1) / 2

    def loss(self, arranged: Contrast) -> Tensor:
        return arranged.cross_entropy.mean(-1)

    def reading(self, loss: Tensor, batch_size: int) -> Tensor:
        return loss.new_tensor(self.ceiling(batch_size)) - loss

    def ceiling(self, batch_size: int) -> list[float]:
        return [math.log(k) for k in self.n_candidates(batch_size)]
