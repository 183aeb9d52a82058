"""What a view is: a random map of inputs, each row by random numbers of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from mibounds.errors import ParameterError


class View(ABC):
    """A random map of inputs. A subclass is a frozen dataclass whose fields are its strengths.

    Two strengths of one view that are given the same generator draw the same numbers and scale them, so that they can
    be compared in pairs.

    Facts:
        name: its file's name.
        images: whether it takes images alone, `n x channels x height x width`.
    """

    name: ClassVar[str]
    images: ClassVar[bool] = True

    @classmethod
    def example(cls) -> View:
        """A member for the conformance suite, and for a first look."""
        return cls()

    @abstractmethod
    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """`n x *shape` -> `n x *shape`, on the device of both. The numbers drawn depend on x's shape alone."""


def require_within(low: float, high: float, **strengths: float) -> None:
    """Raises: ParameterError unless every strength lies in [low, high]."""
    for name, value in strengths.items():
        if not low <= value <= high:
            limits = f"in [{low}, {high}]" if high < float("inf") else f"at least {low}"
            raise ParameterError(f"{name} must be {limits}; got {value}")
