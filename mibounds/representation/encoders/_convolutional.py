"""Convolutions for a stack of runs: channels of all runs side by side, `n x (R c) x h x w`, each run a group."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d

from mibounds.errors import ParameterError, UnknownNameError
from mibounds.representation.batch_norm import Norm, StackedBatchNorm
from mibounds.representation.distributed import n_processes


def fold(x: Tensor) -> Tensor:
    """`R x n x c x h x w` -> `n x (R c) x h x w`."""
    return x.transpose(0, 1).flatten(1, 2)


def unfold(x: Tensor, n_runs: int) -> Tensor:
    """`n x (R c) x ...` -> `R x n x c x ...`."""
    return x.unflatten(1, (n_runs, -1)).transpose(0, 1)


def pooled(x: Tensor, n_runs: int) -> Tensor:
    """Means over the image, `n x (R c) x h x w` -> `R x n x c`."""
    return unfold(x.mean((-2, -1)), n_runs)


class FoldedConv2d(nn.Module):
    """R convolutions without bias that keep the size at stride 1: `n x (R c_in) x h x w` -> `n x (R c_out) x h x w`.

    Weights `R x c_out x c_in x k x k`, normal with variance 2 / (c_out k^2) (He et al. 2015, for the backward pass).
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        generators: Sequence[torch.Generator],
        *,
        kernel: int = 3,
        stride: int = 1,
    ):
        super().__init__()
        self.stride, self.padding = stride, kernel // 2
        std = math.sqrt(2 / (c_out * kernel**2))
        drawn = [std * torch.randn(c_out, c_in, kernel, kernel, generator=g) for g in generators]
        self.weight = nn.Parameter(torch.stack(drawn))

    def forward(self, x: Tensor) -> Tensor:
        """`n x (R c_in) x h x w`."""
        weight = self.weight.flatten(0, 1)
        return conv2d(x, weight, stride=self.stride, padding=self.padding, groups=len(self.weight))


class FoldedBatchNorm(StackedBatchNorm):
    """Batch norm over rows and places for each channel of each run, `n x (R c) x h x w`.

    One process takes torch's fused kernel; several take the stack's own statistics, which are shared among them.
    """

    def forward(self, x: Tensor) -> Tensor:
        """`n x (R c) x h x w`. Raises: ParameterError for one value a channel in training."""
        if self.training and n_processes() > 1:
            return fold(super().forward(unfold(x, len(self.mean))))
        count = x.numel() // x.shape[1]
        if self.training and count < 2:
            raise ParameterError(f"batch norm needs 2 values a channel or more in training; got {count}")
        mean, variance = self.mean.view(-1), self.variance.view(-1)
        weight, bias = (None if p is None else p.view(-1) for p in (self.weight, self.bias))
        return batch_norm(x, mean, variance, weight, bias, self.training, self.rate, self.eps)


def folded_norm(kind: Norm, width: int, n_runs: int) -> nn.Module:
    """The layer that `kind` names. Raises: UnknownNameError."""
    if kind not in ("none", "batch"):
        raise UnknownNameError("norm", kind, ("none", "batch"))
    return FoldedBatchNorm(width, n_runs) if kind == "batch" else nn.Identity()


def require_image(name: str, shape: Sequence[int]) -> tuple[int, int, int]:
    """channels, height, width. Raises: ParameterError for inputs of another kind."""
    if len(shape) != 3:
        raise ParameterError(
            f"the encoder {name} takes images, channels x height x width; got inputs of shape {tuple(shape)}; take mlp"
        )
    channels, height, width = shape
    return channels, height, width
