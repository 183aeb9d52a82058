"""Rendered pictures: x and y are small images that share what is shown and where, and nothing else."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from mibounds.distributions import _symmetric_channel as channel
from mibounds.distributions.base import Distribution
from mibounds.errors import DataError

CELL, CELLS = 6, 3  # pixels of a cell, cells along a side
SIDE = CELL * CELLS
RADII = (1.6, 2.6)  # pixels
SHAPES = ("disc", "square", "lying", "standing")
FIGURES = len(SHAPES) * CELLS**2
LEAST_LIGHT, MOST_NOISE, BETWEEN = 0.6, 0.25, 0.4


class Rendered(Distribution):
    """x shows a figure, one of 36: disc, square, lying or standing bar, in one of 3 x 3 places; y shows it too, or,
    with probability `flip`, another one.

        I = ln 36 - H(flip) - flip ln 35,        ln r = ln 36 (1 - flip) for equal figures, ln 36 flip/35 for others.

    Each picture, 18 x 18 pixels row by row, has a size, a brightness and noise of its own: a pixel is brightness, from
    0.6 to 1, inside the figure and 0 outside, plus noise from 0 to 0.25. So a pixel above 0.4 is inside, no two figures
    cover the same pixels, and a picture determines its figure: the pictures share exactly what the figures share.

    Raises: ParameterError if `flip` is not in [0, 1); DataError from `log_density_ratio` for what is no such picture.

    Example:
        >>> law = Rendered(flip=0.1)
        >>> law.dim_x, round(law.mutual_information, 3)
        (324, 2.903)
    """

    dim_x = dim_y = SIDE**2

    def __init__(self, flip: float = 0.1):
        channel.require(FIGURES, flip)
        self.flip = flip
        self.mutual_information = channel.information(FIGURES, flip)

    @classmethod
    def example(cls) -> Rendered:
        return cls()

    def draw(self, n: int, generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        of_x = torch.randint(FIGURES, (n,), generator=generator, device=generator.device)
        of_y = channel.passed_on(of_x, FIGURES, self.flip, generator)
        return self._pictures(of_x, generator, dtype), self._pictures(of_y, generator, dtype)

    def log_density_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        kept, changed = channel.log_ratios(FIGURES, self.flip)
        return torch.where(self.figures(x) == self.figures(y), kept, changed).to(x)

    def figures(self, pictures: Tensor) -> Tensor:
        """Which figure each shows, `... x 324` -> `...`. Raises: DataError if one shows none."""
        inside = (pictures > BETWEEN).to(self._covered)
        agreeing = inside @ self._covered.T.to(inside) + (1 - inside) @ (1 - self._covered.T.to(inside))
        best = agreeing.max(-1)
        if not (best.values == SIDE**2).all():
            raise DataError("expected pictures that Rendered drew; one covers other pixels than any figure")
        return best.indices // len(RADII)

    def _pictures(self, figures: Tensor, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
        n, device = len(figures), generator.device
        size = torch.randint(len(RADII), (n,), generator=generator, device=device)
        light = torch.rand(n, 1, generator=generator, dtype=dtype, device=device)
        noise = torch.rand(n, SIDE**2, generator=generator, dtype=dtype, device=device)
        covered = self._covered.to(noise)[figures * len(RADII) + size]
        return covered * (LEAST_LIGHT + (1 - LEAST_LIGHT) * light) + MOST_NOISE * noise

    @cached_property
    def _covered(self) -> Tensor:
        """1 inside, 0 outside: `(figures x sizes) x pixels`, sizes fastest."""
        places = torch.arange(SIDE) + 0.5
        centres = (torch.arange(CELLS) + 0.5) * CELL
        drawn = [
            _inside(shape, places.view(-1, 1) - row, places - column, radius).flatten()
            for shape in SHAPES
            for row in centres
            for column in centres
            for radius in RADII
        ]
        return torch.stack(drawn).float()


def _inside(shape: str, down: Tensor, right: Tensor, radius: float) -> Tensor:
    """Which pixels a figure covers, from their distances to its centre."""
    if shape == "disc":
        return down**2 + right**2 <= radius**2
    high = radius / 3 if shape == "lying" else radius
    wide = radius / 3 if shape == "standing" else radius
    return (down.abs() <= high) & (right.abs() <= wide)
