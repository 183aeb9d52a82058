"""GAN-DIME: the log density ratio by a classifier of joint against product pairs."""

from __future__ import annotations

from dataclasses import dataclass

from mibounds.bounds._density_ratio import DensityRatioPlugIn
from mibounds.bounds.base import Bound
from mibounds.bounds.jensen_shannon import JensenShannon


@dataclass(frozen=True)
class FDimeGAN(DensityRatioPlugIn):
    """Read as E_p[f]; trained on E_p[ln sigmoid(f)] + E_q[ln sigmoid(-f)], whose optimum is f = ln r.

    The objective is Jensen-Shannon's (up to ln 4), and so is the critic: only the reading differs.

    References: Letizia, Novello and Tonello 2024, GAN-DIME.

    Example:
        >>> import torch
        >>> FDimeGAN()(torch.tensor([[2.0, 0.0], [0.0, 2.0]]))
        tensor(2.)
    """

    name = "f_dime_gan"
    references = ("Letizia et al. 2024, arXiv:2305.20025",)

    @property
    def trained_as(self) -> Bound:
        return JensenShannon()
