"""Shift: small moves, turns, zooms and noise, for images that are too small to be cropped."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from mibounds.representation.views.base import View, require_within


@dataclass(frozen=True)
class Shift(View):
    """One bilinear warp an image, black beyond its edges, and then Gaussian noise.

    Args:
        pixels: largest move along each axis; moves are uniform, and fractions of a pixel blur a little.
        degrees: largest turn either way, uniform.
        zoom: largest |ln| of the zoom, uniform.
        noise: standard deviation; nothing is clipped.

    Raises: ParameterError.

    Example:
        >>> Shift()(torch.ones(2, 1, 8, 8), torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 8, 8])
    """

    pixels: float = 1.0
    degrees: float = 15.0
    zoom: float = 0.1
    noise: float = 0.1

    name = "shift"

    def __post_init__(self) -> None:
        require_within(0, float("inf"), pixels=self.pixels, zoom=self.zoom, noise=self.noise)
        require_within(0, 180, degrees=self.degrees)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        drawn = 2 * torch.rand(4, len(x), generator=generator, dtype=x.dtype, device=x.device) - 1
        grid = affine_grid(self._matrices(drawn, *x.shape[-2:]), list(x.shape), align_corners=False)
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return grid_sample(x, grid, align_corners=False) + self.noise * noise

    def _matrices(self, drawn: Tensor, height: int, width: int) -> Tensor:
        """`4 x n` numbers in [-1, 1] -> `n x 2 x 3`: where in the input each place of the output is looked up.

        Places run from -1 to 1 along either side, hence the ratios of the sides.
        """
        angle, scale = drawn[0] * math.radians(self.degrees), (drawn[1] * -self.zoom).exp()
        cos, sin = scale * angle.cos(), scale * angle.sin()
        across, down = drawn[2] * (2 * self.pixels / width), drawn[3] * (2 * self.pixels / height)
        rows = [cos, -sin * height / width, across, sin * width / height, cos, down]
        return torch.stack(rows, dim=-1).unflatten(-1, (2, 3))
