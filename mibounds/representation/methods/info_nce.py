"""InfoNCE, one way: each first view against all second views."""

from __future__ import annotations

from mibounds.representation.methods._contrastive import CrossEntropy


class InfoNCE(CrossEntropy):
    """loss = -mean_i ln [ e^(s_ii / tau) / sum_j e^(s_ij / tau) ], i over view a, j over view b: K = n candidates.

    ln K - loss is `mibounds.bounds` InfoNCE of the scores s / tau.

    References: van den Oord et al. 2018, arXiv:1807.03748, eq. 4.
    """

    name = "info_nce"
    arrangement = "one-way"
    references = ("van den Oord et al. 2018, arXiv:1807.03748",)
