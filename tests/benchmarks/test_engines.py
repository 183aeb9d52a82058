"""The engines' benchmarks: their arithmetic on made-up runs, and what they say where something is missing."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks import _slurm_node, overhead, slurm
from benchmarks.overhead import Contender, Ran
from mibounds.study import load, make_grid


def test_a_cell_costs_what_the_larger_run_adds_and_tables_are_compared(monkeypatch, tmp_path):
    def run(contender: Contender, replicates: int) -> Ran:
        wrong = contender.needs == "ray" and replicates == 100
        table = pd.DataFrame({"value": [1.0, 2.0 + wrong]})
        record = {"cells": 4 * replicates, "workers": 2, "cell_seconds": 0.5}
        return Ran(
            5.0 + replicates, 0.0, record, table, {"driver_mib_early": 50.0, "workers_mib_late": 9.0}, 80.0
        )

    monkeypatch.setattr(overhead, "run", run)
    serial, ray = overhead.rows(100, 1, ["serial", "ray"])
    assert serial["ms_a_cell"] == pytest.approx(1000 / 4) and serial["same_table"]
    assert serial["driver_mib_early"] == 50.0 and "workers_mib_late" not in serial
    assert not ray["same_table"] and ray["wall_seconds"] == 105.0
    monkeypatch.setattr(overhead, "find_spec", lambda name: name == "ray")
    assert overhead.main(["--out", str(tmp_path / "table.csv"), "--replicates", "100"]) == 1
    assert pd.read_csv(tmp_path / "table.csv")["engine"].tolist() == ["serial", "local", "ray"]


def test_without_slurm_nothing_is_measured(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(_slurm_node, "_path", lambda: str(tmp_path))
    assert slurm.main(["--out", str(tmp_path / "table.csv")]) == 2
    assert "munged" in capsys.readouterr().err and not (tmp_path / "table.csv").exists()


def test_every_scene_has_its_grid():
    for name, preset, *_ in slurm.SCENES.values():
        assert make_grid(load(slurm.STUDIES / f"{name}.py"), preset).cells
