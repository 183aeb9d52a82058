"""Momentum network: a copy that follows the trained network slowly and is never trained itself."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from mibounds.errors import UnknownNameError
from mibounds.representation.network import Embedded, Network
from mibounds.representation.per_run import PerRun, per_run

Schedule = Literal["constant", "cosine"]


class MomentumNetwork(nn.Module):
    """theta' <- m theta' + (1 - m) theta after each step, from theta' = theta.

    "cosine": m_t = 1 - (1 - m) (cos(pi progress) + 1) / 2 rises to 1 over the training (BYOL). Buffers, as batch norm's
    running averages, are copied whole: an average of averages would lag behind the weights twice.

    Args:
        network: what is followed.
        momentum: m in [0, 1], one or one a run; 0 is the trained network itself, 1 the untrained one.
        schedule: "constant" or "cosine".

    Raises: ParameterError, ShapeError, UnknownNameError.

    References: He et al. 2020, arXiv:1911.05722, eq. 2; Grill et al. 2020, arXiv:2006.07733, eq. 1.
    """

    def __init__(self, network: Network, momentum: PerRun, schedule: Schedule):
        super().__init__()
        if schedule not in get_args(Schedule):
            raise UnknownNameError("momentum schedule", schedule, get_args(Schedule))
        self.momentum = per_run("momentum", momentum, network.n_runs, lambda m: 0 <= m <= 1, "in 0..1")
        self.schedule = schedule
        self.network = deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Embedded:
        """`R x n x *shape` -> h and z, without gradients."""
        return self.network(x)

    @torch.no_grad()
    def follow(self, network: Network, progress: float) -> None:
        """One update; `progress` is the share of the training that is done."""
        still = (math.cos(math.pi * progress) + 1) / 2 if self.schedule == "cosine" else 1.0
        for own, trained in zip(self.network.parameters(), network.parameters(), strict=True):
            step = own.new_tensor([(1 - m) * still for m in self.momentum])
            own.lerp_(trained, step.view(-1, *[1] * (own.ndim - 1)))
        for kept, current in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(current)
