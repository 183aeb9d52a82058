"""Decoupled contrastive learning: NT-Xent without the positive in the denominator."""

from __future__ import annotations

from torch import Tensor

from mibounds.representation.contrast import Contrast
from mibounds.representation.methods._contrastive import Softmax


class DCL(Softmax):
    """loss = -mean_i ln [ e^(s_i+ / tau) / sum_j e^(s_ij / tau) ], j over the K - 1 negatives alone.

    The positive's pull no longer fades where it has won, which helps small batches. ln(K - 1) - loss is
    E_p[f] - E ln mean e^f: its population value is a lower bound on the views' MI, but a batch puts a finite mean
    inside the logarithm, which lifts it, over the MI too. No ln K holds it; it cannot pass 2/tau.

    Args: see Contrastive.

    References: Yeh et al. 2022, arXiv:2110.06848, eq. 5.
    """

    name = "dcl"
    denominator = "without positive"
    with_positive = False
    validity = "plug-in"
    references = ("Yeh et al. 2022, arXiv:2110.06848",)

    def loss(self, arranged: Contrast) -> Tensor:
        return (arranged.log_sum_exp - arranged.positives).mean(-1)

    def reading(self, loss: Tensor, batch_size: int) -> Tensor:
        return loss.new_tensor([k - 1 for k in self.n_candidates(batch_size)]).log() - loss

    def ceiling(self, batch_size: int) -> list[float]:
        return self.widest()
