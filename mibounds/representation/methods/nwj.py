"""NWJ as a training loss: the bound itself, of cosines over a temperature with a learned level."""

from __future__ import annotations

from torch import Tensor

from mibounds.bounds.nwj import NWJ as Bound
from mibounds.numerics import guarded_exp
from mibounds.representation.contrast import Contrast
from mibounds.representation.methods._contrastive import WithBias


class NWJ(WithBias):
    """loss = -mean_i f_ii + mean_(i != j) e^(f_ij - 1), f = cosine / tau + b.

    -loss is `mibounds.bounds` NWJ of the scores f: a lower bound on the views' MI in expectation, for every network and
    every b. It is tight only at f = 1 + ln r, a level that cosines within 1/tau of zero do not have of themselves, so b
    is learned. It cannot pass 2/tau; its variance grows like e^MI, and e^f makes it start badly where b is large.

    Args: see WithBias.

    References: Nguyen et al. 2010, arXiv:0809.0853; Poole et al. 2019, arXiv:1905.06922, eq. 6.
    """

    name = "nwj"
    arrangement = "one-way"
    denominator = "without positive"
    validity = Bound.validity
    references = ("Nguyen et al. 2010, arXiv:0809.0853", "Poole et al. 2019, arXiv:1905.06922")

    def loss(self, arranged: Contrast) -> Tensor:
        return guarded_exp(arranged.log_partition - 1) - arranged.positives.mean(-1)

    def reading(self, loss: Tensor, batch_size: int) -> Tensor:
        return -loss

    def ceiling(self, batch_size: int) -> list[float]:
        return self.widest()
