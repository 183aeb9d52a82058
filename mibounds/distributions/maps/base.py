"""What a map is: an injective function of one side of a pair, with its inverse."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor

from mibounds.errors import ShapeError


class Map(ABC):
    """An injective map of vectors. A subclass is a frozen dataclass whose fields are its parameters.

    Facts, each checked by the conformance suite:
        domain: "real", all vectors, or "unit", those with entries in [0, 1].
        dims: how many dimensions it takes: None for any number, else (smallest, largest or None).
    """

    domain: ClassVar[Literal["real", "unit"]] = "real"

    @classmethod
    @abstractmethod
    def example(cls) -> Map:
        """A member for the conformance suite, on one, two or three dimensions."""

    def width(self, dim: int) -> int:
        """Dimensions of the image of vectors with `dim` dimensions. Raises: ShapeError if it takes no such vectors."""
        return dim

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """`... x dim` -> `... x width(dim)`."""

    @abstractmethod
    def inverse(self, y: Tensor) -> Tensor:
        """`... x width(dim)`, a point of the image -> `... x dim`."""
