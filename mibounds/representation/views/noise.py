"""Noise: the input and Gaussian noise, for vectors and images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.representation.views.base import View, require_within


@dataclass(frozen=True)
class Noise(View):
    """x + std * e, e standard normal in every entry. Images are not clipped, which would hide noise at black and white.

    Args:
        std: of the noise, at least 0.

    Raises: ParameterError.

    Example:
        >>> Noise(std=1.0)(torch.zeros(1, 3), torch.Generator().manual_seed(0)).shape
        torch.Size([1, 3])
    """

    std: float = 0.1

    name = "noise"
    images = False

    def __post_init__(self) -> None:
        require_within(0, float("inf"), std=self.std)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return x + self.std * torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
