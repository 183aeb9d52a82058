"""SimCLR: NT-Xent, each of 2n views against both views of all other rows."""

from __future__ import annotations

from mibounds.representation.methods._contrastive import CrossEntropy


class SimCLR(CrossEntropy):
    """loss = -mean_i ln [ e^(s_i+ / tau) / sum_(j != i) e^(s_ij / tau) ], i over the 2n views, s cosines.

    The positive is among the K = 2n - 1 candidates, the anchor itself is not. ln K - loss is InfoNCE, a lower bound on
    the views' MI in expectation where both views have one law; it cannot pass ln K, nor 1/tau - ln E e^(s/tau)
    (`theory.temperature_ceiling`).

    References: Chen et al. 2020, arXiv:2002.05709, eq. 1; Sohn 2016 (N-pair loss).
    """

    name = "simclr"
    arrangement = "two-view"
    references = ("Chen et al. 2020, arXiv:2002.05709",)
