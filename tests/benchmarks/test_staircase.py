"""The staircase beside torch-mist: the same curves on both sides, dealt out whole; a failure is told."""

from __future__ import annotations

import ast
import json
import sys

import pandas as pd
import pytest

from benchmarks import _environment, _machine, staircase
from studies.bound_tightness import STUDY, keep


def test_both_sides_make_the_curves_of_the_quick_preset():
    quick = STUDY.presets["quick"]["bound"]
    ours = {
        (critic, task, bound)
        for critic in ("separable", "concatenated")
        for task in STUDY.axes["task"]
        for bound in quick
        if keep({"critic": critic, "task": task, "bound": bound, "replicate": 0})
    }
    theirs = [tuple(curve[k] for k in ("critic", "task", "bound")) for curve in staircase.SETS[1].each]
    assert set(theirs) == ours and len(theirs) == len(ours) == 16
    assert len(staircase.SETS[0].each) == 12


def test_the_peer_names_an_estimator_for_each_bound():
    tree = ast.parse(staircase.PEER.read_text())
    (names,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "NAMES"
    ]
    assert set(names) == set(staircase.CLASSIC)


def test_curves_are_dealt_out_once_each(monkeypatch):
    started: list[list[str]] = []
    monkeypatch.setattr(staircase, "_seconds", lambda commands: started.extend(commands) or 1.0)
    monkeypatch.setattr(_environment, "python_of", lambda folder: "python")
    assert staircase.seconds_of_theirs(staircase.SETS[1], 20, 3) == 1.0
    hands = [json.loads(command[-1])["curves"] for command in started]
    assert len(hands) == 3 and max(map(len, hands)) - min(map(len, hands)) <= 1
    dealt = [curve for hand in hands for curve in hand]
    assert sorted(map(str, dealt)) == sorted(map(str, staircase.SETS[1].each))


def test_a_command_that_fails_is_told(monkeypatch):
    monkeypatch.setattr(_machine, "cores", lambda: [0])
    with pytest.raises(SystemExit, match="out of luck"):
        staircase._seconds([[sys.executable, "-c", "raise SystemExit('out of luck')"]])
    assert staircase._seconds([[sys.executable, "-c", "pass"]]) > 0


def test_the_table_has_both_times_and_their_ratio(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(_environment, "why_missing", lambda name: None)
    monkeypatch.setattr(staircase, "seconds_of_ours", lambda *_: 2.0)
    monkeypatch.setattr(staircase, "seconds_of_theirs", lambda *_: 8.0)
    assert staircase.main(["--out", str(tmp_path / "t.csv"), "--repeats", "2"]) == 0
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["times_as_fast"].tolist() == [4.0] * 4 and table["steps"].tolist() == [500] * 4
    assert "all: 4.00 times as fast" in capsys.readouterr().out
    monkeypatch.setattr(_environment, "why_missing", lambda name: "no network")
    assert staircase.main(["--out", str(tmp_path / "none.csv")]) == 2 and not (tmp_path / "none.csv").exists()
