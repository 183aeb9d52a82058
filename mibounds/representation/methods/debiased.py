"""Debiased contrastive loss: the share of negatives that are positives is subtracted from the denominator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mibounds.representation.contrast import Contrast
from mibounds.representation.methods._contrastive import Contrastive
from mibounds.representation.methods.base import Method
from mibounds.representation.network import Network
from mibounds.representation.per_run import PerRun, per_run


class Debiased(Contrastive):
    """loss = -mean_i ln [ e^s+ / (e^s+ + N g) ], g = max(e^(-1/tau), (mean_j e^s_ij - tau_plus e^s+) / (1 - tau_plus)).

    N = K - 1 negatives, scores s = cosine / tau. g estimates the mean over true negatives when a share tau_plus of them
    has the anchor's class; it is held at the least that a mean of e^(cosine / tau) can be, where no gradient reaches
    the negatives. At tau_plus = 0 it is NT-Xent. No bound: what is subtracted lowers InfoNCE's denominator.

    Args:
        network, seeds: see Method.
        tau_plus: the class prior, 0 <= tau_plus < 1, one or one a run; 1/C for C equal classes.
        options: temperature, n_negatives, learn_temperature, repulsion: see Contrastive.

    Raises: ShapeError, ParameterError.

    References: Chuang et al. 2020, arXiv:2007.00224, eq. 7 and 8, with one positive (M = 1).
    """

    name = "debiased"
    denominator = "with positive"
    references = ("Chuang et al. 2020, arXiv:2007.00224",)

    def __init__(self, network: Network, seeds: Sequence[int], *, tau_plus: PerRun, **options: Any):
        super().__init__(network, seeds, **options)
        expected = "at least 0 and less than 1"
        shares = per_run("tau_plus", tau_plus, self.n_runs, lambda share: 0 <= share < 1, expected)
        self.tau_plus: Tensor
        self.register_buffer("tau_plus", torch.tensor(shares).unsqueeze(1))

    @classmethod
    def example(cls, network: Network, seeds: Sequence[int], **options: Any) -> Method:
        return super().example(network, seeds, **({"tau_plus": 0.1} | options))

    def loss(self, arranged: Contrast) -> Tensor:
        log_weight = arranged.n_negatives.log() + self.log_g(arranged)
        return (torch.logaddexp(arranged.positives, log_weight) - arranged.positives).mean(-1)

    def log_g(self, arranged: Contrast) -> Tensor:
        """ln g, `R x m`: the difference of two exponentials through their ratio, so that none overflows."""
        log_mean = arranged.log_mean_exp
        log_ratio = self.tau_plus.log() + arranged.positives - log_mean
        empty = log_ratio >= 0  # more is subtracted than there is
        difference = log_mean + torch.log(-torch.expm1(log_ratio.masked_fill(empty, -1.0)))
        least = -1 / self.temperature().squeeze(-1)
        return torch.maximum((difference - torch.log1p(-self.tau_plus)).masked_fill(empty, -torch.inf), least)
