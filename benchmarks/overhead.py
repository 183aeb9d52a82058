"""What each engine takes a cell of 10,000 that cost nothing, and whether its table is the serial one.

    python -m benchmarks.overhead

`mibounds run` itself, in a process of its own, on `benchmarks/studies/sweep.py`: cells in packs of 1, 4, 16 and 64, by
the local engine with one worker (serial), by all its workers, by a Ray that is started for it, and by jobs of submitit
on this machine. The start, which does not grow with the grid, is measured on 12 cells and taken off: `ms_a_cell` is
what wall clock a cell adds. Memory: the largest of the runner's process in the first
tenth of the measuring and in the last but one; after that, cells are gathered and tables made.
Writes `results/benchmarks/overhead.csv`, a row an engine. Exit codes: 0 all tables are equal, 1 one is not, or a run
failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from benchmarks import _machine, _tables
from benchmarks._processes import watch
from benchmarks.sweeps import STUDY, RunFailed, growth
from mibounds import study

PINNED = False  # workers need cores
TABLE = _tables.path_of("overhead")
N_REPLICATES = 2500  # four packs' widths each
TO_START = 3


class Contender(NamedTuple):
    """An engine by its options, and the package that it needs."""

    options: tuple[str, ...]
    needs: str | None = None


CONTENDERS = {
    "serial": Contender(("--workers", "1")),
    "local": Contender(()),
    "ray": Contender(("--engine", "ray"), "ray"),
    "slurm (local)": Contender(("--engine", "slurm", "--cluster", "local"), "submitit"),
}


class Ran(NamedTuple):
    """What one run left: its clock, its record, its table, memory over time."""

    wall_seconds: float
    core_seconds: float
    record: dict[str, Any]
    table: pd.DataFrame
    memory: dict[str, float | None]
    peak_mib: float


def run(contender: Contender, replicates: int) -> Ran:
    """In an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        grid = ("run", STUDY, "--replicates", replicates, "--out", folder, "--device", "cpu")
        command = [sys.executable, "-m", "mibounds", *map(str, grid), *contender.options]
        said = Path(folder, "said.txt")
        watched = watch(command, _machine.environment(threads=1), said)
        if watched.code:
            raise RunFailed(f"{' '.join(command[1:])} ended with {watched.code}: {said.read_text().strip()}")
        record, tables = study.read_results(Path(folder, STUDY.stem))
        table = tables["table"].drop(columns="seconds")
        measuring = int(0.9 * len(watched.memory) * min(1.0, record["wall_seconds"] / watched.wall_seconds))
        memory = growth(watched.memory[:measuring])
        return Ran(watched.wall_seconds, watched.core_seconds, record, table, memory, watched.peak_mib)


def rows(replicates: int, repeats: int, names: Sequence[str]) -> list[dict[str, Any]]:
    """A row an engine; the first is the serial one, with which the others are compared."""
    found, serial = [], None
    for name in names:
        small, large = (
            min((run(CONTENDERS[name], n) for _ in range(repeats)), key=lambda ran: ran.wall_seconds)
            for n in (TO_START, replicates)
        )
        serial = large.table if serial is None else serial
        more = large.record["cells"] - small.record["cells"]
        found.append(
            {
                "engine": name,
                "workers": large.record["workers"],
                "cells": large.record["cells"],
                "same_table": large.table.equals(serial),
                "start_seconds": small.wall_seconds,
                "wall_seconds": large.wall_seconds,
                "measured_seconds": large.record["cell_seconds"],
                "ms_a_cell": 1000 * (large.wall_seconds - small.wall_seconds) / more,
                **{name: value for name, value in large.memory.items() if name.startswith("driver")},
                "peak_mib": large.peak_mib,
                "load": _machine.load(),
            }
        )
        print(json.dumps(found[-1]), flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.overhead", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    parser.add_argument("--replicates", type=int, default=N_REPLICATES, help="(default: %(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=1, help="of which the fastest counts (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    here = [name for name, one in CONTENDERS.items() if one.needs is None or find_spec(one.needs)]
    try:
        found = rows(options.replicates, options.repeats, here)
    except RunFailed as error:
        print(f"overhead: {error}", file=sys.stderr)
        return 1
    _tables.write(options.out, found)
    return 0 if all(row["same_table"] for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
