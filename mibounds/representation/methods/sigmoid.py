"""Sigmoid loss: each pair judged by itself, positive or negative, as SigLIP is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn.functional import softplus

from mibounds.representation.contrast import Contrast
from mibounds.representation.methods._contrastive import WithBias
from mibounds.representation.network import Network
from mibounds.representation.per_run import PerRun


class Sigmoid(WithBias):
    """loss = -mean_i [ ln sigma(s_ii / tau + b) + sum_j ln sigma(-s_ij / tau - b) ], j over the K - 1 negatives.

    Binary noise-contrastive estimation with K - 1 noise samples a positive: the optimal score is the log density ratio
    less ln(K - 1). tau and b are learned, from b = -1/tau: the paper's -10 at its tau of 0.1. The loss itself bounds no
    MI.

    Args:
        network, seeds, bias, learn_bias: see WithBias.
        temperature: the start of tau > 0; it has no default.
        learn_temperature: whether tau is trained with the network.
        options: n_negatives, repulsion: see WithNegatives.

    References: Zhai et al. 2023, arXiv:2303.15343, algorithm 1.
    """

    name = "sigmoid"
    arrangement = "one-way"
    references = ("Zhai et al. 2023, arXiv:2303.15343",)

    def __init__(
        self,
        network: Network,
        seeds: Sequence[int],
        *,
        temperature: PerRun,
        learn_temperature: bool = True,
        **options: Any,
    ):
        super().__init__(
            network, seeds, temperature=temperature, learn_temperature=learn_temperature, **options
        )

    def loss(self, arranged: Contrast) -> Tensor:
        return (softplus(-arranged.positives) + softplus(arranged.negatives).sum(-1)).mean(-1)
