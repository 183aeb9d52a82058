"""Symmetric InfoNCE: each view against all of the other view, as CLIP is trained."""

from __future__ import annotations

from mibounds.representation.methods._contrastive import CrossEntropy


class SymmetricInfoNCE(CrossEntropy):
    """loss = [InfoNCE(s) + InfoNCE(s^T)] / 2 with s_ij the cosine of view a's row i and view b's row j, over tau.

    K = n candidates an anchor. ln K - loss is the mean of two lower bounds on the views' MI, hence one too.

    Args: see Contrastive.

    References: Radford et al. 2021, arXiv:2103.00020, figure 3; Sohn 2016; Zhang et al. 2020, arXiv:2010.00747.
    """

    name = "symmetric_info_nce"
    arrangement = "symmetric"
    references = ("Radford et al. 2021, arXiv:2103.00020", "Zhang et al. 2020, arXiv:2010.00747")
