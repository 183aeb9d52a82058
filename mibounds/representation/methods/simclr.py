"""SimCLR: NT-Xent, each of 2n views against both views of all other rows."""

from __future__ import annotations

from mibounds.representation.methods._contrastive import CrossEntropy


class SimCLR(CrossEntropy):
    """loss = -mean_i ln [ e^(s_i+ / tau) / sum_(j != i) e^(s_ij / tau) ], i over the 2n views, s cosines.

    The positive is among the K = 2n - 1 candidates, the anchor itself is not. ln K - loss reads as InfoNCE and cannot
    pass ln K, nor, in expectation, 1/tau - ln E e^(s/tau) (`theory.temperature_ceiling`). It is a lower bound on the
    views' MI in the limit of many pairs only: a row's two views stand among the negatives together, so the candidates
    are not exchangeable, and with seven pairs that share one bit its mean lies 0.0036 nats above ln 2 (a test counts it
    exactly). `info_nce` and `symmetric_info_nce`, whose negatives are independent, are bounds in expectation.

    References: Chen et al. 2020, arXiv:2002.05709, eq. 1; Sohn 2016 (N-pair loss).
    """

    name = "simclr"
    arrangement = "two-view"
    validity = "plug-in"
    references = ("Chen et al. 2020, arXiv:2002.05709",)
