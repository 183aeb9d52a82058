"""Thousands of short packs through one local run: do memory, file handles or the time of a cell grow?

    python -m benchmarks.soak [--packs 8000]

A driver and two workers, looked at from outside every two seconds through /proc. The first tenth of the run is left
out, in which everything is loaded; the first and the last third of what remains are compared. Times of cells are those
that their files tell, in the order in which they were finished, and core seconds of all processes between looks, which
other users of the machine hardly lengthen. `results/reliability/soak.csv` gets the looks, the
table of the benchmark a row for driver, workers and cells. Needs /proc. Exit codes: 0, 2 where there is no /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import _machine, _tables
from benchmarks._disturbances import children
from mibounds.study.store import Store

PINNED = False
TABLE = _tables.path_of("soak")
LOOKS = _tables.RESULTS.parent / "reliability" / "soak.csv"
SOURCE = Path(__file__).with_name("_soaking.py")
EVERY_SECONDS = 2.0
WARM_UP = 0.1
NOTHING_MEASURED = 2
DRIVER = """
import sys
from mibounds import study
packs = range(int(sys.argv[3]))
study.run(study.load(sys.argv[1]), out=sys.argv[2], overrides={"part": packs}, device="cpu", workers=2)
"""


def look(process: int) -> dict[str, float] | None:
    """MiB of resident memory, open file handles, threads and core seconds of a process; None if it is gone."""
    place = Path(f"/proc/{process}")
    try:
        lines = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        handles = len(list((place / "fd").iterdir()))
        used = (place / "stat").read_text().rpartition(")")[2].split()[11:13]
        return {
            "core_seconds": sum(map(int, used)) / os.sysconf("SC_CLK_TCK"),
            "resident_mib": int(lines["VmRSS"].split()[0]) / 1024,
            "handles": handles,
            "threads": int(lines["Threads"]),
        }
    except (OSError, KeyError):
        return None


def watched(folder: Path, packs: int) -> pd.DataFrame:
    """A row a look and a process, until all cells are there."""
    command = [sys.executable, "-c", DRIVER, str(SOURCE), str(folder), str(packs)]
    driver = subprocess.Popen(command, cwd=SOURCE.parents[1], env=_machine.environment(threads=1))
    rows: list[dict[str, Any]] = []
    started = time.monotonic()
    while driver.poll() is None:
        time.sleep(EVERY_SECONDS)
        done, workers = len(Store(folder).present()), sorted(children(driver.pid))
        if done == 4 * packs or not workers:
            continue  # the table is being put together, which takes memory of its own
        roles = {driver.pid: "driver"} | {pid: f"worker {place + 1}" for place, pid in enumerate(workers)}
        for pid, role in roles.items():
            if seen := look(pid):
                rows.append({"seconds": time.monotonic() - started, "cells": done, "process": role} | seen)
    if driver.returncode:
        raise RuntimeError(f"the run ended with exit code {driver.returncode}")
    return pd.DataFrame(rows)


def cell_times(folder: Path) -> pd.Series:
    """Milliseconds of each cell, in the order in which they were finished."""
    paths = sorted((folder / "cells").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return pd.Series([1000 * json.loads(path.read_text())["seconds"] for path in paths])


def thirds(values: pd.Series) -> tuple[float, float]:
    """Medians of the first and the last third, without the warm-up."""
    warm = values.iloc[int(WARM_UP * len(values)) :]
    third = max(1, len(warm) // 3)
    return float(warm.iloc[:third].median()), float(warm.iloc[-third:].median())


def core_milliseconds(looks: pd.DataFrame) -> pd.Series:
    """Of all processes for each cell, between one look and the next: what others do on the machine hardly counts."""
    every = looks.groupby("cells")["core_seconds"].sum()
    steps = every.diff() / every.index.to_series().diff()
    return 1000 * steps[steps >= 0].reset_index(
        drop=True
    )  # a process that was not there yet has no difference


def compared(looks: pd.DataFrame, milliseconds: pd.Series, packs: int) -> list[dict[str, Any]]:
    quantities = {
        (process, name): of_process[name]
        for process, of_process in looks.groupby("process")
        for name in ("resident_mib", "handles", "threads")
    } | {("cells", "milliseconds"): milliseconds, ("cells", "core_milliseconds"): core_milliseconds(looks)}
    rows = []
    for (process, name), values in quantities.items():
        first, last = thirds(values.reset_index(drop=True))
        ends = {"first_third": first, "last_third": last, "growth": last - first, "ratio": last / first}
        counts = {"packs": packs, "cells": len(milliseconds), "seconds": looks["seconds"].max()}
        rows.append({"process": process, "quantity": name} | ends | counts)
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.soak", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    parser.add_argument("--looks", type=Path, default=LOOKS, help="each look (default: %(default)s)")
    parser.add_argument("--packs", type=int, default=8_000, help="of four cells (default: %(default)s)")
    options = parser.parse_args(arguments)
    if not Path("/proc/self/status").exists():
        print("there is no /proc here to look through", file=sys.stderr)
        return NOTHING_MEASURED
    with tempfile.TemporaryDirectory() as folder:
        looks = watched(Path(folder), options.packs)
        rows = compared(looks, cell_times(Path(folder)), options.packs)
    thin = looks[looks["seconds"].rank(method="dense") % max(1, len(looks) // 300) == 0].round(2)
    _tables.write(options.looks, thin)
    _tables.write(options.out, rows)
    print(pd.DataFrame(rows).round(3).to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
