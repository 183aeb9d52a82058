"""ResNet-18 with the stem for images of 32 x 32 pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from mibounds.representation.encoders._convolutional import (
    FoldedBatchNorm,
    FoldedConv2d,
    fold,
    pooled,
    require_image,
)
from mibounds.representation.encoders.base import Encoder


class ResNet18(Encoder):
    """A 3 x 3 stem without pooling, four stages of two residual blocks, and the mean over the image.

    11,168,832 parameters a run at width 64. A run of a stack is a group of channels; on a GPU, groups are slower than a
    run alone is.

    Args:
        shape: channels, height, width.
        generators: one a run.
        width: channels of the first stage, doubled in each that follows; the representation has 8 width.

    Raises: ParameterError unless the inputs are images.

    References: He et al. 2016, arXiv:1512.03385; the stem as in Chen et al. 2020, arXiv:2002.05709, appendix B.9.

    Example:
        >>> import torch
        >>> encoder = ResNet18((3, 32, 32), [torch.Generator().manual_seed(0)], width=4)
        >>> encoder(torch.ones(1, 2, 3, 32, 32)).shape
        torch.Size([1, 2, 32])
    """

    name = "resnet18"

    def __init__(self, shape: Sequence[int], generators: Sequence[torch.Generator], *, width: int = 64):
        super().__init__(shape, len(generators))
        c_in, _, _ = require_image(self.name, shape)
        widths = [width * 2**stage for stage in range(4) for _ in range(2)]
        strides = [1, 1, 2, 1, 2, 1, 2, 1]
        self.dim = widths[-1]
        self.stem = nn.Sequential(
            FoldedConv2d(c_in, width, generators), FoldedBatchNorm(width, self.n_runs), nn.ReLU()
        )
        self.blocks = nn.ModuleList(
            _Block(before, after, stride, generators)
            for before, after, stride in zip([width, *widths], widths, strides, strict=False)
        )

    def layers(self, x: Tensor) -> dict[str, Tensor]:
        x = self.stem(fold(x))
        found = {"stem": pooled(x, self.n_runs)}
        for i, block in enumerate(self.blocks):
            x = block(x)
            found[f"block_{i + 1}"] = pooled(x, self.n_runs)
        return found


class _Block(nn.Module):
    """relu(x + two convolutions of x); the sum's first part is projected where sizes change."""

    def __init__(self, c_in: int, c_out: int, stride: int, generators: Sequence[torch.Generator]):
        super().__init__()
        self.residual = nn.Sequential(
            *_convolution(c_in, c_out, generators, stride=stride),
            nn.ReLU(),
            *_convolution(c_out, c_out, generators),
        )
        projected = stride > 1 or c_in != c_out
        self.shortcut = nn.Sequential(
            *(_convolution(c_in, c_out, generators, kernel=1, stride=stride) if projected else [])
        )

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.shortcut(x) + self.residual(x))


def _convolution(
    c_in: int, c_out: int, generators: Sequence[torch.Generator], *, kernel: int = 3, stride: int = 1
) -> list[nn.Module]:
    return [
        FoldedConv2d(c_in, c_out, generators, kernel=kernel, stride=stride),
        FoldedBatchNorm(c_out, len(generators)),
    ]
