"""What a map is: an injective function of one side of a pair, with its inverse."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Tensor


class Map(ABC):
    """An injective map of vectors. A subclass is a frozen dataclass whose fields are its parameters.

    Fact: `domain`, where it is injective: "real" (all vectors) or "unit" (those with entries in [0, 1]).
    """

    domain: ClassVar[Literal["real", "unit"]] = "real"

    @classmethod
    @abstractmethod
    def example(cls) -> Map:
        """A member for the conformance suite, which takes vectors of one, two or three dimensions."""

    def width(self, dim: int) -> int:
        """Dimensions of the image of `dim`-dimensional vectors. Raises: ShapeError if it takes none such."""
        return dim

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """`... x dim` -> `... x width(dim)`."""

    @abstractmethod
    def inverse(self, y: Tensor) -> Tensor:
        """`... x width(dim)`, a point of the image -> `... x dim`."""
