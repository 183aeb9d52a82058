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
RUNS = (
    2560  # worked on together: few enough for the near caches, enough that threads seldom wait for each other
)
TABLE_BITS = 2**28  # of the tables of a block
IN_ONE_THREAD = 5_000  # points for which threads cost more than they save


def in_threads(work: Callable[[Part], Found], parts: Sequence[Part], alone: bool = False) -> Iterator[Found]:
    """`work` of each part, in order, on all processors; NumPy and SciPy let other threads run while they compute."""
    workers = 1 if alone else min(len(parts), _n_processors())
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

        def span(c: int) -> None:
            order = np.argsort(points[:, c], kind="stable")
            values, reached = points[order, c], reach[order]
            ranks[order, c] = np.arange(len(points))
            low[order, c] = np.searchsorted(values, values - reached, first)  # type: ignore[call-overload]
            high[order, c] = np.searchsorted(values, values + reached, last)  # type: ignore[call-overload]

        for _ in in_threads(span, range(points.shape[1]), alone=len(points) < IN_ONE_THREAD):
            pass
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
        table = _Table.of(self.ranks[block], len(self.points))
        starts, ends = (table.rows_of(ranks[boxes]) for ranks in (self.low, self.high))
        n_columns, n_words = starts.shape[1], table.bits.shape[1]
        size = max(1, RUNS // n_columns)
        upper, lower = np.empty((2, size, n_columns, n_words), np.uint64)
        shared = np.empty((size, n_words), np.uint64)
        for start in range(0, len(boxes), size):
            portion = slice(start, start + size)
            m = len(boxes[portion])
            np.take(table.bits, ends[portion], axis=0, out=upper[:m], mode="clip")  # "raise" would copy
            np.take(table.bits, starts[portion], axis=0, out=lower[:m], mode="clip")
            np.bitwise_xor(upper[:m], lower[:m], out=upper[:m])
            np.bitwise_and.reduce(upper[:m], axis=1, out=shared[:m])
            yield boxes[portion], shared[:m]


@dataclass(frozen=True)
class _Table:
    """Of a block of m points: which are the r lowest by each column, for every r, and where to read that.

    Attributes:
        bits: `(d (m + 1)) x words`; row c (m + 1) + r has the r lowest points by column c.
        row: `d x (n + 1)`; row[c, rank] has the points of ranks below `rank`, which is among all n.
    """

    bits: Words
    row: Integers

    @classmethod
    def of(cls, ranks: Integers, n: int) -> _Table:
        m, d = ranks.shape
        bits = np.zeros((d, m + 1, -(-m // WORD)), np.uint64)
        row = np.zeros((d, n + 1), np.int32)
        for c, of_column in enumerate(ranks.T):
            order = np.argsort(of_column)
            bits[c, np.arange(1, m + 1), order // WORD] = np.uint64(1) << (order % WORD).astype(np.uint64)
            np.bitwise_or.accumulate(bits[c], axis=0, out=bits[c])
            row[c, 0] = c * (m + 1)
            row[c, of_column + 1] = 1
            np.cumsum(row[c], out=row[c])
        return cls(bits.reshape(d * (m + 1), -1), row)

    def rows_of(self, ranks: Integers) -> Integers:
        """The rows with the points below each of `ranks`, `boxes x d`."""
        return np.stack([self.row[c, of_column] for c, of_column in enumerate(ranks.T)], axis=1)


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
