"""From a study and a preset to cells and packs: a fixed function, whatever is finished already."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mibounds.errors import ParameterError, StudyError, UnknownNameError
from mibounds.study.cell import Cell, Pack, digest
from mibounds.study.overrides import axis_values
from mibounds.study.study import REPLICATE, Axis, Study, Value


@dataclass(frozen=True, eq=False)
class Grid:
    """Every cell of a study under a preset, in grid order, and the packs that they form.

    Attributes:
        altered: whether axes or replicates differ from the preset's own.
    """

    study: Study
    preset: str
    axes: dict[str, Axis]
    settings: dict[str, Any]
    altered: bool
    cells: tuple[Cell, ...]
    packs: tuple[Pack, ...]

    @cached_property
    def sha256(self) -> str:
        """Of its cells' ids: which grid it is."""
        return digest([cell.id for cell in self.cells])


def make_grid(
    study: Study,
    preset: str = "full",
    overrides: Mapping[str, Sequence[Value]] | None = None,
    replicates: int | None = None,
) -> Grid:
    """The grid of `preset`, with the values of `overrides` on their axes and another number of replicates."""
    if preset not in study.presets:
        raise UnknownNameError("preset", preset, study.presets)
    if replicates is not None and replicates < 1:
        raise ParameterError(f"replicates must be at least 1; got {replicates}")
    changes = study.presets[preset]
    own = {name: tuple(changes.get(name, values)) for name, values in study.axes.items()}
    axes = own | {name: axis_values(study, name, values) for name, values in (overrides or {}).items()}
    own[REPLICATE] = tuple(range(changes["replicates"]))
    axes[REPLICATE] = own[REPLICATE] if replicates is None else tuple(range(replicates))
    settings = {name: changes.get(name, value) for name, value in study.settings.items()}

    points = (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))
    cells = tuple(Cell(study, point, settings) for point in points if study.keep(dict(point)))
    if not cells:
        raise ParameterError(f"study {study.slug!r} keeps no cell of this grid; widen its axes")
    return Grid(study, preset, axes, settings, axes != own, cells, _packs(study, cells))


def _packs(study: Study, cells: Sequence[Cell]) -> tuple[Pack, ...]:
    groups: dict[tuple[Value, ...], list[Cell]] = {}
    for cell in cells:
        shared = tuple(value for axis, value in cell.point.items() if axis not in study.stacked)
        groups.setdefault(shared, []).append(cell)
    packs: list[Pack] = []
    for group in groups.values():
        width = _width(study, group[0])
        packs += [Pack(tuple(group[start : start + width])) for start in range(0, len(group), width)]
    return tuple(packs)


def _width(study: Study, cell: Cell) -> int:
    width = study.width(dict(cell.point)) if callable(study.width) else study.width
    if not isinstance(width, int) or width < 1:
        raise StudyError(f"study {study.slug!r}: width must be a whole number, at least 1; got {width!r}")
    return width
