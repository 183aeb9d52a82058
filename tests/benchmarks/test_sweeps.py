"""The sweep benchmark's arithmetic on a real run of a few cells, and on made-up ones. Nothing here is timed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import sweeps
from benchmarks._processes import Memory, Watched, watch
from benchmarks.sweeps import growth, main, text_of
from mibounds.study import load, make_grid


def test_overhead_is_what_the_measured_seconds_leave(monkeypatch, tmp_path):
    real = sweeps.watch

    def watched(command, environment, said):
        assert environment["OMP_NUM_THREADS"] == "1"
        assert real(command, environment, said).code == 0
        return Watched(0, wall_seconds=100.0, core_seconds=150.0, memory=[], peak_mib=80.0)

    monkeypatch.setattr(sweeps, "watch", watched)
    row = sweeps.row_of("tiny", 2, 0)
    assert row["cells"] == 12 and 0 < row["measured_seconds"] < 100
    assert row["overhead_ms_a_cell"] == pytest.approx(1000 * (2 * 100 - row["measured_seconds"]) / 12)
    assert row["core_ms_a_cell"] == 1000 * 150 / 12 and row["busy"] == row["measured_seconds"] / 200


def test_a_run_that_fails_is_told_and_nothing_is_kept(monkeypatch, tmp_path, capsys):
    out = tmp_path / "table.csv"
    assert main(["--preset", "no_such_preset", "--out", str(out)]) == 1
    assert "unknown preset 'no_such_preset'" in capsys.readouterr().err and not out.exists()


def test_growth_compares_the_first_tenth_with_the_last():
    memory = [Memory(float(i), 100.0 - i) for i in range(30)]
    assert growth(memory) == {
        "driver_mib_early": 2.0,
        "driver_mib_late": 29.0,
        "workers_mib_early": 100.0,
        "workers_mib_late": 73.0,
    }
    assert set(growth(memory[:9]).values()) == {None}, "too few to have tenths"


def test_what_two_workers_gain_is_taken_turn_by_turn():
    columns = ("overhead_ms_a_cell", "core_ms_a_cell", "busy", "peak_mib")
    rows = [
        {"preset": "full", "workers": workers, "repeat": repeat, "cells": 10_000, "wall_seconds": wall}
        | dict.fromkeys(columns, 2.0)
        | growth([Memory(50.0, 60.0)] * 10)
        for repeat, walls in enumerate([(10.0, 5.0), (90.0, 50.0), (19.0, 10.0)])
        for workers, wall in zip((1, 2), walls, strict=True)
    ]
    one, _, gain = text_of(pd.DataFrame(rows)).splitlines()
    assert gain == "full     two workers against one: 1.90 times as fast (1.80 .. 2.00)"
    assert "10,000 cells, 1 workers: 2.00 ms a cell" in one and "driver 50 to 50, workers 60 to 60" in one


def test_the_grid_has_ten_thousand_cells_in_packs_of_several_widths():
    of = load(sweeps.STUDY)
    grid = make_grid(of, "full")
    assert len(grid.cells) == 10_000
    assert {1, 4, 16, 64} <= {len(pack.cells) for pack in grid.packs}
    alone = make_grid(of, "alone")
    assert len(alone.cells) == len(alone.packs) == 10_000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system has no /proc")
def test_a_process_and_what_it_starts_are_watched(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks._processes.EVERY_SECONDS", 0.01)
    child = "import time; held = bytearray(80 * 2**20); time.sleep(0.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); sys.exit(3)"
    watched = watch([sys.executable, "-c", parent], {}, tmp_path / "said.txt")
    assert watched.code == 3
    largest = max(watched.memory, key=lambda moment: moment.workers)
    assert largest.workers > 80 > largest.driver > 0 and watched.peak_mib > 80


def test_the_command_runs_it_as_a_module():
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.sweeps", "--help"], capture_output=True, text=True, check=True
    )
    assert "what two workers gain over one" in " ".join(answer.stdout.split())
