"""A grid of a million cells on a cluster whose nodes fail, in simulated time: what the driver needs, what is lost.

    python -m benchmarks.schedule [--cells 100000] [--full]

Grid, packs, groups, retries, cell files, tables and record are the real code, in one process; only the measuring is
replaced by the time that it would take (lognormal, 40 s a cell in the median, growing with the number of candidates)
and the nodes by ones that fail at stated rates. 64 nodes of 16 slots. A run whose packs failed is started again, as a
user would. `--full` adds the grid of a million cells. Files lie in memory where there is /dev/shm, and seconds are the
processor's, so that neither a disk nor other users count. Writes `results/benchmarks/schedule.csv`, a row a rate. Exit
codes: 0, 1 if a cell was lost or is twice in the table.
"""

from __future__ import annotations

import argparse
import io
import math
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

from rich.console import Console

from benchmarks import _tables
from benchmarks._cluster import SimulatedCluster
from mibounds import study
from mibounds.study import peak

PINNED = False
TABLE = _tables.path_of("schedule")
SOURCE = Path(__file__).with_name("_million.py")
NODES, SLOTS = 64, 16
NORMAL = NormalDist()
MEAN_HOURS: tuple[float | None, ...] = (None, 24.0, 6.0, 1.0)
RUNS_AT_MOST = 20
MILLION = 1_000_000


def seconds_of(point: Mapping[str, Any]) -> float:
    """Of a cell: the same whenever it is asked."""
    uniform = (hash((point["part"], point["replicate"], point["dim"])) % 9973 + 0.5) / 9973
    spread = 0.3 * NORMAL.inv_cdf(uniform)
    return 40.0 * math.exp(spread) * (1 + point["n_negatives"] / 1024) / 1.2


def simulated(cells: int, mean_hours: float | None) -> dict[str, Any]:
    """One study from its first cell to its table, and what that took."""
    peak.forget()
    loaded = study.load(SOURCE)
    parts = range(cells // 1000)
    cluster = SimulatedCluster(loaded, NODES, SLOTS, mean_hours, seconds_of)
    said, runs, started = io.StringIO(), 0, time.process_time()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        while runs < RUNS_AT_MOST:
            runs += 1
            try:
                results = study.run(
                    loaded,
                    out=folder,
                    overrides={"part": parts},
                    engine=cluster,
                    device="cpu",
                    console=Console(file=said),
                )
            except study.RunFailed:
                continue
            break
        seconds = time.process_time() - started
        account, table = cluster.account, results.table
        keys = ["part", "n_negatives", "dim", "replicate"]
        return {
            "cells": cells,
            "packs": cells // 10,
            "slots": cluster.slots,
            "mean_hours_to_failure": math.inf if mean_hours is None else mean_hours,
            "node_failures": account.node_failures,
            "groups_sent": account.groups,
            "packs_lost_on_the_way": account.packs_lost,
            "packs_failed_after_retries": account.failed,
            "runs": runs,
            "ideal_hours": account.worked / cluster.slots / 3600,
            "simulated_hours": account.clock / 3600,
            "wasted_share": account.wasted / (account.worked + account.wasted),
            "cells_in_table": len(table),
            "cells_doubled": int(table.duplicated(keys).sum()),
            "driver_core_seconds": seconds - account.writing_seconds,
            "writing_core_seconds": account.writing_seconds,
            "driver_peak_mib": peak.mib(),
        }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.schedule", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    parser.add_argument(
        "--cells", type=int, default=100_000, help="a multiple of 1000 (default: %(default)s)"
    )
    parser.add_argument(
        "--full", action="store_true", help="a million cells too, nodes failing every 24 hours"
    )
    options = parser.parse_args(arguments)
    cases = [(MILLION, 24.0)] * options.full + [(options.cells, hours) for hours in MEAN_HOURS]
    rows = []
    for cells, hours in cases:
        rows.append(simulated(cells, hours))
        _tables.write(options.out, rows)
        print({name: round(value, 3) for name, value in rows[-1].items()}, flush=True)
    return int(any(row["cells_doubled"] or row["cells_in_table"] != row["cells"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
