"""What a distribution is: a sampler that carries its own truth."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.seeding import Seed, generator


class Distribution(ABC):
    """A joint law of (x, y) with known mutual information.

    Attributes: dim_x, dim_y, the widths of x and y; mutual_information, in nats; mutual_information_error, its standard
        error where it is itself computed from random pairs, else 0.
    """

    dim_x: int
    dim_y: int
    mutual_information: float
    mutual_information_error: float = 0.0

    @classmethod
    @abstractmethod
    def example(cls) -> Distribution:
        """A small member of the family, for the conformance suite and for a first look."""

    @abstractmethod
    def draw(self, n: int, generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """`n` pairs from `generator`, on its device: `n x dim_x`, `n x dim_y`."""

    def sample(
        self, n: int, seed: Seed, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> tuple[Tensor, Tensor]:
        """`n` independent pairs: x `n x dim_x`, y `n x dim_y`.

        A generator as `seed` is advanced and sets the device.

        Raises: ParameterError if n < 1.
        """
        if n < 1:
            raise ParameterError(f"n must be at least 1; got {n}")
        return self.draw(n, generator(seed, device), dtype)

    def log_density_ratio(self, x: Tensor, y: Tensor) -> Tensor | None:
        """ln p(x,y)/p(x)p(y) of pairs: `... x dim_x`, `... x dim_y` (broadcast) -> `...`; None if unknown."""
        return None

    def log_density_ratio_matrix(self, x: Tensor, y: Tensor) -> Tensor | None:
        """The optimal critic's scores: `... x n x dim_x`, `... x m x dim_y` -> `... x n x m`."""
        return self.log_density_ratio(x.unsqueeze(-2), y.unsqueeze(-3))
