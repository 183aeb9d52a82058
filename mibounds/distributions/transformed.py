"""Transformed laws: invertible maps of x and of y change everything but the mutual information."""

from __future__ import annotations

import torch
from torch import Tensor

from mibounds.distributions.base import Distribution
from mibounds.distributions.gaussian import Gaussian
from mibounds.distributions.maps.base import Map
from mibounds.distributions.maps.cubic import Cubic
from mibounds.distributions.maps.random_network import RandomNetwork


class Transformed(Distribution):
    """(f(x), g(y)) for (x, y) of another law, f and g injective.

        I(f(x); g(y)) = I(x; y),        ln r(u, v) = ln r_law( f^-1(u), g^-1(v) ).

    A seed draws the same pairs as from `law`, mapped. Maps compose by nesting one Transformed in another.

    Args:
        law: any distribution.
        map_x, map_y: see `mibounds.distributions.maps`; None leaves that side as it is.

    Raises: ShapeError if a map does not take that many dimensions.

    References: Kraskov, Stoegbauer and Grassberger 2004, appendix; Czyz et al. 2023, theorem 2.1.

    Example:
        >>> law = Transformed(Gaussian.from_mutual_information(20, 4.0), map_y=Cubic())
        >>> law.mutual_information
        4.0
    """

    def __init__(self, law: Distribution, map_x: Map | None = None, map_y: Map | None = None):
        self.law, self.map_x, self.map_y = law, map_x, map_y
        self.dim_x = map_x.width(law.dim_x) if map_x else law.dim_x
        self.dim_y = map_y.width(law.dim_y) if map_y else law.dim_y
        self.mutual_information = law.mutual_information
        self.mutual_information_error = law.mutual_information_error

    @classmethod
    def example(cls) -> Transformed:
        return cls(Gaussian.from_mutual_information(3, 1.0), Cubic(), RandomNetwork(3))

    def draw(self, n: int, generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        x, y = self.law.draw(n, generator, dtype)
        return (self.map_x.forward(x) if self.map_x else x), (self.map_y.forward(y) if self.map_y else y)

    def log_density_ratio(self, x: Tensor, y: Tensor) -> Tensor | None:
        return self.law.log_density_ratio(*self._undone(x, y))

    def log_density_ratio_matrix(self, x: Tensor, y: Tensor) -> Tensor | None:
        return self.law.log_density_ratio_matrix(*self._undone(x, y))

    def _undone(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return (self.map_x.inverse(x) if self.map_x else x), (self.map_y.inverse(y) if self.map_y else y)
