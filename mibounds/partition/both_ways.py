"""The mean log-partition over rows and over columns of one matrix of scores, which is met twice and never held.

A first pass sums, a second makes the gradients; each tile serves its rows and its columns. Where the matrix is
symmetric a tile above the diagonal serves for its mirror image too. With n rows and n columns that makes 8 n^2 d
operations, and 4 n^2 d for a symmetric one; a pass a way would make 12 and 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from mibounds.errors import ShapeError
from mibounds.partition.tiles import FLOOR, LN_2, longest, scored, shift_of

Join = Callable[[Tensor, Tensor], Tensor]


def mean_log_partition_both_ways(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The mean over rows and columns of ln sum e^(a_i . b_j): 1/2 (mean_i ln sum_j + mean_j ln sum_i).

    Args:
        a, b: `R x n x d` and `R x m x d`, one of them divided by the temperature.

    Returns: the means, `R`, which have gradients; each row's and each column's, `R x n` and `R x m`, without.

    Raises: ShapeError.
    """
    if a.ndim != 3 or b.ndim != 3 or a.shape[::2] != b.shape[::2]:
        raise ShapeError(f"expected R x n x d and R x m x d; got {tuple(a.shape)} and {tuple(b.shape)}")
    mean, rows, columns = _BothWays.apply(a, b, ())
    return mean, rows, columns


def mean_log_partition_of_pairs(z: Tensor, skip: tuple[int, ...] = (0,)) -> tuple[Tensor, Tensor]:
    """mean_i ln sum_(j != i) e^(z_i . z_j) over rows of one tensor.

    Args:
        z: `R x m x d`, divided by the root of the temperature.
        skip: pairs with |j - i| among these are left out: 0 for a row itself.

    Returns: the means, `R`, which have gradients; and each row's, `R x m`, which have none.

    Raises: ShapeError.

    Example:
        >>> z = torch.eye(3).unsqueeze(0)
        >>> mean_log_partition_of_pairs(z)[0]
        tensor([0.6931])
    """
    if z.ndim != 3:
        raise ShapeError(f"expected rows of shape R x m x d; got {tuple(z.shape)}")
    mean, rows, _ = _BothWays.apply(z, None, tuple(skip))
    return mean, rows


class _BothWays(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, a: Tensor, b: Tensor | None, skip: tuple[int, ...]
    ) -> tuple[Tensor, Tensor, Tensor]:
        runs = [_Run(a[r], a[r] if b is None else b[r], skip, mirrored=b is None) for r in range(len(a))]
        rows, columns = (
            torch.stack(side) for side in zip(*(run.log_partitions() for run in runs), strict=True)
        )
        ctx.mirrored = b is None
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(
                *(torch.stack(side) for side in zip(*(run.gradients() for run in runs), strict=True))
            )
        ctx.mark_non_differentiable(rows, columns)
        return (rows.mean(1) + columns.mean(1)) / 2, rows, columns

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        of_a, of_b = (upstream[0].view(-1, 1, 1) * g for g in ctx.saved_tensors)
        return (of_a + of_b, None, None) if ctx.mirrored else (of_a, of_b, None)


class _Run:
    """One run's matrix, tile after tile.

    Attributes:
        shifts: of rows, `n x 1`, and of columns, `1 x m`; one number for all, as far as it reaches.
        sums: of 2^(s - shift) over each row, `n x 1`, and over each column, `1 x m`.
    """

    def __init__(self, a: Tensor, b: Tensor, skip: tuple[int, ...], mirrored: bool):
        self.a, self.b, self.skip, self.mirrored = a, b, skip, mirrored
        one = shift_of(longest(a), longest(b))
        self.shifts = one.expand(len(a), 1), one.expand(1, len(b))
        self.one_shift = True

    def log_partitions(self) -> tuple[Tensor, Tensor]:
        """ln sum e^s of each row, `n`, and of each column, `m`."""
        self.sums = self._sums()
        if min(float(side.min()) for side in self.sums) < FLOOR:
            self.shifts, self.one_shift = self._maxima(), False
            self.sums = self._sums()
        rows, columns = (
            LN_2 * (shift + total.log2()).flatten()
            for shift, total in zip(self.shifts, self.sums, strict=True)
        )
        return rows, columns

    def gradients(self) -> tuple[Tensor, Tensor]:
        """Of the mean over rows and columns, by a and by b; where the matrix mirrors itself their sum is meant."""
        of_a, of_b = torch.zeros_like(self.a), torch.zeros_like(self.b)
        share = 1.0 if self.mirrored else 0.5
        u, v = (torch.where(side > 0, share / (side.numel() * side), 0.0) for side in self.sums)
        for i, j, scores in self._tiles():
            weights = self._weighed(scores, i, j, u[i], v[:, j])
            of_a[i].addmm_(weights, self.b[j])
            if not self._own_mirror(i, j):
                of_b[j].addmm_(weights.T, self.a[i])
        return of_a, of_b

    def _tiles(self) -> Iterator[tuple[slice, slice, Tensor]]:
        """Rows, columns and scores to base 2; of a mirrored matrix those on and above the diagonal."""
        return scored(self.a, self.b, self.skip, self.mirrored)

    def _own_mirror(self, i: slice, j: slice) -> bool:
        """Whether a tile holds both a pair and its mirror image."""
        return self.mirrored and i == j

    def _powers(self, scores: Tensor, i: slice, j: slice) -> tuple[Tensor, Tensor]:
        """2^(s - shift) by the rows' shifts and by the columns'; overwrites the scores."""
        by_row, by_column = self.shifts[0][i], self.shifts[1][:, j]
        second = None if self.one_shift else (scores - by_column).exp2_()
        first = scores.sub_(by_row).exp2_()
        return first, first if second is None else second

    def _weighed(self, scores: Tensor, i: slice, j: slice, u: Tensor, v: Tensor) -> Tensor:
        first, second = self._powers(scores, i, j)
        return first.mul_(u + v) if self.one_shift else first.mul_(u).addcmul_(second, v)

    def _sums(self) -> tuple[Tensor, Tensor]:
        rows, columns = self.a.new_zeros(len(self.a), 1), self.b.new_zeros(1, len(self.b))
        for i, j, scores in self._tiles():
            first, second = self._powers(scores, i, j)
            rows[i] += first.sum(1, keepdim=True)
            if not self._own_mirror(i, j):
                columns[:, j] += second.sum(0, keepdim=True)
        return self._joined(rows, columns, torch.add)

    def _maxima(self) -> tuple[Tensor, Tensor]:
        rows = self.a.new_full((len(self.a), 1), -torch.inf)
        columns = self.b.new_full((1, len(self.b)), -torch.inf)
        for i, j, scores in self._tiles():
            rows[i] = torch.maximum(rows[i], scores.amax(1, keepdim=True))
            if not self._own_mirror(i, j):
                columns[:, j] = torch.maximum(columns[:, j], scores.amax(0, keepdim=True))
        rows, columns = self._joined(rows, columns, torch.maximum)
        return rows.nan_to_num(neginf=0.0), columns.nan_to_num(neginf=0.0)

    def _joined(self, rows: Tensor, columns: Tensor, join: Join) -> tuple[Tensor, Tensor]:
        """A mirrored matrix has each row's other half in its columns."""
        if not self.mirrored:
            return rows, columns
        both = join(rows, columns.T)
        return both, both.T
