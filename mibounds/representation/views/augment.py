"""Augment: SimCLR's random crops, flips, colours and blur, on the device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from mibounds.errors import DataError
from mibounds.representation.views.base import View, require_within

WIDEST = math.log(4 / 3)  # ln of a crop's aspect ratio lies within it, either way


@dataclass(frozen=True)
class Augment(View):
    """Random resized crop, flip, colour jitter, grayscale and blur of images in [0, 1], in this order.

    Defaults are SimCLR's for CIFAR-10, but for the smallest crop, which is 0.08 there. Colour jitter keeps a fixed
    order: brightness, contrast, saturation, hue. An image that has not three channels gets the first two alone.

    Args:
        crop: smallest share of the area that a crop keeps; 1 for no crop.
        flip: probability of a mirror image.
        colour: strength s: factors in 1 -+ 0.8 s (brightness, contrast, saturation), hue by -+ 0.2 s of a circle.
        jitter: probability of any change of colour.
        grayscale: probability of no colour.
        blur: probability of a Gaussian blur, of 0.1 to 2 pixels.

    Raises: ParameterError; DataError if kornia is not installed, at the first call that needs it.

    References: Chen et al. 2020, arXiv:2002.05709, appendices A and B.9.

    Example:
        >>> Augment(blur=0.5)(torch.ones(2, 3, 32, 32), torch.Generator().manual_seed(0)).shape
        torch.Size([2, 3, 32, 32])
    """

    crop: float = 0.2
    flip: float = 0.5
    colour: float = 0.5
    jitter: float = 0.8
    grayscale: float = 0.2
    blur: float = 0.0

    name = "augment"

    def __post_init__(self) -> None:
        require_within(0.01, 1, crop=self.crop)
        require_within(0, 1, flip=self.flip, jitter=self.jitter, grayscale=self.grayscale, blur=self.blur)
        require_within(0, 1.25, colour=self.colour)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        drawn = torch.rand(13, len(x), generator=generator, dtype=x.dtype, device=x.device)
        x = self._cropped(x, drawn[:5])
        if self.colour > 0 and self.jitter > 0:
            x = _where(drawn[5] < self.jitter, self._jittered(x, 2 * drawn[6:10] - 1), x)
        if self.grayscale > 0 and x.shape[1] == 3:
            x = _where(drawn[10] < self.grayscale, _gray(x), x)
        if self.blur > 0:
            x = _where(drawn[11] < self.blur, _blurred(x, 0.1 + 1.9 * drawn[12]), x)
        return x

    def _cropped(self, x: Tensor, drawn: Tensor) -> Tensor:
        """Crop, resize and flip in one bilinear warp, `5 x n` numbers in [0, 1]."""
        area, aspect, across, down, mirror = drawn
        side, ratio = (self.crop + (1 - self.crop) * area).sqrt(), ((aspect - 0.5) * WIDEST).exp()
        ratio = torch.minimum(
            torch.maximum(ratio, side), 1 / side
        )  # so that the crop fits and keeps its area
        width, height, zero = side * ratio, side / ratio, torch.zeros_like(side)
        across, down = (1 - width) * (2 * across - 1), (1 - height) * (2 * down - 1)
        flipped = torch.where(mirror < self.flip, -width, width)
        matrices = torch.stack([flipped, zero, across, zero, height, down], dim=-1).unflatten(-1, (2, 3))
        grid = affine_grid(matrices, list(x.shape), align_corners=False)
        return grid_sample(x, grid, padding_mode="border", align_corners=False)

    def _jittered(self, x: Tensor, drawn: Tensor) -> Tensor:
        enhance = _kornia().enhance
        brightness, contrast, saturation = 1 + 0.8 * self.colour * drawn[:3]
        x = enhance.adjust_brightness_accumulative(x, brightness)
        x = enhance.adjust_contrast_with_mean_subtraction(x, contrast)
        if x.shape[1] != 3:
            return x
        x = enhance.adjust_saturation_with_gray_subtraction(x, saturation)
        return enhance.adjust_hue(x, 0.4 * math.pi * self.colour * drawn[3])


def _where(chosen: Tensor, changed: Tensor, x: Tensor) -> Tensor:
    return torch.where(chosen.view(-1, 1, 1, 1), changed, x)


def _gray(x: Tensor) -> Tensor:
    return _kornia().color.rgb_to_grayscale(x).expand_as(x)


def _blurred(x: Tensor, sigma: Tensor) -> Tensor:
    longest = min(9, min(x.shape[-2:]) - 1) // 2 * 2 + 1
    return _kornia().filters.gaussian_blur2d(x, (longest, longest), sigma.unsqueeze(1).expand(-1, 2))


def _kornia() -> Any:
    """Its functions take their random numbers as arguments; its modules would draw from torch's global state."""
    try:
        import kornia
    except ImportError as error:
        raise DataError("augmented images need kornia: pip install 'mibounds[representation]'") from error
    return kornia
