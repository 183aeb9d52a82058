"""A study's runner: what a cell costs beside its work, what two workers gain over one, memory over 10,000 cells.

    python -m benchmarks.sweeps

`mibounds run` itself, in a process of its own, on `benchmarks/studies/sweep.py`; one and two workers take turns.

- full: 10,000 cells that cost nothing, in packs of 1, 4, 16 and 64
- alone: 10,000 such cells, each a pack of its own
- working: 40 cells that multiply matrices with one thread, so that a second core has something to do

Overhead is what is left beside the measured seconds: of wall clock times workers, and of the seconds that the cores
were at it, which other processes on the machine hardly lengthen. Both count the start, the tables and the record too.
Writes `results/benchmarks/sweeps.csv`, a row a run. Exit codes: 0 all was measured, 1 a run failed.
"""

from __future__ import annotations

import argparse
import json
import statistics
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
        "cpu_seconds": watched.cpu_seconds,
        "measured_seconds": measured,
        "overhead_ms_a_cell": 1000 * (watched.wall_seconds * workers - measured) / cells,
        "cpu_overhead_ms_a_cell": 1000 * (watched.cpu_seconds - measured) / cells,
        **growth(watched.memory),
        "peak_mib": watched.peak_mib,
        "load": _machine.load(),
    }


def growth(memory: Sequence[Memory]) -> dict[str, float | None]:
    """Medians over the first and the last tenth of the moments with workers at it; None where these are few."""
    tenth = len(memory) // 10
    parts = {"early": memory[:tenth], "late": memory[len(memory) - tenth :]}
    return {
        f"{who}_mib_{when}": statistics.median(getattr(moment, who) for moment in moments) if tenth else None
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
    cpu = spread(rows["cpu_overhead_ms_a_cell"].tolist())
    return (
        f"{wall.median:.2f} ms a cell beside its work ({wall.low:.2f} .. {wall.high:.2f}), "
        f"{cpu.median:.2f} of the cores ({cpu.low:.2f} .. {cpu.high:.2f})"
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
