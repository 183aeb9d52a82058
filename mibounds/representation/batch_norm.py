"""Batch norm for a stack of runs: each run is normalised by its own batch, over all processes if there are several."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from mibounds.errors import ParameterError, UnknownNameError
from mibounds.representation.distributed import gather, n_processes

Norm = Literal["none", "batch"]


def norm(kind: Norm, width: int, n_runs: int) -> list[nn.Module]:
    """The layer that `kind` names, as a list that may be empty. Raises: UnknownNameError."""
    if kind not in get_args(Norm):
        raise UnknownNameError("norm", kind, get_args(Norm))
    return [StackedBatchNorm(width, n_runs)] if kind == "batch" else []


class StackedBatchNorm(nn.Module):
    """(x - mean) / sqrt(variance + eps) * weight + bias over a run's batch, `R x n x width` or `R x n x width x ...`.

    In training by the statistics of the batch, places included, and if several processes share it of all their rows;
    else by their running averages (Ioffe and Szegedy 2015).

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
        """The shape of `x`. Raises: ParameterError for a batch of one in training."""
        mean, variance = self._of_batch(x) if self.training else (self.mean, self.variance)
        places = (..., *[None] * (x.ndim - 3))
        normalised = (x - mean[places]) * torch.rsqrt(variance + self.eps)[places]
        if self.weight is not None and self.bias is not None:
            normalised = torch.addcmul(self.bias[places], normalised, self.weight[places])
        return normalised.to(x.dtype)

    def _of_batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        processes = n_processes()
        if x.shape[1] * processes < 2:
            raise ParameterError(f"batch norm needs a batch of 2 or more in training; got {x.shape[1]}")
        over = (1, *range(3, x.ndim))
        full = x.to(self.mean.dtype)  # half precision, where there is some, would lose the mean
        variance, mean = torch.var_mean(full, dim=over, correction=0)
        if processes > 1:
            variance, mean = _of_all(variance, mean)
        n = processes * math.prod(x.shape[axis] for axis in over)
        with torch.no_grad():
            self.mean.lerp_(mean.unsqueeze(1), self.rate)
            self.variance.lerp_(variance.unsqueeze(1) * (n / (n - 1)), self.rate)
        return mean.unsqueeze(1), variance.unsqueeze(1)


def _of_all(variance: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Variance and mean over all processes' rows, which are equally many, from those of each: `R x width`."""
    variances, means = gather(torch.stack([variance, mean]).unsqueeze(2).flatten(0, 1)).unflatten(0, (2, -1))
    return variances.mean(1) + means.var(1, correction=0), means.mean(1)
