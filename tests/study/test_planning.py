"""A plan counts what is missing and prices it by what was measured, and touches nothing."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from benchmarks import plans
from benchmarks.plans import row_of, whole_runs
from mibounds import study
from mibounds.study import Plan, Shard, make_grid, peak
from mibounds.study.planning import Known, known_of

TIMED = """
def measure(pack):
    return [Measurement(row(cell)) for cell in pack.cells]
FIELDS["measure"] = measure
FIELDS["stacked"] = ("replicate",)
"""


def plan_of(*seconds: float) -> Plan:
    return Plan(0, 0, 0, len(seconds), seconds, 0, None, {})


def known(grid, seconds_of) -> Known:
    cells = [(cell.point, seconds_of(cell)) for cell in grid.cells]
    return known_of(grid.study, "a test", cells, grid.settings, None, 5000.0)


def test_workers_take_packs_in_order_when_they_are_free():
    packs = plan_of(5.0, 1.0, 1.0, 4.0)
    assert [packs.wall_seconds(workers) for workers in (1, 2, 3, 4, 99)] == [11.0, 6.0, 5.0, 5.0, 5.0]
    assert packs.longest_seconds == 5.0 and plan_of().wall_seconds(3) == 0.0


def test_committed_runs_took_what_a_plan_says(monkeypatch):
    """In the sample: the seconds are those of the run itself. What the guess is worth stands in plans.csv."""
    monkeypatch.setattr(plans, "HALVES", 1)
    rows = [row_of(*run) for run in islice(whole_runs(), 8)]  # the others stand in plans.csv
    assert len(rows) == 8
    for row in rows:
        assert abs(row["error"]) < 0.25, row


def test_a_pack_that_was_never_measured_is_guessed_axis_by_axis(write_study):
    grid = make_grid(study.load(write_study(TIMED)))
    seconds = {(1.0, "a"): 1.0, (2.0, "a"): 2.0, (1.0, "b"): 3.0, (2.0, "b"): 6.0}

    def cost(cell) -> float:
        return seconds[cell["scale"], cell["kind"]]

    three = [cell for cell in grid.cells if (cell["scale"], cell["kind"]) != (2.0, "b")]
    of_three = known_of(grid.study, "", [(cell.point, cost(cell)) for cell in three], {}, None, 1.0)
    guessed = {pack.cells[0]["scale"]: s for pack, s in zip(grid.packs, of_three.of(grid.packs), strict=True)}
    assert sum(not of_three.knows(pack) for pack in grid.packs) == 1
    assert 2.0 * 3 < guessed[2.0] < 6.0 * 3, "more than its row and its column alone would say"
    assert known(grid, cost).of(grid.packs) == [3.0, 9.0, 6.0, 18.0]
    assert known_of(grid.study, "", [], {}, None, 1.0) is None


def test_a_plan_before_and_after_a_run(toy, run, write_study, tmp_path: Path):
    grid, out = make_grid(toy), tmp_path / "out"
    before = study.plan(grid, out, tmp_path / "none")
    assert (before.cells, before.missing, before.to_do, before.known) == (12, 12, 4, None)
    assert before.disk_bytes is None and not out.exists(), "nothing is made for a plan"

    results = run(toy)
    done = study.plan(grid, out, tmp_path / "none")
    assert (done.missing, done.to_do, done.seconds) == (0, 0, ())
    removed = grid.packs[0].cells[0]
    (out / "cells" / f"{removed.id}.json").unlink()
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    left = study.plan(grid, out, tmp_path / "none")
    assert (left.missing, left.to_do) == (1, 1) and "11 finished cells" in left.known.source
    assert left.disk_bytes == 4096 and left.unlike == 0
    assert 10 < left.known.peak_mib < 2000 and results.record["peak_mib"] >= left.known.peak_mib
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == stamps

    parts = [study.plan(grid, tmp_path / "new", out, Shard(index, 2)) for index in (1, 2)]
    assert sum(part.cells for part in parts) == 12 and "table.csv" in parts[0].known.source
    smoke = study.plan(make_grid(toy, "smoke"), tmp_path / "new", out)
    assert smoke.other_settings == {"shift": (0.5, 0.25)}
    newer = make_grid(study.load(write_study("FIELDS['version'] = 2")))
    assert study.plan(newer, tmp_path / "new", out).known is None, "another version costs who knows what"


@pytest.mark.parametrize("read_at_most", [4000, 5])
def test_what_a_run_would_set_aside_is_missing(
    toy, run, write_study, tmp_path: Path, monkeypatch, read_at_most
):
    monkeypatch.setattr("mibounds.study.planning.READ_AT_MOST", read_at_most)
    out, grid = run(toy, mirror=f"file://{tmp_path}/far").folder, make_grid(toy)
    assert study.plan(grid, out, tmp_path).missing == 0
    assert study.plan(grid, out, tmp_path, fresh=True).missing == 12
    assert study.plan(grid, tmp_path / "new", tmp_path, mirror=f"file://{tmp_path}/far").missing == 0
    edited = make_grid(study.load(write_study("def row(cell): return {'value': 2.0, 'status': 'ok'}")))
    left = study.plan(edited, out, tmp_path, mirror=f"file://{tmp_path}/far")
    assert left.missing == 12 and left.known.source.endswith("table.csv")


def test_the_peak_of_memory_can_be_forgotten():
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the system keeps one peak a process")
    block = bytearray(200 * 2**20)
    high = peak.mib()
    del block
    peak.forget()
    assert peak.mib() < high - 100
