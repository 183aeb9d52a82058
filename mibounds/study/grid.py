"""From a study and a preset to cells and packs: a fixed function, whatever is finished already."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mibounds.errors import ParameterError, StudyError, UnknownNameError
from mibounds.study.cell import Cell, Pack
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
    axes = own | {name: _axis_values(study, name, values) for name, values in (overrides or {}).items()}
    own[REPLICATE] = tuple(range(changes["replicates"]))
    axes[REPLICATE] = own[REPLICATE] if replicates is None else tuple(range(replicates))
    settings = {name: changes.get(name, value) for name, value in study.settings.items()}

    points = (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))
    cells = tuple(Cell(study, point, settings) for point in points if study.keep(dict(point)))
    if not cells:
        raise ParameterError(f"study {study.slug!r} keeps no cell of this grid; widen its axes")
    return Grid(study, preset, axes, settings, axes != own, cells, _packs(study, cells))


def parse_overrides(study: Study, texts: Sequence[str]) -> dict[str, Axis]:
    """`["critic=separable", "truth_nats=2,4"]` -> values with the types that the study's axes have."""
    overrides: dict[str, Axis] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not values:
            raise ParameterError(f"expected axis=value,value...; got {text!r}")
        overrides[name] = _axis_values(
            study, name, [_parse(study, name, value) for value in values.split(",")]
        )
    return overrides


def _parse(study: Study, axis: str, text: str) -> Value:
    if axis not in study.axes:
        raise UnknownNameError("axis", axis, study.axes)
    for value in study.axes[axis]:
        if text in (str(value), str(value).lower() if isinstance(value, bool) else ""):
            return value
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _axis_values(study: Study, axis: str, values: Sequence[Value]) -> Axis:
    """The values as the study itself writes them: 2 for 2.0 would be another cell with other seeds."""
    if axis not in study.axes:
        raise UnknownNameError("axis", axis, study.axes)
    declared = study.axes[axis]
    numeric = not any(isinstance(value, (str, bool)) for value in declared)
    whole = all(isinstance(value, int) for value in declared)
    chosen: list[Value] = []
    for value in values:
        same = [own for own in declared if own == value and isinstance(own, bool) == isinstance(value, bool)]
        if same:
            chosen.append(same[0])
        elif not numeric:
            raise UnknownNameError(f"value of axis {axis}", str(value), map(str, declared))
        elif isinstance(value, (str, bool)) or not math.isfinite(value) or (whole and value != int(value)):
            kind = "whole numbers" if whole else "numbers"
            raise ParameterError(f"axis {axis!r} takes {kind} such as {declared[0]}; got {value!r}")
        else:
            chosen.append(int(value) if whole else float(value))
    if not chosen or len(set(chosen)) < len(chosen):
        raise ParameterError(f"axis {axis!r} needs one value or more, each once; got {list(values)}")
    return tuple(chosen)


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
