"""Numbers that may differ from run to run of a stack: one for all, or one a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from mibounds.errors import ParameterError, ShapeError

PerRun: TypeAlias = "float | Sequence[float]"


def per_run(
    name: str, value: PerRun, n_runs: int, holds: Callable[[float], bool], expected: str
) -> list[float]:
    """`n_runs` numbers from one, or from one a run. Raises: ShapeError, ParameterError with `expected` in words."""
    if isinstance(value, str):
        raise ParameterError(f"{name} must be {expected}; got {value!r}")
    values = [value] * n_runs if isinstance(value, int | float) else list(value)
    if len(values) != n_runs:
        raise ShapeError(f"expected one {name}, or {n_runs}, one a run; got {len(values)}")
    for one in values:
        if not holds(one):
            raise ParameterError(f"{name} must be {expected}; got {one}")
    return values


class Temperature(nn.Module):
    """tau > 0, one a run, fixed or learned through its logarithm. It has no default: no value is right for all.

    Args:
        value: tau, or its start where learned.
        n_runs: R.
        learned: whether it is a parameter.

    Raises: ParameterError unless every tau is greater than 0.
    """

    def __init__(self, value: PerRun, n_runs: int, *, learned: bool = False):
        super().__init__()
        values = per_run("temperature", value, n_runs, lambda tau: tau > 0, "greater than 0")
        log = torch.tensor(values).log().view(-1, 1, 1)
        self.log: Tensor
        if learned:
            self.log = nn.Parameter(log)
        else:
            self.register_buffer("log", log)

    def forward(self) -> Tensor:
        """`R x 1 x 1`."""
        return self.log.exp()
