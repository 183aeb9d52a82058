"""Triplet loss: the positive nearer than each negative, by a margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

from torch import Tensor
from torch.nn.functional import relu

from mibounds.errors import ParameterError, UnknownNameError
from mibounds.representation.contrast import Contrast
from mibounds.representation.methods._contrastive import WithNegatives
from mibounds.representation.network import Network

Mining = Literal["all", "hardest"]


class Triplet(WithNegatives):
    """loss = mean_(i, j) max(0, d_i+ - d_ij + margin), d the squared distance 2 - 2 cosine of unit embeddings.

    The loss of metric learning, where a class's examples are each other's positives; here a pair's views are, so that
    it learns a metric without labels. With one negative it has a hinge where NT-Xent has a softplus. It bounds no MI,
    and falls to zero, gradient included, once all negatives are a margin farther than their positive.

    Args:
        network, seeds: see Method.
        margin: in squared distance, which lies within 0 to 4.
        mining: "all" averages over an anchor's negatives; "hardest" takes its nearest one, and may collapse when
            embeddings start close together.
        options: n_negatives, repulsion: see WithNegatives.

    Raises: ShapeError, ParameterError, UnknownNameError.

    References: Schroff et al. 2015, arXiv:1503.03832, eq. 3; Hermans et al. 2017, arXiv:1703.07737 (batch hard).
    """

    name = "triplet"
    references = ("Schroff et al. 2015, arXiv:1503.03832", "Hermans et al. 2017, arXiv:1703.07737")

    def __init__(
        self,
        network: Network,
        seeds: Sequence[int],
        *,
        margin: float = 0.2,
        mining: Mining = "all",
        **options: Any,
    ):
        super().__init__(network, seeds, **options)
        if not 0 < margin < math.inf:
            raise ParameterError(f"margin must be greater than 0; got {margin}")
        if mining not in get_args(Mining):
            raise UnknownNameError("mining", mining, get_args(Mining))
        self.margin, self.mining = margin, mining

    def divisor(self) -> float:
        return 0.5  # scores 2 cosine, of which differences are those of -d

    def loss(self, arranged: Contrast) -> Tensor:
        if self.mining == "hardest":
            nearest = arranged.negatives.amax(-1)
            return relu(nearest - arranged.positives + self.margin).mean(-1)
        excess = arranged.filled(0.0) - arranged.positives.unsqueeze(-1) + self.margin
        return arranged.mean_over_negatives(relu(excess))
