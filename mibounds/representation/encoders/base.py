"""What an encoder is: R networks in one stack of parameters, from inputs to representations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from mibounds.errors import ShapeError


class Encoder(nn.Module):
    """R encoders. A subclass draws run r's weights from `generators[r]` alone and defines `layers`.

    Facts: `name`, its file's name.

    Attributes:
        shape: of one input.
        dim: width of a representation.
        n_runs: R.
    """

    name: ClassVar[str]
    dim: int

    def __init__(self, shape: Sequence[int], n_runs: int):
        super().__init__()
        self.shape, self.n_runs = tuple(shape), n_runs

    def layers(self, x: Tensor) -> dict[str, Tensor]:
        """Activations by layer, `R x n x width`, in order; the last is the representation."""
        raise TypeError(f"{type(self).__name__} defines no layers")

    def forward(self, x: Tensor) -> Tensor:
        """`R x n x *shape` -> `R x n x dim`. Raises: ShapeError."""
        if (x.shape[0], *x.shape[2:]) != (self.n_runs, *self.shape):
            expected = " x ".join(map(str, (self.n_runs, "n", *self.shape)))
            raise ShapeError(f"expected inputs of shape {expected}; got {tuple(x.shape)}")
        return list(self.layers(x).values())[-1]
