"""Donsker-Varadhan as a training loss, of cosines over a temperature."""

from __future__ import annotations

from torch import Tensor

from mibounds.bounds.donsker_varadhan import DonskerVaradhan as Bound
from mibounds.representation.contrast import Contrast
from mibounds.representation.methods._contrastive import Contrastive


class DonskerVaradhan(Contrastive):
    """loss = -mean_i f_ii + ln mean_(i != j) e^f_ij, f = cosine / tau.

    -loss is `mibounds.bounds` Donsker-Varadhan of the scores f. Its population value is a lower bound on the views' MI;
    on a batch it lies above that, since one finite mean is inside the logarithm, and so its gradient is biased too. It
    cannot pass 2/tau. Any constant in f drops out: cosines need no level.

    Args: see Contrastive.

    References: Donsker and Varadhan 1983; Belghazi et al. 2018, arXiv:1801.04062, eq. 2.
    """

    name = "donsker_varadhan"
    arrangement = "one-way"
    denominator = "without positive"
    validity = Bound.validity
    references = ("Donsker and Varadhan 1983", "Belghazi et al. 2018, arXiv:1801.04062")

    def loss(self, arranged: Contrast) -> Tensor:
        return arranged.log_partition - arranged.positives.mean(-1)

    def reading(self, loss: Tensor, batch_size: int) -> Tensor:
        return -loss

    def ceiling(self, batch_size: int) -> list[float]:
        return self.widest()
