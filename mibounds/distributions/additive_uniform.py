"""Uniform noise added to a uniform variable: a density with hard edges."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mibounds.distributions.base import Distribution
from mibounds.errors import ParameterError


class AdditiveUniform(Distribution):
    """x ~ U[0, 1], y = x + U[-eps, eps].

        I = eps - ln(2 eps) for eps <= 1/2, 1/(4 eps) beyond;
        ln r(x, y) = -ln | [0, 1] ∩ [y - eps, y + eps] | where |y - x| <= eps, else -inf.

    Args:
        noise: eps > 0.

    References: Czyz et al. 2023, appendix ("additive noise").

    Example:
        >>> AdditiveUniform(0.5).mutual_information, AdditiveUniform(1.0).mutual_information
        (0.5, 0.25)
    """

    dim_x = dim_y = 1

    def __init__(self, noise: float):
        if not 0 < noise < math.inf:
            raise ParameterError(f"noise must be positive and finite; got {noise}")
        self.noise = float(noise)
        self.mutual_information = noise - math.log(2 * noise) if noise <= 0.5 else 1 / (4 * noise)

    @classmethod
    def example(cls) -> AdditiveUniform:
        return cls(0.3)

    def draw(self, n: int, generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        uniform = torch.rand(n, 2, generator=generator, dtype=dtype, device=generator.device)
        x, noise = uniform[:, :1], self.noise * (2 * uniform[:, 1:] - 1)
        return x, x + noise

    def log_density_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = x.squeeze(-1), y.squeeze(-1)
        overlap = (y + self.noise).clamp(max=1) - (y - self.noise).clamp(min=0)
        # y = x + noise was rounded, and a pair drawn at the edge must not fall off it
        edge = self.noise + 2 * (1 + self.noise) * torch.finfo(y.dtype).eps
        return torch.where((y - x).abs() <= edge, -overlap.log(), -math.inf)
