"""Faults at random moments, on the local engine or Ray: is a finished cell ever lost, twice in the table, or another?

    python -m benchmarks.faults [--fault NAME] [--engine local|ray] [--repeats 20]

A cheap study of 96 cells runs in a process of its own, as `mibounds run` would; it is disturbed when some random number
of cells is finished, or in a random cell. Then the same run is started again until it ends well. Held against what was
there before: every finished cell's file is unchanged, no cell is twice in the table, the table is that of an
undisturbed run, `mibounds check` is content. `results/reliability/faults.csv` gets a row a trial, the table of the
benchmark a row a fault. A full disk and a read-only folder need root, to mount them. Ray's are three node processes on
127.0.0.1: a head that measures nothing, and two nodes of a core.
Exit codes: 0, 1 if anything was lost or differs.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import _tables
from benchmarks._disturbances import FAULTS, NEED_MOUNTS, NEED_NODES, can_mount
from benchmarks._trial import Trial, outcome
from mibounds import study
from mibounds.seeding import seed_of

PINNED = False  # processes that wait for each other
TABLE = _tables.path_of("faults")
TRIALS = _tables.RESULTS.parent / "reliability" / "faults.csv"
WORKERS = 2
ENGINES = ("local", "ray")
GOOD = {"lost": 0, "doubled": 0, "ended_well": True, "table_equal": True, "check_is_clean": True}


def trials(fault: str, engine: str, repeats: int, nodes: Any) -> Iterator[dict[str, Any]]:
    options = {"workers": WORKERS} if nodes is None else {"address": nodes.address}
    for repeat in range(repeats):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            moment = random.Random(seed_of(fault, engine, repeat))
            trial = Trial(Path(folder), engine, options, moment, nodes)
            try:
                row = outcome(trial, FAULTS[fault], undisturbed())
            finally:
                trial.end()
        yield {"fault": fault, "engine": engine, "repeat": repeat} | row


@cache
def undisturbed() -> pd.DataFrame:
    """The table of a run in which nothing happens."""
    with tempfile.TemporaryDirectory() as folder:
        calm = Trial(Path(folder), "local", {}, random.Random(0))
        results = study.run(calm.study, out=calm.out, workers=WORKERS, device="cpu")
        return results.table.drop(columns="seconds")


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a fault and an engine: how often what held."""
    by_fault = rows.groupby(["fault", "engine"], sort=False)
    return by_fault.agg(
        trials=("repeat", "size"),
        cells=("cells", "first"),
        cells_at_fault_low=("cells_at_fault", "min"),
        cells_at_fault_high=("cells_at_fault", "max"),
        needed_no_second_run=("runs_to_the_end", lambda runs: int((runs == 1).sum())),
        runs_to_the_end_most=("runs_to_the_end", "max"),
        cells_kept=("cells_after_fault", "sum"),
        cells_lost=("lost", "sum"),
        cells_doubled=("doubled", "sum"),
        ended_well=("ended_well", "sum"),
        tables_equal=("table_equal", "sum"),
        checks_clean=("check_is_clean", "sum"),
    ).reset_index()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.faults", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    parser.add_argument("--trials", type=Path, default=TRIALS, help="a row a trial (default: %(default)s)")
    parser.add_argument("--fault", action="append", choices=FAULTS, help="by default all")
    parser.add_argument("--engine", choices=ENGINES, default="local")
    parser.add_argument("--repeats", type=int, default=20, help="trials a fault (default: %(default)s)")
    options = parser.parse_args(arguments)

    rows: list[dict[str, Any]] = []
    with cluster_of(options.engine) as nodes:
        for fault in possible(options.fault or list(FAULTS), options.engine):
            of_fault = []
            for row in trials(fault, options.engine, options.repeats, nodes):
                of_fault.append(row)
                _keep(options.trials, rows + of_fault, options.engine)
            bad = sum(any(row[name] != good for name, good in GOOD.items()) for row in of_fault)
            print(
                f"{fault:18} {options.engine}: {len(of_fault)} trials, {bad} not as they must be", flush=True
            )
            rows += of_fault
    kept = pd.read_csv(options.trials)
    _tables.write(options.out, summary(kept))
    return int(any(row[name] != good for row in rows for name, good in GOOD.items()))


@contextmanager
def cluster_of(engine: str) -> Iterator[Any]:
    if engine == "local":
        yield None
        return
    from benchmarks._nodes import nodes

    with nodes() as there:
        yield there


def possible(faults: Sequence[str], engine: str) -> list[str]:
    """Those that can be made here, and what is left out said."""
    left_out = set() if engine == "ray" else NEED_NODES & {*faults}
    with tempfile.TemporaryDirectory() as folder:
        if not can_mount(Path(folder)):
            left_out |= NEED_MOUNTS & {*faults}
    if left_out:
        print(f"left out, for want of a cluster or of the right to mount: {', '.join(sorted(left_out))}")
    return [fault for fault in faults if fault not in left_out]


def _keep(path: Path, rows: Sequence[dict[str, Any]], engine: str) -> None:
    """Replace this engine's trials of these faults; others stay."""
    new = pd.DataFrame(rows)
    old = pd.read_csv(path) if path.is_file() else new.iloc[:0]
    others = old[~((old["engine"] == engine) & old["fault"].isin(new["fault"]))]
    _tables.write(path, pd.concat([others, new]) if len(others) else new)


if __name__ == "__main__":
    sys.exit(main())
