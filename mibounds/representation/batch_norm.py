"""Batch norm for a stack of runs: each run is normalised by its own batch, over all processes if there are several."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from mibounds.errors import ParameterError, UnknownNameError

Norm = Literal["none", "batch"]


def norm(kind: Norm, width: int, n_runs: int) -> list[nn.Module]:
    """The layer that `kind` names, as a list that may be empty. Raises: UnknownNameError."""
    if kind not in get_args(Norm):
        raise UnknownNameError("norm", kind, get_args(Norm))
    return [StackedBatchNorm(width, n_runs)] if kind == "batch" else []


class StackedBatchNorm(nn.Module):
    """(x - mean) / sqrt(variance + eps) * weight + bias over a run's batch, `R x n x width`.

    In training by the batch's statistics, else by their running averages (Ioffe and Szegedy 2015).

    Args:
        width: features.
        n_runs: R.
        affine: whether weight and bias are trained.
        rate: of the running averages.
    """

    def __init__(self, width: int, n_runs: int, *, affine: bool = True, rate: float = 0.1, eps: float = 1e-5):
        super().__init__()
        self.rate, self.eps = rate, eps
        self.mean: Tensor
        self.variance: Tensor
        self.weight = nn.Parameter(torch.ones(n_runs, 1, width)) if affine else None
        self.bias = nn.Parameter(torch.zeros(n_runs, 1, width)) if affine else None
        self.register_buffer("mean", torch.zeros(n_runs, 1, width))
        self.register_buffer("variance", torch.ones(n_runs, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """`R x n x width`. Raises: ParameterError for a batch of one in training."""
        mean, variance = self._of_batch(x) if self.training else (self.mean, self.variance)
        normalised = (x - mean) * torch.rsqrt(variance + self.eps)
        if self.weight is None or self.bias is None:
            return normalised
        return torch.addcmul(self.bias, normalised, self.weight)

    def _of_batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        n = x.shape[1]
        if n < 2:
            raise ParameterError(f"batch norm needs a batch of 2 or more in training; got {n}")
        variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
        with torch.no_grad():
            self.mean.lerp_(mean, self.rate)
            self.variance.lerp_(variance * (n / (n - 1)), self.rate)
        return mean, variance
