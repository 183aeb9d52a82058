"""Which points lie in a box round each point: a bit a pair, 64 pairs an instruction; exact, in any number of columns.

In the order of a column's values, a box spans a run of ranks, so that the points it holds by that column are those
below the run's end less those below its start. A table has the bits of the r lowest points for every r. Two of its rows
differ in the run; what the runs of all columns share is the box.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.integer]
Words: TypeAlias = NDArray[np.uint64]
Part = TypeVar("Part")
Found = TypeVar("Found")

WORD = 64
ROWS = 256  # bit sets worked on together: few enough to stay in the near caches
TABLE_BITS = 2**28  # of the tables of a block


def in_threads(work: Callable[[Part], Found], parts: Sequence[Part]) -> Iterator[Found]:
    """`work` of each part, in order, on all processors; NumPy and SciPy let other threads run while they compute."""
    workers = min(len(parts), _n_processors())
    if workers <= 1:
        yield from map(work, parts)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(work, parts)


def halved(points: Array, at_most: int) -> list[Integers]:
    """Row numbers of blocks of near points: halves of halves along the widest column, until few enough are left."""

    def cut(rows: Integers) -> Iterator[Integers]:
        if len(rows) <= at_most:
            yield rows
            return
        held = points[rows]
        half = len(rows) // 2
        order = rows[np.argpartition(held[:, held.std(axis=0).argmax()], half)]
        yield from cut(order[:half])
        yield from cut(order[half:])

    return list(cut(np.arange(len(points))))


@dataclass(frozen=True)
class Boxes:
    """A box round each of n points, as the ranks that it spans in each of d sorted columns.

    Attributes:
        points: `n x d`.
        ranks: `n x d`, each point's place in the sorted column.
        low, high: `n x d`; box i holds, by column c, the points with low[i, c] <= rank < high[i, c].
    """

    points: Array
    ranks: Integers
    low: Integers
    high: Integers

    @classmethod
    def around(cls, points: Array, reach: Array, closed: bool) -> Boxes:
        """Box i holds what differs from point i by less than reach[i] in every column; if `closed`, at most by it.

        Exact where `points` plus and minus `reach` are: see `_neighbours.on_grid`. A reach of -inf makes an empty box.
        """
        ranks, low, high = (np.empty(points.shape, np.int32) for _ in range(3))
        first, last = ("left", "right") if closed else ("right", "left")
        for c, column in enumerate(points.T):
            order = np.argsort(column, kind="stable")
            values, reached = column[order], reach[order]
            ranks[order, c] = np.arange(len(points))
            low[order, c] = np.searchsorted(values, values - reached, first)  # type: ignore[call-overload]
            high[order, c] = np.searchsorted(values, values + reached, last)  # type: ignore[call-overload]
        return cls(points, ranks, low, np.maximum(low, high))

    def counts(self) -> Integers:
        """How many points each box holds, its own included where it lies inside: `n`."""
        if self.points.shape[1] == 1:
            return (self.high - self.low)[:, 0].astype(np.int64)
        total = np.zeros(len(self.points), np.int64)
        for boxes, held in in_threads(self._counts_in, self._blocks()):
            total[boxes] += held
        return total

    def pairs(self) -> Iterator[tuple[Integers, Integers]]:
        """All i and j, where box i holds a point j that is not i; a block of j after the other, i ascending in each."""
        yield from in_threads(self._pairs_in, self._blocks())

    def _blocks(self) -> list[Integers]:
        side = int(np.sqrt(TABLE_BITS / self.points.shape[1]))
        return halved(self.points, max(WORD, 1 << (side.bit_length() - 1)))

    def _counts_in(self, block: Integers) -> tuple[Integers, Integers]:
        near = self._near(block)
        held = [_ones(words).sum(axis=1, dtype=np.int64) for _, words in self._sets(block, near)]
        return near, np.concatenate([near[:0], *held])

    def _pairs_in(self, block: Integers) -> tuple[Integers, Integers]:
        i, j = [block[:0]], [block[:0]]
        for boxes, words in self._sets(block, self._near(block)):
            row, column = _places(words)
            i.append(boxes[row])
            j.append(block[column])
        box, point = np.concatenate(i), np.concatenate(j)
        other = box != point
        return box[other], point[other]

    def _near(self, block: Integers) -> Integers:
        """The boxes that overlap with the block's own bounding box, ascending."""
        ranks = self.ranks[block]
        return np.flatnonzero(((self.low <= ranks.max(axis=0)) & (self.high > ranks.min(axis=0))).all(axis=1))

    def _sets(self, block: Integers, boxes: Integers) -> Iterator[tuple[Integers, Words]]:
        """Portions of `boxes`, and which of the block's points each holds, a bit a point; overwritten by the next."""
        tables = [_Table.of(self.ranks[block, c], len(self.points)) for c in range(self.points.shape[1])]
        shared, upper, lower = (np.empty((ROWS, tables[0].bits.shape[1]), np.uint64) for _ in range(3))
        for start in range(0, len(boxes), ROWS):
            portion = boxes[start : start + ROWS]
            every, ends, starts = (words[: len(portion)] for words in (shared, upper, lower))
            every[:] = ~np.uint64(0)
            for c, table in enumerate(tables):
                table.below(self.high[portion, c], out=ends)
                table.below(self.low[portion, c], out=starts)
                ends ^= starts
                every &= ends
            yield portion, every


@dataclass(frozen=True)
class _Table:
    """Of a block of m points by one column: bits[r] has the r lowest, place[rank] says how many lie below a rank."""

    bits: Words
    place: Integers

    @classmethod
    def of(cls, ranks: Integers, n: int) -> _Table:
        order = np.argsort(ranks)
        bits = np.zeros((len(ranks) + 1, -(-len(ranks) // WORD)), np.uint64)
        bits[np.arange(1, len(ranks) + 1), order // WORD] = np.uint64(1) << (order % WORD).astype(np.uint64)
        np.bitwise_or.accumulate(bits, axis=0, out=bits)
        place = np.zeros(n + 1, np.int32)
        place[ranks + 1] = 1
        return cls(bits, place.cumsum(dtype=np.int32))

    def below(self, ranks: Integers, out: Words) -> None:
        """The bits of the points below each rank."""
        np.take(self.bits, self.place[ranks], axis=0, out=out, mode="clip")  # "raise" would copy


def _places(words: Words) -> tuple[Integers, Integers]:
    """Row and column of every bit that is set."""
    filled = np.flatnonzero(words)
    octets = words.ravel()[filled].astype("<u8").view(np.uint8).reshape(-1, 8)
    at = np.flatnonzero(np.unpackbits(octets, axis=1, bitorder="little"))
    row, word = np.divmod(filled[at // WORD], words.shape[1])
    return row, word * WORD + at % WORD


def _counted_by_table(words: Words) -> NDArray[np.uint8]:
    """The bits set in each sixteen: what NumPy before 2.0 has no function for."""
    octets = np.arange(2**16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    return np.unpackbits(octets, axis=1).sum(axis=1, dtype=np.uint8)[words.view(np.uint16)]


_ones: Callable[[Words], NDArray[np.uint8]] = getattr(np, "bitwise_count", _counted_by_table)


def _n_processors() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
