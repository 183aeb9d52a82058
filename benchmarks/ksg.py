"""KSG beside other packages' on 100,000 pairs: seconds, memory, and whether all give one value.

    python -m benchmarks.ksg

1 + 1 and 5 + 5 Gaussian columns, standardised beforehand, since peers differ in what they scale. Each measurement is a
process of its own, and contenders take turns: A B C, A B C. Ours is all that `mibounds.estimate` does, the checks of
the data and the interval included; a peer's is its value. scikit-learn takes one column a side; it and npeet-plus,
NPEET's code on the package index, add noise of 1e-10, so that a value may differ by more than rounding. Ours is set
beside the slow version of the tests on 2,000 pairs. Writes `results/benchmarks/ksg.csv`, a row a contender, size and
number of cores. Exit codes: 0 all values agree, 1 one does not, 2 no peer could be run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import _environment, _tables
from mibounds import files
from mibounds.estimators import estimate
from tests.estimators.neighbour_oracle import ksg as slow

PINNED = False  # it takes one core and all itself
TABLE = _tables.path_of("ksg")
CHILD = Path(__file__).with_name("_ksg_peers.py")
OURS = "mibounds"
PEERS = ("scikit-learn", "npeet-plus")
CORRELATION = 0.6
ROWS_OF_THE_SLOW = 2000
WITH_NOISE_NATS, TO_ROUNDING_NATS = 1e-5, 1e-6


def columns(n: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Correlated column by column, standardised."""
    random = np.random.default_rng(0)
    x = random.normal(size=(n, dim))
    y = CORRELATION * x + np.sqrt(1 - CORRELATION**2) * random.normal(size=(n, dim))
    return (x - x.mean(0)) / x.std(0), (y - y.mean(0)) / y.std(0)


def answer(contender: str, path: Path, cores: int, folder: Path) -> dict[str, Any]:
    """What a process of the contender's own measures; `status` says why it does not."""
    python = sys.executable if contender == OURS else str(_environment.python_of(folder))
    command = [python, str(CHILD), contender, str(path), str(cores)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=_environment.ROOT)
    if done.returncode:
        return {"status": f"failed: {done.stderr.strip().splitlines()[-1]}"}
    return json.loads(done.stdout)


def rows(
    n: int, dim: int, cores: int, repeats: int, folder: Path, missing: str | None
) -> Iterator[dict[str, Any]]:
    """A row a contender."""
    x, y = columns(n, dim)
    contenders = [OURS, *(peer for peer in PEERS if dim == 1 or peer != "scikit-learn")]
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as exchange:
        path = Path(exchange, "columns.npz")
        np.savez(path, x=x, y=y)
        for _ in range(repeats):
            for name in contenders:
                if name == OURS or missing is None:
                    measured[name].append(answer(name, path, cores, folder))
    to_slow = difference_to_slow(x[:ROWS_OF_THE_SLOW], y[:ROWS_OF_THE_SLOW])
    for name in contenders:
        case = {"contender": name, "dim_x": dim, "dim_y": dim, "n": n, "cores": cores}
        yield case | summary(name, measured, to_slow, missing)


def difference_to_slow(x: np.ndarray, y: np.ndarray) -> float:
    return abs(estimate(x, y, method="ksg").nats - slow(x, y, 3, 1))


def summary(
    name: str, measured: dict[str, list[dict[str, Any]]], to_slow: float, missing: str | None
) -> dict[str, Any]:
    """Medians and spread over the repeats, the ratio to ours, and whether the value is the one it should be."""
    found, ours = measured[name], measured[OURS]
    failed = [each["status"] for each in (*found, *ours) if "status" in each]
    if failed or not found:
        return {"status": failed[0] if failed else f"skipped: {missing}"}
    seconds = [each["seconds"] for each in found]
    nats = found[0]["nats"]
    apart, allowed = (
        (to_slow, TO_ROUNDING_NATS) if name == OURS else (abs(nats - ours[0]["nats"]), WITH_NOISE_NATS)
    )
    return {
        "version": found[0]["version"],
        "repeats": len(found),
        "seconds": np.median(seconds),
        "seconds_low": min(seconds),
        "seconds_high": max(seconds),
        "processor_seconds": np.median([each["processor_seconds"] for each in found]),
        "times_ours": np.median([theirs / own["seconds"] for theirs, own in zip(seconds, ours, strict=True)]),
        "peak_mib": max(each["peak_mib"] or np.nan for each in found),
        "nats": nats,
        "difference_nats": apart,
        "beside": f"slow version, {ROWS_OF_THE_SLOW} pairs" if name == OURS else OURS,
        "status": "agrees" if apart <= allowed else "differs",
    }


def exit_code(table: pd.DataFrame) -> int:
    """1 if a value differs or ours failed; 2 if there was no peer."""
    of_peers = table[table["contender"] != OURS]
    if not (of_peers["status"].isin(["agrees", "differs"])).any():
        return 2
    return int((table["status"] == "differs").any() or table["status"].str.startswith("failed").any())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.ksg", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--n", type=int, default=100_000, help="pairs (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, help="the table (default: results/benchmarks/ksg.csv at 100,000 pairs)"
    )
    parser.add_argument(
        "--environment",
        type=Path,
        default=_environment.folder_of("neighbours"),
        help="where the peers are installed (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    missing = _environment.why_missing("neighbours", options.environment)
    all_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    table = pd.DataFrame(
        row
        for dim in (1, 5)
        for cores in dict.fromkeys((1, all_cores))
        for row in rows(options.n, dim, cores, options.repeats, options.environment, missing)
    )
    out = options.out or (TABLE if options.n == 100_000 else None)
    if out:
        files.write_text(out, table.to_csv(index=False, lineterminator="\n", float_format="%.6g"))
    print(table.to_string(index=False, na_rep="-", float_format=lambda value: f"{value:.4g}"))
    if missing:
        print(f"ksg: {', '.join(PEERS)} were skipped: {missing}", file=sys.stderr)
    return exit_code(table)


if __name__ == "__main__":
    sys.exit(main())
