"""The quick `bound_tightness` beside the same curves by torch-mist's trainer: wall clock on all cores.

    python -m benchmarks.staircase

A curve is a critic trained on one bound over five levels, one after another, and read on new batches after each. Ours
is the whole command `mibounds run`: start-up, the oracle's curves, tables, figure and verdicts are in its time.
torch-mist's curves are dealt out to as many processes as there are cores; it has no plain Donsker-Varadhan bound, in
whose place it trains MINE twice, and it takes each batch's pairs as its negatives, as ours do. Both take turns. Writes
`results/benchmarks/staircase.csv`, a row a repeat and set of curves. Exit code 2: torch-mist cannot be installed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from benchmarks import _environment, _machine, _tables
from benchmarks._timing import spread
from studies.bound_tightness import CLASSIC, JOINT, LEVELS_NATS, STUDY

PINNED = False
TABLE = _tables.path_of("staircase")
PEER = Path(__file__).with_name("_peer_staircase.py")
EVALUATION_BATCHES = 64

# A short quick preset, as a file that `mibounds run` takes.
SHORTER = """from dataclasses import replace
from studies.bound_tightness import STUDY as WHOLE
QUICK = WHOLE.presets["quick"] | {{"steps": {steps}, "curve_block": {steps}}}
STUDY = replace(WHOLE, slug="shorter", presets=dict(WHOLE.presets) | {{"quick": QUICK}})
"""


class Curves(NamedTuple):
    """Which curves are made: ours as the critics of a run, torch-mist's one by one."""

    name: str
    critics: tuple[str, ...]

    @property
    def each(self) -> list[dict[str, str]]:
        separable = [
            {"critic": "separable", "task": task, "bound": bound}
            for task in STUDY.axes["task"]
            for bound in CLASSIC
        ]
        joint = [{"critic": "concatenated", "task": "gaussian", "bound": bound} for bound in JOINT]
        return [curve for curve in (*joint, *separable) if curve["critic"] in self.critics]


SETS = (Curves("separable", ("separable",)), Curves("all", ("separable", "concatenated")))


def rows(sets: Sequence[Curves], steps: int, repeats: int) -> Iterator[dict[str, Any]]:
    """A row a repeat and set of curves, both sides' wall clock in it."""
    cores = len(_machine.cores())
    for curves in sets:
        for repeat in range(repeats):
            ours, theirs = seconds_of_ours(curves, steps, cores), seconds_of_theirs(curves, steps, cores)
            yield {
                "curves": curves.name,
                "n_curves": len(curves.each),
                "steps": steps,
                "processes": cores,
                "threads_a_process": 1,
                "repeat": repeat,
                "mibounds_seconds": ours,
                "torch_mist_seconds": theirs,
                "times_as_fast": theirs / ours,
            }


def seconds_of_ours(curves: Curves, steps: int, cores: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder, "shorter.py")
        study.write_text(SHORTER.format(steps=steps))
        critics = ",".join(("optimal", *curves.critics))
        command = [sys.executable, "-m", "mibounds", "run", str(study), "--preset", "quick"]
        command += ["--set", f"critic={critics}", "--workers", str(cores), "--out", folder]
        return _seconds([command])


def seconds_of_theirs(curves: Curves, steps: int, cores: int) -> float:
    python = str(_environment.python_of(_environment.folder_of("torch_mist")))
    facts = {"levels_nats": LEVELS_NATS, "steps": steps, "evaluation_batches": EVALUATION_BATCHES}
    dealt = [curves.each[k::cores] for k in range(cores)]
    return _seconds([[python, str(PEER), json.dumps(facts | {"curves": hand})] for hand in dealt if hand])


def _seconds(commands: Sequence[Sequence[str]]) -> float:
    """Wall clock of commands that run side by side, a thread each. Raises: SystemExit if one fails."""
    environment = _machine.environment(threads=1) | {"PYTHONPATH": str(_environment.ROOT)}
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        running = [
            subprocess.Popen(command, env=environment, stdout=said, stderr=said) for command in commands
        ]
        codes = [process.wait() for process in running]
        seconds = time.perf_counter() - started
        said.seek(0)
        if any(codes):
            raise SystemExit(f"{commands[0][:4]} failed: {said.read().decode()[-500:]}")
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.staircase", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, help=f"the table (default: {TABLE})")
    parser.add_argument("--repeats", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument(
        "--steps", type=int, default=STUDY.presets["quick"]["steps"], help="a level (default: %(default)s)"
    )
    parser.add_argument(
        "--curves", choices=[curves.name for curves in SETS], help="this set alone, kept only with --out"
    )
    options = parser.parse_args(arguments)
    if why := _environment.why_missing("torch_mist"):
        print(f"staircase: torch-mist cannot be had: {why}", file=sys.stderr)
        return 2
    found = []
    sets = [curves for curves in SETS if options.curves in (None, curves.name)]
    for row in rows(sets, options.steps, options.repeats):
        found.append(row)
        print({k: f"{v:.3g}" if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    table = pd.DataFrame(found)
    for name, of in table.groupby("curves"):
        median, low, high = spread(of["times_as_fast"].tolist())
        print(f"{name}: {median:.2f} times as fast ({low:.2f} .. {high:.2f})")
    if out := options.out or (None if options.curves else TABLE):
        _tables.write(out, table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
