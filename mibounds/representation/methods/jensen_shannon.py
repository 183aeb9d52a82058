"""Jensen-Shannon as a training loss: positive and negative pairs told apart, of cosines over a temperature."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from mibounds.representation.contrast import Contrast
from mibounds.representation.methods._contrastive import WithBias


class JensenShannon(WithBias):
    """loss = mean_i softplus(-f_ii) + mean_(i != j) softplus(f_ij), f = cosine / tau + b.

    -loss is the objective of `mibounds.bounds` JensenShannon, 2 JS - 2 ln 2 at the optimum f = ln r: no bound on the
    MI. To read one, take that bound's value, NWJ at 1 + f, of the model's scores on held-out pairs. The gradient of
    each score is bounded, so training is calm where NWJ's is not. Unlike in the sigmoid loss, negatives weigh as much
    as positives, whatever their number.

    Args: see WithBias.

    References: Hjelm et al. 2019, arXiv:1808.06670, eq. 4.
    """

    name = "jensen_shannon"
    arrangement = "one-way"
    references = ("Hjelm et al. 2019, arXiv:1808.06670",)

    def loss(self, arranged: Contrast) -> Tensor:
        return softplus(-arranged.positives).mean(-1) + arranged.mean_over_negatives(
            softplus(arranged.negatives)
        )
