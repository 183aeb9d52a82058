"""Spoilt input by the thousand: study files, axis values, command lines, tables, cells, results.

    python -m benchmarks fuzz [--cases N] [--seed S]
    python -m benchmarks.fuzz --out FILE [--cases N] [--seed S] [--targets tables,cells] [--verbose]

A case ends well if it succeeds, or is refused by a named error: on the command line exit code 1 or 2 and one line on
standard error. Everything else is a fault: a foreign exception, a traceback, a leaked warning, a case that hangs, a
spoilt cell that is taken for sound. The seed makes the cases. Writes `results/reliability/fuzz.csv`: target, cases,
clear errors, successes, faults, seed. Exit codes: 0 no fault, 1 at least one, printed with the seed that makes it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import _tables
from benchmarks._fuzz_targets import CLEAR, SUCCESS, TARGETS

PINNED = False  # outcomes, no times: once is enough
KEPT = "reliability"
TABLE = _tables.path_of("fuzz", KEPT)
SHOWN = 40
FRESH = 200  # cases, after which a folder is begun anew


def outcomes(target: str, seeds: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Each seed, and what its case came to."""
    folder = Path(tempfile.mkdtemp())
    try:
        for i, seed in enumerate(seeds):
            if i % FRESH == FRESH - 1:
                shutil.rmtree(folder, ignore_errors=True)
                folder = Path(tempfile.mkdtemp())
            yield seed, TARGETS[target](folder, seed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def counted(target: str, cases: int, seed: int) -> dict[str, Any]:
    """A row of the table; faults are printed as they come."""
    counts, faults = {SUCCESS: 0, CLEAR: 0}, 0
    for own, outcome in outcomes(target, range(seed * 1_000_000, seed * 1_000_000 + cases)):
        if outcome in counts:
            counts[outcome] += 1
            continue
        faults += 1
        if faults <= SHOWN:
            print(f"{target} {own}: {outcome}", flush=True)
    return {
        "target": target,
        "cases": cases,
        "clear_errors": counts[CLEAR],
        "successes": counts[SUCCESS],
        "faults": faults,
        "seed": seed,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.fuzz", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE)
    parser.add_argument("--cases", type=int, default=1000, help="of each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", default=",".join(TARGETS), help="which of them, joined by commas")
    options = parser.parse_args(arguments)
    rows = [counted(target, options.cases, options.seed) for target in options.targets.split(",")]
    _tables.write(options.out, rows)
    for row in rows:
        print(", ".join(f"{name} {value}" for name, value in row.items()))
    return int(any(row["faults"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
