"""The start-up benchmark writes what it says, of commands that there are. Nothing here is timed."""

from __future__ import annotations

import pandas as pd

from benchmarks import startup


def test_each_command_is_run_and_has_a_row_a_turn(tmp_path, monkeypatch, capsys):
    seconds = iter(range(10_000))
    monkeypatch.setattr(startup, "core_seconds", lambda: float(next(seconds)))
    out = tmp_path / "table.csv"
    assert startup.main(["--repeats", "1", "--out", str(out)]) == 0
    table = pd.read_csv(out)
    assert table["command"].tolist() == list(startup.COMMANDS) and set(table["core_seconds"]) == {1.0}
    assert len(capsys.readouterr().out.splitlines()) == len(startup.COMMANDS)
