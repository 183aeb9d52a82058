"""A run that is disturbed, then repeated until it ends well; and what came of its cells."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mibounds import study
from mibounds.study import make_grid
from mibounds.study.runner import FAILURES
from mibounds.study.store import Store

SOURCE = Path(__file__).with_name("_faulty.py")
PATIENCE_SECONDS = 120.0
RUNS_AT_MOST = 4


class Trial:
    """A folder of its own with the study, its results and, if it is to strike, the fault.

    Args:
        folder: empty.
        engine, options: as `engines.make` takes them.
        moment: random numbers for when and where.
        nodes: of a cluster, where the engine has one.

    Attributes:
        total: cells of the grid.
        cells_at_fault: finished ones when the fault struck, or None where nobody saw it.
        not_finite: the row that cannot be a number, if one cannot.
    """

    def __init__(
        self, folder: Path, engine: str, options: Mapping[str, Any], moment: random.Random, nodes: Any = None
    ):
        self.folder, self.engine, self.options, self.moment = folder, engine, dict(options), moment
        self.nodes = nodes
        self.study = study.load(Path(shutil.copy(SOURCE, folder / SOURCE.name)))
        self.out = folder / "disk" / "out"
        self.out.parent.mkdir()
        self.ids = [cell.id for cell in make_grid(self.study).cells]
        self.total = len(self.ids)
        self.cells_at_fault: int | None = None
        self.not_finite: int | None = None
        self.processes: list[subprocess.Popen[str]] = []
        self._mounts: list[Path] = []

    def strike(self, kind: str) -> None:
        """A cell at random goes wrong in this way."""
        row = self.moment.randrange(self.total)
        (self.folder / "fault.json").write_text(json.dumps({"kind": kind, "cell": self.ids[row]}))
        self.not_finite = row if kind == "nan" else None

    def start(self) -> subprocess.Popen[str]:
        """A run, in a process group of its own."""
        command = [sys.executable, "-m", "benchmarks._fault_driver", str(self.study.file), str(self.out)]
        process = subprocess.Popen(
            [*command, self.engine, json.dumps(self.options)],
            cwd=Path(__file__).parents[1],
            stderr=(self.folder / f"said_{len(self.processes)}.txt").open("w"),
            start_new_session=True,
            text=True,
        )
        self.processes.append(process)
        return process

    def wait(self, process: subprocess.Popen[str]) -> int:
        """Its exit code; what does not end in two minutes is killed and counts as -9."""
        try:
            return process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()

    def said(self, index: int) -> str:
        """The last line of what the run with this number said."""
        lines = (self.folder / f"said_{index}.txt").read_text().strip().splitlines()
        return lines[-1].replace(str(self.folder), "") if lines else ""

    def first_failure(self) -> str:
        """The first line of what the runner wrote about failed cells, if there are any."""
        path = self.out / FAILURES
        return path.read_text().partition("\n")[0] if path.is_file() else ""

    def until_random_moment(self) -> None:
        """Until some number of cells, any from none to nearly all, is finished, and a little longer."""
        wanted, deadline = self.moment.randrange(self.total - 8), time.monotonic() + PATIENCE_SECONDS
        while len(self.finished()) < wanted and time.monotonic() < deadline:
            if self.processes[-1].poll() is not None:
                break
            time.sleep(0.005)
        time.sleep(self.moment.uniform(0.0, 0.05))
        self.cells_at_fault = len(self.finished())

    def finished(self) -> set[str]:
        return Store(self.out).present() & set(self.ids)

    def contents(self) -> dict[str, bytes]:
        return {cell: Store(self.out).path(cell).read_bytes() for cell in self.finished()}

    def go_on(self) -> list[int]:
        """Run again until it ends well; the exit codes."""
        codes: list[int] = []
        while len(codes) < RUNS_AT_MOST and (not codes or codes[-1] != 0):
            codes.append(self.wait(self.start()))
        return codes

    def mounts_on(self, place: Path) -> Path:
        """The place, to be unmounted when the trial is over, which still reads what lies there."""
        self._mounts.append(place)
        return place

    def end(self) -> None:
        """Leave no process and no mount."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for place in self._mounts:
            subprocess.run(["umount", "-l", str(place)], capture_output=True)


def outcome(trial: Trial, disturb: Callable[[Trial], int], expected: pd.DataFrame) -> dict[str, Any]:
    """Disturb, see what is there, go on, and compare with `expected`, the table of an undisturbed run."""
    code = disturb(trial)
    if trial.not_finite is not None:  # a result like others, told as what it is
        expected = expected.copy()
        expected.loc[trial.not_finite, ["value", "status"]] = [math.nan, "not finite"]
    said = " | ".join(filter(None, [trial.said(0), trial.first_failure()]))
    before = trial.contents()
    codes = trial.go_on() if code else []
    after = trial.contents()
    whole = not codes or codes[-1] == 0
    table = study.read_results(trial.out)[1]["table"].drop(columns="seconds") if whole else expected.iloc[:0]
    axes = [*trial.study.axes, "replicate"]
    return {
        "cells": trial.total,
        "cells_at_fault": trial.cells_at_fault,
        "cells_after_fault": len(before),
        "exit_code": code,
        "runs_to_the_end": 1 + len(codes),
        "ended_well": whole,
        "lost": sum(after.get(cell) != content for cell, content in before.items()),
        "doubled": int(table.duplicated(axes).sum()),
        "table_equal": table.equals(expected),
        "check_is_clean": whole and study.check(trial.study, trial.out) == [],
        "left_half_written": sum(".tmp" in path.name for path in trial.out.rglob("*")),
        "said": said,
    }
