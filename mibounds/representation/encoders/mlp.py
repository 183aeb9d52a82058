"""Perceptron: for latents and small images."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mibounds.representation.batch_norm import Norm, norm
from mibounds.representation.encoders.base import Encoder
from mibounds.stacked import StackedLinear


class MLP(Encoder):
    """Affine map, batch norm if asked for, ReLU, once for each of `hidden` and once more for the representation.

    Args:
        shape: of one input, flattened.
        generators: one a run.
        hidden: widths of the hidden layers.
        dim: of the representation, which is non-negative.
        norm: "none" or "batch".

    Example:
        >>> import torch
        >>> encoder = MLP((3,), [torch.Generator().manual_seed(r) for r in (0, 1)], hidden=(8,), dim=4)
        >>> encoder(torch.ones(2, 5, 3)).shape
        torch.Size([2, 5, 4])
    """

    name = "mlp"

    def __init__(
        self,
        shape: Sequence[int],
        generators: Sequence[torch.Generator],
        *,
        hidden: Sequence[int] = (128, 128),
        dim: int = 64,
        norm: Norm = "none",
    ):
        super().__init__(shape, len(generators))
        self.dim = dim
        widths = [math.prod(self.shape), *hidden, dim]
        self.blocks = nn.ModuleList(
            _block(before, after, generators, norm) for before, after in itertools.pairwise(widths)
        )

    def layers(self, x: Tensor) -> dict[str, Tensor]:
        x, found = x.flatten(2), {}
        for i, block in enumerate(self.blocks):
            found[f"layer_{i + 1}"] = x = block(x)
        return found


def _block(dim_in: int, dim_out: int, generators: Sequence[torch.Generator], kind: Norm) -> nn.Sequential:
    return nn.Sequential(
        StackedLinear(dim_in, dim_out, generators), *norm(kind, dim_out, len(generators)), nn.ReLU()
    )
