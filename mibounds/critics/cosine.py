"""Cosine critic: unit-norm embeddings over a temperature, the critic of contrastive learners."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds.critics.base import Critic, require_widths
from mibounds.errors import ParameterError
from mibounds.stacked import StackedMLP


class Cosine(Critic):
    """f(x, y) = cos(g(x), h(y)) / temperature.

    Scores lie in [-1/temperature, 1/temperature], which is a ceiling of its own on any bound
    (`theory.temperature_ceiling`), however many the negatives.

    Args:
        temperature: tau > 0; it has no default, since no value is right for all.

    Raises: ParameterError if the temperature is not positive, or a width is none.
    """

    name = "cosine"

    def __init__(
        self,
        dim_x: int,
        dim_y: int,
        seeds: Sequence[int],
        *,
        temperature: float,
        hidden: Sequence[int] = (256, 256),
        embedding: int = 32,
    ):
        if not (isinstance(temperature, int | float) and temperature > 0):
            raise ParameterError(f"temperature must be greater than 0; got {temperature!r}")
        require_widths(hidden, embedding)
        super().__init__(dim_x, dim_y, seeds)
        self.temperature = temperature
        self.encode_x = StackedMLP(dim_x, hidden, embedding, self._generators)
        self.encode_y = StackedMLP(dim_y, hidden, embedding, self._generators)

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        unit_x, unit_y = normalize(self.encode_x(x), dim=-1), normalize(self.encode_y(y), dim=-1)
        return torch.bmm(unit_x, unit_y.transpose(1, 2)) / self.temperature
