"""Cells and packs: points of a grid, and those of them that train together."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mibounds.errors import UnknownNameError
from mibounds.seeding import seed_of
from mibounds.study.study import REPLICATE, Point, Study, Value

CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def digest(content: Any) -> str:
    """SHA-256 of `content` as canonical JSON, in hex."""
    return hashlib.sha256(CANONICAL.encode(content).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Cell:
    """One point of the grid. `cell["axis"]` is its value there; `cell.settings` are the preset's numbers."""

    study: Study
    point: Point
    settings: dict[str, Any]

    def __getitem__(self, axis: str) -> Value:
        if axis not in self.point:
            raise UnknownNameError("axis", axis, self.point)
        return self.point[axis]

    def __repr__(self) -> str:
        return f"{self.study.slug}({', '.join(f'{name}={value}' for name, value in self.point.items())})"

    @cached_property
    def id(self) -> str:
        """The cell's file name. Settings count, so that cells of two presets never meet."""
        return digest([self.study.slug, self.study.version, self.point, self.settings])[:20]

    def seed(self, purpose: str) -> int:
        """The seed for `purpose`: by version, replicate and the axes declared for it, never by the id."""
        if purpose not in self.study.seeds:
            raise UnknownNameError("seed purpose", purpose, self.study.seeds)
        axes = [axis for axis in self.study.seeds[purpose] if axis != REPLICATE]
        return seed_of(
            self.study.series, purpose, self.point[REPLICATE], {axis: self.point[axis] for axis in axes}
        )


@dataclass(frozen=True, eq=False)
class Pack:
    """Cells that differ in stacked axes only, measured together. `device` is "cpu" or "cuda"."""

    cells: tuple[Cell, ...]
    device: str = "cpu"

    @property
    def settings(self) -> dict[str, Any]:
        return self.cells[0].settings

    @cached_property
    def id(self) -> str:
        return digest([cell.id for cell in self.cells])[:20]

    @property
    def label(self) -> str:
        """What the cells share, and how many they are, for a progress line."""
        study, point = self.cells[0].study, self.cells[0].point
        shared = [f"{name}={value}" for name, value in point.items() if name not in study.stacked]
        return " ".join(shared) + (f" x{len(self.cells)}" if len(self.cells) > 1 else "")
