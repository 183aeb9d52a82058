"""Random network: a frozen invertible multi-layer perceptron, as between latents and what is observed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from mibounds.distributions.maps.base import Map
from mibounds.errors import ParameterError, ShapeError
from mibounds.seeding import generator


@dataclass(frozen=True)
class RandomNetwork(Map):
    """x <- leaky_relu(Q x + b), `depth` times, then Q x: Q random orthogonal, b ~ N(0, 1/4), frozen.

    Each layer is undone exactly; the condition number is at most slope^-depth.

    Args:
        dim: the dimension of its inputs and outputs.
        depth: hidden layers.
        slope: of the leaky ReLU below zero, in (0, 1].
        seed: of the weights.

    Raises: ParameterError; ShapeError for inputs of another dimension.

    References: Hyvarinen and Morioka 2016, Zimmermann et al. 2021 (as a mixing function of latents).
    """

    dim: int
    depth: int = 2
    slope: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.dim < 1 or self.depth < 1 or not 0 < self.slope <= 1:
            raise ParameterError(
                "expected dim >= 1, depth >= 1 and slope in (0, 1]; "
                f"got {self.dim}, {self.depth} and {self.slope}"
            )

    @classmethod
    def example(cls) -> RandomNetwork:
        return cls(3)

    @cached_property
    def _layers(self) -> list[tuple[Tensor, Tensor]]:
        source = generator(self.seed)
        normal = torch.randn(self.depth + 1, self.dim, self.dim + 1, generator=source, dtype=torch.float64)
        return [(torch.linalg.qr(layer[:, :-1]).Q, layer[:, -1] / 2) for layer in normal]

    def width(self, dim: int) -> int:
        if dim != self.dim:
            raise ShapeError(f"this network takes {self.dim} dimensions; got {dim}")
        return dim

    def forward(self, x: Tensor) -> Tensor:
        *hidden, (last, _) = self._layers
        for weight, bias in hidden:
            x = leaky_relu(x @ weight.T.to(x) + bias.to(x), self.slope)
        return x @ last.T.to(x)

    def inverse(self, y: Tensor) -> Tensor:
        *hidden, (last, _) = self._layers
        y = y @ last.to(y)
        for weight, bias in reversed(hidden):
            y = (torch.where(y < 0, y / self.slope, y) - bias.to(y)) @ weight.to(y)
        return y
