"""Shards: a grid's packs dealt to machines that know nothing of each other."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mibounds.errors import ParameterError
from mibounds.study.cell import Pack
from mibounds.study.grid import Grid


@dataclass(frozen=True)
class Shard:
    """Part `index` of `count`, counted from 1.

    Packs are dealt in the order of their ids, which are hashes: shards differ by one pack at most, no axis falls to
    one of them, and which pack goes where is decided by the grid and `count` alone.

    Raises:
        ParameterError: there is no such part.

    Example:
        >>> Shard.parse("2/8")
        Shard(index=2, count=8)
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ParameterError(f"a shard is i/n with i from 1 to n; got {self}")

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Of a text such as "2/8"."""
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip(), re.ASCII)
        if match is None:
            raise ParameterError(f"a shard is i/n with i from 1 to n, such as 2/8; got {text!r}")
        return cls(int(match[1]), int(match[2]))

    def packs(self, grid: Grid) -> tuple[Pack, ...]:
        """Its packs, in grid order."""
        dealt = sorted(range(len(grid.packs)), key=lambda place: grid.packs[place].id)
        return tuple(grid.packs[place] for place in sorted(dealt[self.index - 1 :: self.count]))
