"""Rendered scenes: images of known factors, drawn in batches on the device, without files and without end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mibounds.errors import ParameterError, UnknownNameError
from mibounds.representation.sources._scenes import SHAPES, STYLE, Strengths, draw_style, hues, render
from mibounds.representation.sources.base import Examples, Factor, Pairs, Source, Split
from mibounds.seeding import Seed, generator


class Images(Source):
    """One shape on a textured ground. The views share their content and differ in style.

    Content: shape, position (a cell of a grid), colour (a hue) and scale, each uniform and independent. Style, drawn
    anew for each view: turn and lighting of the shape, colour and texture of the ground, noise.

    `mutual_information` is the MI of the two views' contents, H(s) = sum of ln cardinality, s being what they share.
    Views are independent given s, so I(views) <= H(s) always; they are equal only if s can be read off either image,
    which fails where noise, texture or few pixels hide it. At the defaults a small convolutional net reads all four
    factors of new images at a cross-entropy of 0.001 nats in sum, and the gap is at most twice that.

    Args:
        size: pixels along each side.
        shapes: how many of square, disc, triangle, cross, ring, bar.
        grid: cells along each side.
        colours: hues.
        scales: sizes of a shape.
        shared: the factors that both views carry, None for all; others are drawn anew for each view.
        label: the factor that is also called "label".
        turn: largest turn either way, in degrees.
        light: 0 for even light; 1 for light that may be gone at one end of the shape.
        texture: contrast of the ground, 0 to 1.
        noise: standard deviation in each pixel; nothing is clipped.

    Raises: ParameterError, UnknownNameError.

    Example:
        >>> images = Images(shapes=4, shared=("shape", "colour"))
        >>> round(images.mutual_information, 3), images.pairs(2, seed=0).view_a.shape
        (3.178, torch.Size([2, 3, 32, 32]))
    """

    name = "images"

    def __init__(
        self,
        *,
        size: int = 32,
        shapes: int = 6,
        grid: int = 2,
        colours: int = 6,
        scales: int = 2,
        shared: Sequence[str] | None = None,
        label: str = "shape",
        turn: float = 180.0,
        light: float = 0.5,
        texture: float = 0.5,
        noise: float = 0.05,
    ):
        self.content = _content(shapes, grid, colours, scales)
        self.shared = tuple(self.content) if shared is None else tuple(shared)
        for name in (*self.shared, label):
            if name not in self.content:
                raise UnknownNameError("factor", name, self.content)
        if size < 4 * grid:
            raise ParameterError(f"size must be at least 4 pixels a cell, {4 * grid}; got {size}")
        self.shape = (3, size, size)
        self.grid, self.colours, self.scales, self._labelled = grid, colours, scales, label
        self.strengths = Strengths(turn, light, texture, noise)
        self.mutual_information = sum(math.log(self.content[name]) for name in set(self.shared))
        self.factors = {
            name: Factor(n_classes=n, shared=name in self.shared) for name, n in self.content.items()
        }
        self.factors |= {"label": self.factors[label], "style": Factor(STYLE, shared=False)}

    @classmethod
    def example(cls) -> Images:
        return cls(size=16, shapes=3, grid=1, colours=3, scales=2)

    def pairs(
        self, n: int, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Pairs:
        source = generator(seed, device)
        content_a = self._draw_content(n, source)
        content_b = self._draw_content(n, source) | {name: content_a[name] for name in self.shared}
        style_a, style_b = draw_style(n, source), draw_style(n, source)
        view_a, view_b = self._view(content_a, style_a, source), self._view(content_b, style_b, source)
        return Pairs(view_a, view_b, self._known(content_a, style_a))

    def examples(
        self, n: int | None, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Examples:
        source = generator(seed, device)
        n = self.require_count(n)
        content, style = self._draw_content(n, source), draw_style(n, source)
        return Examples(self._view(content, style, source), self._known(content, style))

    def _draw_content(self, n: int, source: torch.Generator) -> dict[str, Tensor]:
        return {
            name: torch.randint(k, (n,), generator=source, device=source.device)
            for name, k in self.content.items()
        }

    def _view(self, content: Mapping[str, Tensor], style: Tensor, source: torch.Generator) -> Tensor:
        """`n x 3 x size x size`: the scene, and noise."""
        cell = torch.stack([content["position"] % self.grid, content["position"] // self.grid], dim=1)
        largest, smallest = 0.9 / self.grid, 0.6 / self.grid
        radius = largest + (smallest - largest) * content["scale"] / max(self.scales - 1, 1)
        scene = render(
            content["shape"],
            (2 * cell + 1) / self.grid - 1,
            radius,
            hues(content["colour"], self.colours),
            style,
            self.strengths,
            self.shape[-1],
            self.content["shape"],
        )
        return scene + self.strengths.noise * torch.randn(scene.shape, generator=source, device=scene.device)

    def _known(self, content: Mapping[str, Tensor], style: Tensor) -> dict[str, Tensor]:
        return {**content, "label": content[self._labelled], "style": style}


def _content(shapes: int, grid: int, colours: int, scales: int) -> dict[str, int]:
    """Cardinalities by factor."""
    for name, value, most in (
        ("shapes", shapes, len(SHAPES)),
        ("grid", grid, 8),
        ("colours", colours, 12),
        ("scales", scales, 4),
    ):
        if not 1 <= value <= most:
            raise ParameterError(f"{name} must lie in 1..{most}; got {value}")
    return {"shape": shapes, "position": grid**2, "colour": colours, "scale": scales}
