"""The mean log-partition over anchors and keys that W processes hold: keys go round, no process holds all.

Each process sums over its own anchors while keys pass by, and once more for the gradients, which travel with the keys
that they are of and are home after W steps. Beside one tile and its own rows a process holds two blocks of keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from mibounds.partition.tiles import FLOOR, LN_2, longest, scored, shift_of


def mean_log_partition_in_ring(
    anchors: Tensor, keys: Tensor, skip: tuple[int, ...] = ()
) -> tuple[Tensor, Tensor]:
    """mean_i ln sum_j e^(a_i . k_j), i over this process's anchors, j over the keys of all, in memory O((m + c) d / W).

    The gradients are those of the sum over processes of their means, each times the upstream gradient that this process
    sees: it has to be the same on all.

    Args:
        anchors: `R x m x d`, this process's, divided by the temperature.
        keys: `R x c x d`, this process's; of one shape on all.
        skip: of the own keys, those with |j - i| among these are left out.

    Returns: the means, `R`, and each anchor's, `R x m`, as `mean_log_partition`.
    """
    mean, each = _Ring.apply(anchors, keys, skip)
    return mean, each


class _Ring(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, anchors: Tensor, keys: Tensor, skip: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        circle = _Circle(anchors, keys, skip)
        each = circle.log_partitions()
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(*circle.gradients())
        ctx.mark_non_differentiable(each)
        return each.mean(1), each

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        of_anchors, of_keys = ctx.saved_tensors
        scale = upstream[0].view(-1, 1, 1)
        return scale * of_anchors, scale * of_keys, None


class _Circle:
    """All runs of one process.

    Attributes:
        shift, sums: `R x m x 1`; each anchor's sum of 2^(s - shift).
    """

    def __init__(self, anchors: Tensor, keys: Tensor, skip: tuple[int, ...]):
        self.anchors, self.keys, self.skip = anchors, keys.contiguous(), skip
        reach = _largest_of_all(longest(self.keys))
        shift = shift_of(longest(anchors), reach)
        self.shift = shift.view(-1, 1, 1).expand(*anchors.shape[:2], 1)

    def log_partitions(self) -> Tensor:
        """ln sum_j e^(s_ij), `R x m`."""
        self.sums = self._sums()
        if _largest_of_all((self.sums < FLOOR).any().to(self.sums)):
            self.shift = self._maxima().nan_to_num(neginf=0.0)
            self.sums = self._sums()
        return LN_2 * (self.shift + self.sums.log2()).squeeze(-1)

    def gradients(self) -> tuple[Tensor, Tensor]:
        """Of the sum over processes of their means: by these anchors, and by these keys once they are home."""
        of_anchors, of_keys = torch.zeros_like(self.anchors), torch.zeros_like(self.keys)
        weights = torch.where(self.sums > 0, 1 / (self.anchors.shape[1] * self.sums), 0.0)
        for keys, skip in self._passing():
            for run, i, j, scores in self._tiles(keys, skip):
                shares = scores.sub_(self.shift[run, i]).exp2_().mul_(weights[run, i])
                of_anchors[run, i].addmm_(shares, keys[run, j])
                of_keys[run, j].addmm_(shares.T, self.anchors[run, i])
            of_keys = _PassedOn(of_keys).wait()
        return of_anchors, of_keys

    def _sums(self) -> Tensor:
        sums = torch.zeros_like(self.shift)
        for keys, skip in self._passing():
            for run, i, _, scores in self._tiles(keys, skip):
                sums[run, i] += scores.sub_(self.shift[run, i]).exp2_().sum(1, keepdim=True)
        return sums

    def _maxima(self) -> Tensor:
        maxima = torch.full_like(self.shift, -torch.inf)
        for keys, skip in self._passing():
            for run, i, _, scores in self._tiles(keys, skip):
                maxima[run, i] = torch.maximum(maxima[run, i], scores.amax(1, keepdim=True))
        return maxima

    def _passing(self) -> Iterator[tuple[Tensor, tuple[int, ...]]]:
        """The keys of all processes, the own ones first, with the pairs to skip; the next are under way meanwhile."""
        keys, skip = self.keys, self.skip
        for left in reversed(range(dist.get_world_size())):
            coming = _PassedOn(keys) if left else None
            yield keys, skip
            keys, skip = coming.wait() if coming else keys, ()

    def _tiles(self, keys: Tensor, skip: tuple[int, ...]) -> Iterator[tuple[int, slice, slice, Tensor]]:
        for run in range(len(keys)):
            for i, j, scores in scored(self.anchors[run], keys[run], skip):
                yield run, i, j, scores


class _PassedOn:
    """A tensor on its way to the next process, and the one of the previous process on its way here."""

    def __init__(self, held: Tensor):
        rank, n = dist.get_rank(), dist.get_world_size()
        self.coming = torch.empty_like(held)
        send = dist.P2POp(dist.isend, held, (rank + 1) % n)
        receive = dist.P2POp(dist.irecv, self.coming, (rank - 1) % n)
        self.work = dist.batch_isend_irecv([send, receive])

    def wait(self) -> Tensor:
        for one in self.work:
            one.wait()
        return self.coming


def _largest_of_all(values: Tensor) -> Tensor:
    dist.all_reduce(values, op=dist.ReduceOp.MAX)
    return values
