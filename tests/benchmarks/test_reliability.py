"""The benchmarks that break things, in the small: a trial, a schedule whose nodes fail, growth that would be seen."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import faults, schedule, soak
from benchmarks._disturbances import FAULTS
from benchmarks._trial import Trial, outcome
from mibounds.study import make_grid


@pytest.fixture
def trial(tmp_path: Path):
    made = Trial(tmp_path, "local", {"workers": 2}, random.Random(0))
    yield made
    made.end()


def test_a_cell_that_raises_costs_nothing_but_a_second_run(trial: Trial):
    row = outcome(trial, FAULTS["cell_raises"], faults.undisturbed())
    assert {name: row[name] for name in faults.GOOD} == faults.GOOD
    assert (row["exit_code"], row["runs_to_the_end"]) == (1, 2) and 90 < row["cells_after_fault"] < 96
    assert "this cell raises once" in row["said"]


def test_another_table_would_be_seen(trial: Trial):
    other = faults.undisturbed().copy()
    other.loc[3, "value"] += 1e-9
    row = outcome(trial, lambda of: of.wait(of.start()), other)
    assert not row["table_equal"] and row["ended_well"] and row["lost"] == 0


def test_nodes_that_fail_lose_no_cell_and_double_none(monkeypatch):
    monkeypatch.setattr(schedule, "NODES", 4)
    monkeypatch.setattr(schedule, "SLOTS", 2)
    calm, stormy = schedule.simulated(1000, None), schedule.simulated(1000, 1.0)
    for row in (calm, stormy):
        assert (row["cells_in_table"], row["cells_doubled"]) == (1000, 0)
    assert calm["node_failures"] == calm["packs_lost_on_the_way"] == 0 and calm["wasted_share"] == 0.0
    assert stormy["packs_lost_on_the_way"] > 0 and 0 < stormy["wasted_share"] < 0.5
    assert calm["ideal_hours"] < calm["simulated_hours"] < stormy["simulated_hours"]


def test_a_cell_takes_as_long_whenever_it_is_asked():
    from mibounds import study

    cells = make_grid(study.load(schedule.SOURCE), overrides={"part": (0,)}).cells
    assert [schedule.seconds_of(cell.point) for cell in cells] == [
        schedule.seconds_of(c.point) for c in cells
    ]
    assert 35 < pd.Series([schedule.seconds_of(cell.point) for cell in cells]).median() < 50


def test_growth_is_the_last_third_against_the_first_without_the_warm_up():
    assert soak.thirds(pd.Series([900.0] * 10 + [1.0] * 45 + [2.0] * 45)) == (1.0, 2.0)
    looks = pd.DataFrame({"seconds": range(100), "cells": range(100), "process": "driver"})
    looks = looks.assign(
        resident_mib=100 + looks["cells"], handles=7, threads=3, core_seconds=0.02 * looks["cells"]
    )
    rows = {row["quantity"]: row for row in soak.compared(looks, pd.Series([5.0] * 100), 25)}
    assert rows["resident_mib"]["growth"] == pytest.approx(60) and rows["handles"]["growth"] == 0
    assert rows["milliseconds"]["ratio"] == 1.0
    assert rows["core_milliseconds"]["first_third"] == pytest.approx(20) and len(rows) == 5


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc")
def test_a_process_is_looked_at_from_outside():
    import os

    seen = soak.look(os.getpid())
    assert seen["resident_mib"] > 10 and seen["handles"] > 2 and seen["threads"] >= 1
    assert soak.look(2**22 + 1) is None
