"""How a scene is drawn: a shape covers a ground, each pixel by its signed distance to the shape's edge.

Places run from -1 to 1 across the image. A shape's own coordinates are such that it fits into the unit disc, so that it
stays in its cell however it is turned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.errors import ParameterError

SHAPES = ("square", "disc", "triangle", "cross", "ring", "bar")
STYLE = 9  # turn; direction, amount of light; brightness, tint of ground; direction, width, phase, contrast of stripes


@dataclass(frozen=True)
class Strengths:
    """How much of the style is seen; see Images."""

    turn: float
    light: float
    texture: float
    noise: float

    def __post_init__(self) -> None:
        for name, value, most in (
            ("turn", self.turn, 180),
            ("light", self.light, 1),
            ("texture", self.texture, 1),
            ("noise", self.noise, math.inf),
        ):
            if not 0 <= value <= most:
                raise ParameterError(f"{name} must lie in [0, {most}]; got {value}")


def draw_style(n: int, source: torch.Generator) -> Tensor:
    """`n x STYLE`, uniform in [-1, 1]."""
    return 2 * torch.rand(n, STYLE, generator=source, device=source.device) - 1


def render(
    shape: Tensor,
    centre: Tensor,
    radius: Tensor,
    rgb: Tensor,
    style: Tensor,
    strengths: Strengths,
    size: int,
    n_shapes: int = len(SHAPES),
) -> Tensor:
    """Scenes without noise, `n x 3 x size x size`, in [0, 1].

    Args:
        shape: indices below n_shapes, `n`.
        centre: x and y, `n x 2`.
        radius: `n`.
        rgb: of the shape, `n x 3`.
        style: `n x STYLE`.
    """
    turn, light_direction, light, *ground = style.T.unsqueeze(-1).unsqueeze(-1)
    places = _places(size, style.device)
    x, y = ((places - centre.view(-1, 2, 1, 1)) / radius.view(-1, 1, 1, 1)).unbind(1)
    angle = turn * math.radians(strengths.turn)
    distance = _distances(*_turned(x, y, angle), n_shapes)[torch.arange(len(shape)), shape]
    covered = (0.5 - distance * radius.view(-1, 1, 1) * size / 2).clamp(0, 1).unsqueeze(1)
    along, _ = _turned(x, y, math.pi * light_direction)
    lit = 1 - strengths.light * (1 + light) / 2 * (1 - along) / 2
    return torch.lerp(
        _ground(places, ground, strengths.texture), rgb.view(-1, 3, 1, 1) * lit.unsqueeze(1), covered
    )


def hues(index: Tensor, n: int) -> Tensor:
    """Bright colours of n hues evenly round the circle, `...` -> `... x 3`; red is 0."""
    offsets = torch.tensor([0.0, 4.0, 2.0], device=index.device)
    pure = (((6 * index.unsqueeze(-1) / n + offsets) % 6 - 3).abs() - 1).clamp(0, 1)
    return 0.15 + 0.85 * pure


def _places(size: int, device: torch.device) -> Tensor:
    axis = (torch.arange(size, device=device) + 0.5) * (2 / size) - 1
    return torch.stack([axis.expand(size, size), axis.unsqueeze(1).expand(size, size)])


def _turned(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    cos, sin = angle.cos(), angle.sin()
    return cos * x + sin * y, cos * y - sin * x


def _distances(x: Tensor, y: Tensor, n_shapes: int) -> Tensor:
    """To the edge of each of the first shapes, negative inside: `n x n_shapes x size x size`."""
    from_centre = torch.hypot(x, y)
    side = math.sqrt(3) / 2
    drawn = (
        lambda: _box(x, y, 0.7, 0.7),
        lambda: from_centre - 0.8,
        lambda: torch.maximum(y, side * x.abs() - y / 2) - 0.5,
        lambda: torch.minimum(_box(x, y, 0.95, 0.3), _box(x, y, 0.3, 0.95)),
        lambda: (from_centre - 0.75).abs() - 0.2,
        lambda: _box(x, y, 0.95, 0.3),
    )
    return torch.stack([distance() for distance in drawn[:n_shapes]], dim=1)


def _box(x: Tensor, y: Tensor, half_width: float, half_height: float) -> Tensor:
    return torch.maximum(x.abs() - half_width, y.abs() - half_height)


def _ground(places: Tensor, style: list[Tensor], texture: float) -> Tensor:
    """Tinted grey with stripes, `n x 3 x size x size`; even grey without texture."""
    brightness, tint, direction, width, phase, strength = style
    channels = torch.arange(3, device=places.device).view(3, 1, 1) * (2 * math.pi / 3)
    along, _ = _turned(places[0], places[1], math.pi * direction)
    stripes = (along * math.pi * (4 + 2 * width) + math.pi * phase).sin() * (1 + strength) / 2
    even = (0.2 * brightness).unsqueeze(1) + 0.08 * (math.pi * tint.unsqueeze(1) + channels).cos()
    return 0.4 + texture * (even + 0.12 * stripes.unsqueeze(1))
