"""What `mibounds run --plan` would have said of the committed full runs, beside what they took.

    python -m benchmarks.plans

Two predictions of each run that was whole and not resumed: from all its cells, which tests how packs are laid on
workers, and from those of a random half of its packs, which tests the guess for packs that were never measured.
Nothing is measured here. Writes `results/benchmarks/plans.csv`, a row a study. Exit code: 0.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import _tables
from mibounds.study import Grid, Plan, find, load, make_grid, plan, record, tables
from mibounds.study.planning import Known, known_of
from mibounds.study.study import REPLICATE

PINNED = False  # arithmetic on tables
TABLE = _tables.path_of("plans")
RESULTS = Path(__file__).parents[1] / "results"
HALVES = 5


def whole_runs() -> Iterator[tuple[Grid, Path, dict[str, Any]]]:
    """Grids, folders and records of the full runs that one session measured from the first cell to the last."""
    for name in find.names():
        told = record.read(RESULTS / name)
        if told is not None and told["resumed_cells"] == 0 and told["version"] == load(name).version:
            yield make_grid(load(name)), RESULTS / name, told


def from_half(grid: Grid, folder: Path, seed: int) -> tuple[float, ...]:
    """Seconds of all packs, from the cells of half of them."""
    axes = [*grid.study.axes, REPLICATE]
    rows = tables.read(folder, ["table.csv"])["table"].drop_duplicates(axes)
    points = rows[axes].itertuples(index=False, name=None)
    seconds = dict(zip(points, rows["seconds"].tolist(), strict=True))
    half = random.Random(seed).sample(grid.packs, max(1, len(grid.packs) // 2))
    cells = [
        (cell.point, seconds[tuple(cell.point[axis] for axis in axes)])
        for pack in half
        for cell in pack.cells
    ]
    known = known_of(grid.study, "half", cells, grid.settings, None, 0.0)
    assert isinstance(known, Known)
    return tuple(known.of(grid.packs))


def row_of(grid: Grid, folder: Path, told: dict[str, Any]) -> dict[str, Any]:
    workers, took = told["workers"], told["wall_seconds"]
    all_known = plan(grid, folder, folder)
    halves = [Plan(0, 0, 0, 0, from_half(grid, folder, seed), 0, None, {}) for seed in range(HALVES)]
    errors = [half.wall_seconds(workers) / took - 1 for half in halves]
    return {
        "study": grid.study.slug,
        "cells": len(grid.cells),
        "packs": len(grid.packs),
        "workers": workers,
        "took_seconds": took,
        "predicted_seconds": all_known.wall_seconds(workers),
        "error": all_known.wall_seconds(workers) / took - 1,
        "half_error_median": sorted(errors)[len(errors) // 2],
        "half_error_worst": max(errors, key=abs),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.plans", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    options = parser.parse_args(arguments)
    rows = [row_of(*run) for run in whole_runs()]
    _tables.write(options.out, rows)
    for row in rows:
        print(
            f"{row['study']:24} took {row['took_seconds']:6.0f} s, predicted {row['predicted_seconds']:6.0f} s "
            f"({row['error']:+.1%}); from half of its packs {row['half_error_median']:+.0%}, "
            f"worst of {HALVES} {row['half_error_worst']:+.0%}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
