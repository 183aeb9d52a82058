"""What a critic is: R functions of (x, y), trained or known, evaluated on all pairs of a batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mibounds.errors import ParameterError, ShapeError
from mibounds.seeding import generator
from mibounds.stacked import StackedMLP


class Critic(nn.Module):
    """R independent critics in one stack of parameters.

    A subclass builds its layers from one generator a run and defines `scores`. Facts: `name`, its file's name.

    Args:
        dim_x, dim_y: widths of x and y.
        seeds: one a run; run r depends on `seeds[r]` alone.
    """

    name: ClassVar[str]

    def __init__(self, dim_x: int, dim_y: int, seeds: Sequence[int]):
        super().__init__()
        self.dim_x, self.dim_y, self.n_runs = dim_x, dim_y, len(seeds)
        self._generators = [generator(seed) for seed in seeds]

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        """scores[r, i, j] = f_r(x_i, y_j)."""
        raise TypeError(f"{type(self).__name__} defines no scores")

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """`R x n x dim_x`, `R x m x dim_y` -> scores `R x n x m`. Raises: ShapeError."""
        expected = (self.n_runs, self.dim_x), (self.n_runs, self.dim_y)
        if x.ndim != 3 or y.ndim != 3 or (x.shape[::2], y.shape[::2]) != expected:
            raise ShapeError(
                f"expected x of shape {self.n_runs} x n x {self.dim_x} and y of {self.n_runs} x m x {self.dim_y}; "
                f"got {tuple(x.shape)} and {tuple(y.shape)}"
            )
        return self.scores(x, y)


def require_widths(hidden: Any, embedding: Any = 1, fewest: int = 0) -> None:
    """Raises ParameterError unless `hidden` has the widths of so many layers at least, and `embedding` is one."""
    if not isinstance(hidden, list | tuple) or len(hidden) < fewest or not all(map(_is_width, hidden)):
        raise ParameterError(
            f"hidden must be widths of layers, whole numbers of at least 1, such as (256, 256); got {hidden!r}"
        )
    if not _is_width(embedding):
        raise ParameterError(f"embedding must be a whole number of at least 1; got {embedding!r}")


def _is_width(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


class Baseline(nn.Module):
    """R trained log-baselines, one number a row: of x alone (TUBA) or of the positive pair (FLO).

    Args:
        sees: "x" or "pair".
        seeds: one a run.
    """

    def __init__(self, sees: str, dim_x: int, dim_y: int, seeds: Sequence[int], hidden: Sequence[int]):
        super().__init__()
        self.sees = sees
        dim_in = dim_x if sees == "x" else dim_x + dim_y
        self.network = StackedMLP(dim_in, hidden, 1, [generator(seed) for seed in seeds])

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """`R x n x dim_x`, `R x n x dim_y` -> `R x n`."""
        inputs = x if self.sees == "x" else torch.cat([x, y], dim=-1)
        return self.network(inputs).squeeze(-1)
