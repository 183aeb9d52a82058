"""The suite's published tasks beside benchmark-mi's own: the same truths, and samples of the same law.

    python -m benchmarks.suite_peers

Draws each task here and, in an environment of its own, from benchmark-mi, and compares every column's quantiles and
moments, every two columns' correlation and that of their squares (of x, of y and across), and the energy distance of
all of them together. `largest` is the largest difference in standard errors, `allowed` what as many differences of
equal laws pass once in a thousand tasks; the energy distance, whose shuffled values have a longer tail, may reach 6.
Writes `results/benchmarks/suite_peers.csv`, a row a task. Exit codes: 0 all agree, 1 one does not, 2 there was no peer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from benchmarks import _environment, _tables, _two_samples
from mibounds import files, suite

PINNED = False  # nothing here is timed
CHILD = Path(__file__).with_name("_suite_peer.py")
TABLE = _tables.path_of("suite_peers")
N = 30_000
SEED, SEED_OF_PEER = 0, 1
OF_EQUAL_LAWS = 1e-3
DISTANCE_ALLOWED, TRUTH_ALLOWED_NATS = 6.0, 1e-6


def drawn_by_peer(exchange: str, n: int, folder: Path) -> dict[str, Any]:
    """Has benchmark-mi write its samples into `exchange`. Raises: RuntimeError with its last words."""
    command = [str(_environment.python_of(folder)), str(CHILD), exchange, str(n), str(SEED_OF_PEER)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=_environment.ROOT)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout)


def rows(exchange: str, n: int) -> Iterator[dict[str, Any]]:
    """A row a task."""
    for name in suite.names("published"):
        with np.load(Path(exchange, f"{name}.npz")) as held:
            theirs, their_truth = np.hstack([held["x"], held["y"]]), float(held["truth_nats"])
        law = suite.task(name)
        ours = np.hstack([side.numpy() for side in law.sample(n, SEED)])
        yield {"task": name, "n": n} | compared(law.mutual_information, their_truth, ours, theirs)


def compared(truth: float, their_truth: float, ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    """Truths, the largest difference of each kind, and whether all are as of equal laws."""
    found = _two_samples.differences(ours, theirs, SEED)
    largest = {kind: float(np.abs(values).max()) for kind, values in found.items() if values.size}
    distance = largest.pop("distance")
    n_differences = sum(found[kind].size for kind in largest)
    allowed = float(norm.isf(OF_EQUAL_LAWS / n_differences / 2))
    agrees = (
        abs(truth - their_truth) <= TRUTH_ALLOWED_NATS
        and max(largest.values()) <= allowed
        and distance <= DISTANCE_ALLOWED
    )
    return {
        "truth_nats": truth,
        "their_truth_nats": their_truth,
        **largest,
        "differences": n_differences,
        "largest": max(largest.values()),
        "allowed": allowed,
        "distance": distance,
        "status": "agrees" if agrees else "differs",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.suite_peers", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--n", type=int, default=N, help="pairs a task and side (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, help=f"the table (default: results/benchmarks/suite_peers.csv at {N:,})"
    )
    parser.add_argument(
        "--environment",
        type=Path,
        default=_environment.folder_of("benchmark_mi"),
        help="where the peer is installed (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    if missing := _environment.why_missing("benchmark_mi", options.environment):
        print(f"suite_peers: benchmark-mi was skipped: {missing}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as exchange:
        try:
            peer = drawn_by_peer(exchange, options.n, options.environment)
        except RuntimeError as error:
            print(f"suite_peers: benchmark-mi failed: {error}", file=sys.stderr)
            return 2
        table = pd.DataFrame(rows(exchange, options.n)).assign(version=peer["version"])
    if out := options.out or (TABLE if options.n == N else None):
        files.write_text(out, table.to_csv(index=False, lineterminator="\n", float_format="%.6g"))
    print(table.to_string(index=False, na_rep="-", float_format=lambda value: f"{value:.4g}"))
    return int(bool((table["status"] != "agrees").any() or set(peer["tasks"]) != set(table["task"])))


if __name__ == "__main__":
    sys.exit(main())
