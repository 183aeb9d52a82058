"""The Slurm engine on a real Slurm: arrays, requeue after time-out and preemption, lost jobs, Ctrl-C, limits.

    python -m benchmarks.slurm

A Slurm of one node is started in a temporary folder (root; on Debian slurm-wlm and munge), and `mibounds run --engine
slurm` goes through what can happen to it, each time in a folder of its own and compared with the local engine's table:

- array: 22 packs of several widths as one array
- time-out: a group that takes longer than a job may, which is queued anew by itself
- preemption: a job of a partition with priority takes the node meanwhile
- lost: the job is cancelled behind the runner's back
- Ctrl-C: jobs are cancelled, finished cells stay, the same command goes on
- limit: a pack that hangs is failed at its limit, the others are finished
- hanging: without one, at the end of its job's time

Writes `results/benchmarks/slurm.csv`, a row for each. Exit codes: 0 all held, 1 something did not, 2 there is no Slurm.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import _slurm_node, _tables
from mibounds import study

PINNED = False
TABLE = _tables.path_of("slurm")
STUDIES = Path(__file__).with_name("studies")
PATIENCE_SECONDS = 420.0
Meddle = Callable[[subprocess.Popen[str], Path], None]


def command(name: str, preset: str, out: Path, *options: str) -> list[str]:
    run = ("run", str(STUDIES / f"{name}.py"), "--preset", preset, "--out", str(out), "--device", "cpu")
    return [sys.executable, "-m", "mibounds", *run, *options]


def jobs() -> list[str]:
    answer = subprocess.run(
        ["squeue", "-h", "-r", "-o", "%i %T %j"], capture_output=True, text=True, check=True
    )
    return [line for line in answer.stdout.splitlines() if "mibounds" in line]


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline or (process and process.poll() is not None):
            raise RuntimeError("waited in vain")
        time.sleep(0.2)


def cells(out: Path) -> int:
    return len(list(out.glob("*/cells/*.json")))


def leave(process: subprocess.Popen[str], out: Path) -> None:
    """Nothing is done to it."""


def preempt(process: subprocess.Popen[str], out: Path) -> None:
    wait_until(lambda: cells(out) >= 2, process)
    urgent = ["sbatch", "-p", "urgent", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 3"]
    subprocess.run(urgent, check=True, capture_output=True)


def cancel_behind(process: subprocess.Popen[str], out: Path) -> None:
    wait_until(lambda: cells(out) >= 2, process)
    subprocess.run(["scancel", "--name", "mibounds"], check=True)


def stop_and_go_on(process: subprocess.Popen[str], out: Path) -> None:
    wait_until(lambda: cells(out) >= 2, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_SECONDS)
    wait_until(lambda: not jobs())
    if process.returncode != 130 or cells(out) < 2:
        raise RuntimeError(f"Ctrl-C gave exit code {process.returncode} and left {cells(out)} cells")


# name: study, preset, options, what happens meanwhile, exit code, runs that it takes
SCENES: dict[str, tuple[str, str, tuple[str, ...], Meddle, int, int]] = {
    "array": ("sweep", "tiny", ("--replicates", "16"), leave, 0, 1),
    "time-out": ("patient", "full", ("--jobs", "1", "--minutes", "1"), leave, 0, 1),
    "preemption": ("patient", "short", ("--jobs", "1"), preempt, 0, 1),
    "lost": ("patient", "short", ("--jobs", "1"), cancel_behind, 0, 1),
    "Ctrl-C": ("patient", "short", ("--jobs", "1"), stop_and_go_on, 0, 2),
    "limit": ("patient", "hanging", ("--jobs", "1", "--limit", "0.1"), leave, 1, 1),
    "hanging": ("patient", "hanging", ("--jobs", "1", "--minutes", "1"), leave, 1, 1),
}


def row_of(scene: str) -> dict[str, Any]:
    """What came of one of them."""
    name, preset, options, meddle, code, runs = SCENES[scene]
    with tempfile.TemporaryDirectory() as folder:
        out, local, started = Path(folder, "slurm"), Path(folder, "local"), time.perf_counter()
        for turn in range(runs):
            process = subprocess.Popen(
                command(name, preset, out, "--engine", "slurm", *options),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            if turn == 0:
                meddle(process, out)
            if turn == runs - 1:
                said = process.communicate(timeout=PATIENCE_SECONDS)[1]
        seconds = time.perf_counter() - started
        row = {
            "scene": scene,
            "seconds": seconds,
            "cells": cells(out),
            "exit_code": process.returncode,
            "jobs_left": len(jobs()),
        }
        if process.returncode != code or code:
            return row | {"holds": process.returncode == code, "said": said.strip().split("\n")[-1].strip()}
        grid = options if name == "sweep" else ()
        subprocess.run(command(name, preset, local, *grid), check=True, capture_output=True, env=os.environ)
        tables = [study.read_results(at / name)[1] for at in (out, local)]
        same = tables[0]["table"].drop(columns="seconds").equals(tables[1]["table"].drop(columns="seconds"))
        restarts = int(tables[0]["job"]["restarts"].max()) if "job" in tables[0] else 0
        return row | {"holds": same and not jobs(), "restarts": restarts, "said": ""}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.slurm", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    parser.add_argument("--scenes", nargs="+", choices=list(SCENES), default=list(SCENES))
    options = parser.parse_args(arguments)
    if missing := _slurm_node.missing():
        print(f"slurm: not here: {', '.join(missing)}", file=sys.stderr)
        return 2
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # ignored in the background of a shell, and then by children
    rows = []
    with tempfile.TemporaryDirectory() as folder, _slurm_node.running(Path(folder)):
        for scene in options.scenes:
            rows.append(row_of(scene))
            print({name: value for name, value in rows[-1].items() if value != ""}, flush=True)
    _tables.write(options.out, rows)
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
