"""Lift: a few dimensions become many, as when a thousand sensors watch a handful of causes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mibounds.distributions.maps.base import Map
from mibounds.errors import ParameterError, ShapeError
from mibounds.seeding import generator


@dataclass(frozen=True)
class Lift(Map):
    """f(x) = arcsinh(s (A x + b)) entry by entry; f^-1(y) = A^+ (sinh(y)/s - b), A^+ the left inverse of A.

    A has orthogonal random columns, so long that (A x)_i has a variance of one on average if x has; b ~ N(0, I).
    The image is a curved surface of `dim` dimensions in `ambient` ones, each of which is a steep function of all x.

    Args:
        dim: the dimension of its inputs.
        ambient: of its outputs, at least `dim`.
        steepness: s > 0; the larger, the more curved.
        seed: of A and b.

    Raises: ParameterError; ShapeError for inputs of another dimension.
    """

    dim: int
    ambient: int = 1000
    steepness: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (1 <= self.dim <= self.ambient and 0 < self.steepness < float("inf")):
            raise ParameterError(
                "expected 1 <= dim <= ambient and a positive, finite steepness; "
                f"got {self.dim}, {self.ambient} and {self.steepness}"
            )

    @classmethod
    def example(cls) -> Lift:
        return cls(3, ambient=20)

    @cached_property
    def _columns(self) -> tuple[Tensor, Tensor]:
        """A and b, `ambient x dim` and `ambient`."""
        source = generator(self.seed)
        normal = torch.randn(self.ambient, self.dim + 1, generator=source, dtype=torch.float64)
        return torch.linalg.qr(normal[:, :-1]).Q * (self.ambient / self.dim) ** 0.5, normal[:, -1]

    def width(self, dim: int) -> int:
        if dim != self.dim:
            raise ShapeError(f"this lift takes {self.dim} dimensions; got {dim}")
        return self.ambient

    def forward(self, x: Tensor) -> Tensor:
        columns, offset = (part.to(x) for part in self._columns)
        return (self.steepness * (x @ columns.T + offset)).asinh()

    def inverse(self, y: Tensor) -> Tensor:
        columns, offset = (part.to(y) for part in self._columns)
        return (y.sinh() / self.steepness - offset) @ columns * (self.dim / self.ambient)
