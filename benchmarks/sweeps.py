"""A study's runner: what a cell costs beside its work, what two workers gain over one, memory over 10,000 cells.

    python -m benchmarks.sweeps

`mibounds run` itself, in a process of its own, on `benchmarks/studies/sweep.py`; one and two workers take turns.

- full: 10,000 cells that cost nothing, in packs of 1, 4, 16 and 64
- alone: 10,000 such cells, each a pack of its own
- working: 80 cells that multiply matrices with one thread, so that a second core has something to do

Overhead is what wall clock times workers leaves beside the measured seconds; the start, the tables and the record count
too. `core_ms_a_cell` is all that the cores did, which other processes on the machine hardly lengthen, and `busy` the
share of the workers' time that went into cells.
Writes `results/benchmarks/sweeps.csv`, a row a run. Exit codes: 0 all was measured, 1 a run failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import _machine, _tables
from benchmarks._processes import Memory, watch
from benchmarks._timing import ratio, spread

PINNED = False  # workers need cores
TABLE = _tables.path_of("sweeps")
STUDY = Path(__file__).with_name("studies") / "sweep.py"
PRESETS = ("full", "alone", "working")
WORKERS = (1, 2)


class RunFailed(Exception):
    """`mibounds run` did not end well."""


def row_of(preset: str, workers: int, repeat: int) -> dict[str, Any]:
    """One run in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        run = ("run", STUDY, "--preset", preset, "--workers", workers, "--out", folder, "--device", "cpu")
        command = [sys.executable, "-m", "mibounds", *map(str, run)]
        said = Path(folder, "said.txt")
        watched = watch(command, _machine.environment(threads=1), said)
        if watched.code:
            raise RunFailed(f"{' '.join(command[1:])} ended with {watched.code}: {said.read_text().strip()}")
        record = json.loads(Path(folder, STUDY.stem, "record.json").read_text())
    cells, measured = record["cells"], record["cell_seconds"]
    return {
        "preset": preset,
        "workers": workers,
        "repeat": repeat,
        "cells": cells,
        "wall_seconds": watched.wall_seconds,
        "core_seconds": watched.core_seconds,
        "measured_seconds": measured,
        "overhead_ms_a_cell": 1000 * (watched.wall_seconds * workers - measured) / cells,
        "core_ms_a_cell": 1000 * watched.core_seconds / cells,
        "busy": measured / (watched.wall_seconds * workers),
        **growth(watched.memory),
        "peak_mib": watched.peak_mib,
        "load": _machine.load(),
    }


def growth(memory: Sequence[Memory]) -> dict[str, float | None]:
    """Peaks over the first and the last tenth of the moments with workers at it; None where these are few."""
    tenth = len(memory) // 10
    parts = {"early": memory[:tenth], "late": memory[len(memory) - tenth :]}
    return {
        f"{who}_mib_{when}": max(getattr(moment, who) for moment in moments) if tenth else None
        for who in Memory._fields
        for when, moments in parts.items()
    }


def text_of(table: pd.DataFrame) -> str:
    """A line a preset and number of workers; then how many times as fast two are as one."""
    lines = [
        f"{preset:8} {rows['cells'].iloc[0]:6,} cells, {workers} workers: {_overhead(rows)}{_memory(rows)}"
        for (preset, workers), rows in table.groupby(["preset", "workers"], sort=False)
    ]
    for preset, rows in table.groupby("preset", sort=False):
        wall = rows.pivot(index="repeat", columns="workers", values="wall_seconds")
        gain = ratio(*(wall[workers].tolist() for workers in WORKERS))
        shown = f"{gain.median:.2f} times as fast ({gain.low:.2f} .. {gain.high:.2f})"
        lines.append(f"{preset:8} two workers against one: {shown}")
    return "\n".join(lines)


def _overhead(rows: pd.DataFrame) -> str:
    wall = spread(rows["overhead_ms_a_cell"].tolist())
    return (
        f"{wall.median:.2f} ms a cell beside its work ({wall.low:.2f} .. {wall.high:.2f}); "
        f"of the cores {rows['core_ms_a_cell'].median():.2f} ms in all; busy {rows['busy'].median():.0%}"
    )


def _memory(rows: pd.DataFrame) -> str:
    """Of the runs that were long enough to have tenths."""
    long = rows.dropna(subset="driver_mib_early")
    if long.empty:
        return ""
    median = long.median(numeric_only=True)
    grown = ", ".join(
        f"{who} {median[f'{who}_mib_early']:.0f} to {median[f'{who}_mib_late']:.0f}" for who in Memory._fields
    )
    return f"; MiB from the first to the last tenth: {grown}; at most {median['peak_mib']:.0f}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.sweeps", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    parser.add_argument(
        "--preset", nargs="+", default=PRESETS, help=f"of the study (default: {' '.join(PRESETS)})"
    )
    parser.add_argument("--repeats", type=int, default=3, help="turns (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        rows = [
            row_of(preset, workers, repeat)
            for preset in options.preset
            for repeat in range(options.repeats)
            for workers in WORKERS
        ]
    except RunFailed as error:
        print(f"sweeps: {error}", file=sys.stderr)
        return 1
    _tables.write(options.out, rows)
    print(text_of(pd.DataFrame(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
