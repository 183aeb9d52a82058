"""The mean log-partition over anchors, in one pass: gradients are made where the scores are.

The scores of some anchors with all candidates are held as 2^(s - shift), never those of all. Once their sums are known
the gradients follow from them by two products more, which makes three in all: with N anchors and N candidates 6 N^2 d
operations, and no score is computed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from mibounds.errors import ShapeError
from mibounds.partition.tiles import FLOOR, LN_2, LOG2_E, Block, Span, longest, pieces, shift_of, sizes


def mean_log_partition(anchors: Tensor, blocks: Sequence[Block]) -> tuple[Tensor, Tensor]:
    """mean_i ln sum_j e^(a_i . k_j), j over the anchor's candidates in all blocks, in memory O((m + c) d).

    Args:
        anchors: `R x m x d`, divided by the temperature already.
        blocks: of candidates.

    Returns: the means, `R`, which have gradients; and ln sum_j e^(a_i . k_j) of each anchor, `R x m`, which have none:
    -inf for an anchor without any candidate.

    Raises: ShapeError.

    Example:
        >>> z = torch.eye(2).unsqueeze(0)
        >>> mean_log_partition(z, [Block(z)])[0]
        tensor([1.3133])
    """
    if anchors.ndim != 3 or not blocks:
        raise ShapeError(f"expected anchors of shape R x m x d, and blocks; got {tuple(anchors.shape)}")
    for block in blocks:
        if block.keys.shape[::2] != anchors.shape[::2]:
            raise ShapeError(
                f"expected keys for {anchors.shape[0]} runs in {anchors.shape[2]} dimensions; "
                f"got {tuple(block.keys.shape)}"
            )
    return _MeanLogPartition.apply(tuple(blocks), anchors, *(block.keys for block in blocks))


class _MeanLogPartition(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, blocks: tuple[Block, ...], anchors: Tensor, *keys: Tensor) -> tuple[Tensor, Tensor]:
        wanted = [*ctx.needs_input_grad[1:]]
        gradients = [
            torch.zeros_like(t) if want else None for t, want in zip((anchors, *keys), wanted, strict=True)
        ]
        each = anchors.new_empty(anchors.shape[:2])
        for run in range(len(anchors)):
            own = [None if g is None else g[run] for g in gradients]
            each[run] = _Run(run, blocks, anchors[run], [k[run] for k in keys], own).log_partition()
        ctx.save_for_backward(*(g for g in gradients if g is not None))
        ctx.wanted = wanted
        ctx.mark_non_differentiable(each)
        return each.mean(1), each

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        held = iter(ctx.saved_tensors)
        scale = upstream[0].view(-1, 1, 1)
        return None, *(scale * next(held) if want else None for want in ctx.wanted)


class _Run:
    """One run: some anchors at a time against all candidates."""

    def __init__(
        self,
        run: int,
        blocks: Sequence[Block],
        anchors: Tensor,
        keys: list[Tensor],
        gradients: list[Tensor | None],
    ):
        self.run, self.blocks, self.anchors, self.keys = run, blocks, anchors, keys
        self.of_anchors, *self.of_keys = gradients
        self.shift = shift_of(longest(self.anchors), torch.stack([longest(k) for k in keys]).max())
        n_keys = sum(map(len, keys))
        size = sizes(anchors.device)
        fewest, most = size.rows
        self.at_once = min(max(size.held // max(n_keys, 1), fewest), most, max(len(anchors), 1))
        self.buffer = anchors.new_empty(self.at_once * n_keys)

    def log_partition(self) -> Tensor:
        return torch.cat([self._chunk(rows) for rows in pieces(0, len(self.anchors), self.at_once)])

    def _chunk(self, rows: Span) -> Tensor:
        shift = self.shift.expand(rows[1] - rows[0], 1)
        sums = self._fill(rows, shift)
        if (sums < FLOOR).any():
            shift = self._maxima(rows)
            sums = self._fill(rows, shift)
        self._pull(rows, torch.where(sums > 0, 1 / (len(self.anchors) * sums), 0.0))
        return LN_2 * (shift + sums.log2()).squeeze(1)

    def _tiles(self, rows: Span) -> Iterator[tuple[int, Span, Tensor]]:
        """Each block's number, columns, and the place of its scores, tile after tile."""
        height, used = rows[1] - rows[0], 0
        for number, block in enumerate(self.blocks):
            for columns in block.spans(rows):
                width = columns[1] - columns[0]
                yield number, columns, self.buffer[used : used + height * width].view(height, width)
                used += height * width

    def _scored(self, rows: Span) -> Iterator[tuple[Tensor, Tensor]]:
        """The keys of each tile, and the scores to base 2."""
        scaled = self.anchors[slice(*rows)] * LOG2_E
        for number, columns, out in self._tiles(rows):
            keys = self.keys[number][slice(*columns)]
            torch.mm(scaled, keys.T, out=out)
            self.blocks[number].drop(out, self.run, rows, columns)
            yield keys, out

    def _fill(self, rows: Span, shift: Tensor) -> Tensor:
        """2^(s - shift) into the buffer; their sums, and the keys that they weigh."""
        sums = torch.zeros_like(shift)
        pull = None if self.of_anchors is None else self.of_anchors[slice(*rows)].zero_()
        for keys, scores in self._scored(rows):
            powers = scores.sub_(shift).exp2_()
            sums += powers.sum(1, keepdim=True)
            if pull is not None:
                pull.addmm_(powers, keys)
        return sums

    def _maxima(self, rows: Span) -> Tensor:
        found = self.anchors.new_full((rows[1] - rows[0], 1), -torch.inf)
        for _, scores in self._scored(rows):
            found = torch.maximum(found, scores.amax(1, keepdim=True))
        return found.nan_to_num(neginf=0.0)

    def _pull(self, rows: Span, weights: Tensor) -> None:
        """The gradients of these anchors' share of the mean, from the buffer."""
        if self.of_anchors is not None:
            self.of_anchors[slice(*rows)] *= weights
        weighed = self.anchors[slice(*rows)] * weights
        for number, columns, out in self._tiles(rows):
            if (of_keys := self.of_keys[number]) is not None:
                of_keys[slice(*columns)].addmm_(out.T, weighed)
