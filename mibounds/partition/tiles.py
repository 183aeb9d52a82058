"""What all ways to a partition share: candidates, and scores of a tile as powers of two under a shift.

Scores are taken to base 2, since 2^s costs a core a fifth of e^s, and under one shift that no score passes by more
than HEADROOM, so that no tile waits for its maximum. A row whose sum comes out below FLOOR, which takes scores of a
very wide range, lies too deep under that shift and is taken again under its own maximum.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.errors import ParameterError, ShapeError

LOG2_E, LN_2 = math.log2(math.e), math.log(2)
HEADROOM = 56.0  # base-2 exponents of float32 reach from -126 to 128
FLOOR = 2.0**-60

Span = tuple[int, int]


@dataclass(frozen=True)
class Sizes:
    """How much is computed at once.

    Attributes:
        side: of a square tile.
        columns: of a tile in some anchors' row of tiles.
        rows: the fewest and the most anchors in such a row.
        held: scores of all its tiles together, as far as `rows` allows.
    """

    side: int
    columns: int
    rows: tuple[int, int]
    held: int


IN_CACHE = Sizes(side=512, columns=1024, rows=(128, 512), held=2**24)
ON_GPU = Sizes(side=4096, columns=8192, rows=(128, 4096), held=2**27)  # few launches; not measured


def sizes(device: torch.device) -> Sizes:
    """A core's cache holds a tile; a GPU wants them large."""
    return IN_CACHE if device.type == "cpu" else ON_GPU


@dataclass(frozen=True)
class Block:
    """Candidates of all anchors: `keys`, `R x c x d`, and which of them anchor i is set against.

    Attributes:
        keys: already where scores are inner products.
        first, count: keys i + first, ..., i + first + count - 1 modulo c; count None for all c. `first=1,
            count=c - 1` is all but the own one.
        anchor_labels, key_labels: `R x m` and `R x c`: keys of the anchor's label are left out, its own one, i, aside.

    Raises: ShapeError, ParameterError.
    """

    keys: Tensor
    first: int = 0
    count: int | None = None
    anchor_labels: Tensor | None = None
    key_labels: Tensor | None = None

    def __post_init__(self) -> None:
        if self.keys.ndim != 3:
            raise ShapeError(f"expected keys of shape R x c x d; got {tuple(self.keys.shape)}")
        if self.count is not None and not 0 <= self.count <= self.length:
            raise ParameterError(f"count must lie in 0..{self.length}, the keys there are; got {self.count}")
        if (self.anchor_labels is None) != (self.key_labels is None):
            raise ParameterError("labels are compared: expected anchor_labels and key_labels, or neither")

    @property
    def length(self) -> int:
        return self.keys.shape[1]

    def spans(self, rows: Span) -> Iterator[Span]:
        """The columns that anchors `rows` may need, in pieces of one tile."""
        length, start = self.length, 0
        needed = length
        if self.count is not None and self.count + rows[1] - rows[0] - 1 < length:
            needed, start = self.count + rows[1] - rows[0] - 1, (rows[0] + self.first) % length
        size = sizes(self.keys.device).columns
        yield from pieces(start, min(start + needed, length), size)
        yield from pieces(0, start + needed - length, size)

    def drop(self, scores: Tensor, run: int, rows: Span, columns: Span) -> None:
        """Puts -inf in place of the scores of keys that are not the anchors'."""
        if self.count is not None and not self._whole(rows, columns):
            distance = (self._ahead(scores, rows, columns) - self.first) % self.length
            scores.masked_fill_(distance >= self.count, -torch.inf)
        if self.anchor_labels is not None and self.key_labels is not None:
            same = self.anchor_labels[run, slice(*rows), None] == self.key_labels[run, slice(*columns)]
            own = self._ahead(scores, rows, columns) == 0
            scores.masked_fill_(same & ~own, -torch.inf)

    def _whole(self, rows: Span, columns: Span) -> bool:
        """Whether no key of the tile is left out by its distance."""
        assert self.count is not None
        least = columns[0] - (rows[1] - 1) - self.first
        most = columns[1] - 1 - rows[0] - self.first
        turn = least // self.length
        return most // self.length == turn and most - turn * self.length < self.count

    def _ahead(self, scores: Tensor, rows: Span, columns: Span) -> Tensor:
        i, j = (torch.arange(*span, device=scores.device) for span in (rows, columns))
        return j - i.unsqueeze(1)


def pieces(start: int, stop: int, size: int) -> Iterator[Span]:
    """`start:stop` in pieces of `size`."""
    for begin in range(start, stop, size):
        yield begin, min(begin + size, stop)


def scored(
    rows: Tensor, columns: Tensor, skip: Collection[int] = (), mirrored: bool = False
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Spans of rows and columns with their scores to base 2, which the next tile overwrites.

    Args:
        rows, columns: `n x d`, `m x d`.
        skip: pairs with |column - row| among these are -inf.
        mirrored: the matrix is symmetric; tiles below the diagonal are left out.
    """
    side = sizes(rows.device).side
    buffer = rows.new_empty(side * side)
    for top, bottom in pieces(0, len(rows), side):
        scaled = rows[top:bottom] * LOG2_E
        for left, right in pieces(top if mirrored else 0, len(columns), side):
            out = buffer[: (bottom - top) * (right - left)].view(bottom - top, right - left)
            torch.mm(scaled, columns[left:right].T, out=out)
            for offset in {sign * distance + top - left for distance in skip for sign in (1, -1)}:
                if top - bottom < offset < right - left:
                    out.diagonal(offset).fill_(-torch.inf)
            yield slice(top, bottom), slice(left, right), out


def longest(rows: Tensor) -> Tensor:
    """The largest norm of `... x n x d`: `...`, on the device."""
    return rows.norm(dim=-1).amax(-1) if rows.shape[-2] else rows.new_zeros(rows.shape[:-2])


def shift_of(rows: Tensor, columns: Tensor) -> Tensor:
    """From both sides' `longest`: no score to base 2 passes it by more than HEADROOM. Where it can it is 0: exact."""
    return (LOG2_E * rows * columns - HEADROOM).clamp(min=0)
