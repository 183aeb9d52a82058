"""The mean over a batch's rows, those of all processes."""

from __future__ import annotations

from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.representation import distributed


def mean_over_rows(losses: Tensor) -> Tensor:
    """Losses of rows, `R x n`, of this process -> their mean over all processes' rows, `R`.

    Raises: ParameterError for a batch of one.
    """
    gathered = require_rows(distributed.gather(losses.unsqueeze(-1)))
    return gathered.mean((-2, -1))


def require_rows(rows: Tensor) -> Tensor:
    """`R x n x d` itself. Raises: ParameterError if n < 2."""
    if rows.shape[1] < 2:
        raise ParameterError(f"batch_size must be at least 2; got {rows.shape[1]}")
    return rows
