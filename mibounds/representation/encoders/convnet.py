"""Small convolutional net: for digits and rendered scenes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, relu

from mibounds.errors import ParameterError
from mibounds.representation.batch_norm import Norm
from mibounds.representation.encoders._convolutional import (
    FoldedConv2d,
    fold,
    folded_norm,
    pooled,
    require_image,
    unfold,
)
from mibounds.representation.encoders.base import Encoder
from mibounds.stacked import StackedLinear


class ConvNet(Encoder):
    """3 x 3 convolution, norm, ReLU, once for each of `channels`; then an affine map of a map of 4 x 4, and ReLU.

    Every block but the first halves the image. The affine map sees where things are, which a mean over the image would
    not tell.

    Args:
        shape: channels, height, width.
        generators: one a run.
        channels: of the blocks.
        dim: of the representation, which is non-negative.
        norm: "batch" or "none".

    Raises: ParameterError unless the inputs are images.

    Example:
        >>> import torch
        >>> encoder = ConvNet((1, 8, 8), [torch.Generator().manual_seed(r) for r in (0, 1)], channels=(4, 8), dim=16)
        >>> encoder(torch.ones(2, 5, 1, 8, 8)).shape
        torch.Size([2, 5, 16])
    """

    name = "convnet"

    def __init__(
        self,
        shape: Sequence[int],
        generators: Sequence[torch.Generator],
        *,
        channels: Sequence[int] = (32, 64, 128),
        dim: int = 128,
        norm: Norm = "batch",
    ):
        super().__init__(shape, len(generators))
        if not channels:
            raise ParameterError("a convolutional net has at least one block; got channels=()")
        c_in, _, _ = require_image(self.name, shape)
        self.dim, blocks = dim, []
        for i, c_out in enumerate(channels):
            convolution = FoldedConv2d(c_in, c_out, generators, stride=1 if i == 0 else 2)
            blocks.append(nn.Sequential(convolution, folded_norm(norm, c_out, self.n_runs), nn.ReLU()))
            c_in = c_out
        self.blocks = nn.ModuleList(blocks)
        self.last = StackedLinear(16 * c_in, dim, generators)

    def layers(self, x: Tensor) -> dict[str, Tensor]:
        x, found = fold(x), {}
        for i, block in enumerate(self.blocks):
            x = block(x)
            found[f"block_{i + 1}"] = pooled(x, self.n_runs)
        seen = unfold(adaptive_avg_pool2d(x, 4), self.n_runs).flatten(2)
        found[f"layer_{len(self.blocks) + 1}"] = relu(self.last(seen))
        return found
