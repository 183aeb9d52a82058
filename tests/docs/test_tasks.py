"""The suite's pages: a row a task, and a board that ranks by error and gives no mean of a part."""

from __future__ import annotations

import io
import json
import tarfile

import pandas as pd

from mibounds import suite
from tests.docs.pages import hook


def test_every_task_has_its_row_with_columns_and_truth():
    for group in ("published", "extended"):
        table = hook("tasks").tasks(group)
        assert [line.split("`")[1] for line in table.splitlines()[2:]] == suite.names(group)
    assert "| `1v1-additive-0.75` | 1 + 1 | 0.333 |" in hook("tasks").tasks("published")
    assert "±" in next(line for line in table.splitlines() if "mixture-crossed" in line)


def rows(estimator: str, off: float, n_tasks: int = 40, size: int = 1000) -> list[dict]:
    return [
        {"estimator": estimator, "task": task, "control": "none", "n_samples": size, "replicate": replicate}
        | {"truth_nats": 1.0, "estimate_nats": 1.0 + off * (-1) ** replicate, "status": "ok"}
        for task in suite.names("published")[:n_tasks]
        for replicate in range(2)
    ]


def test_the_board_ranks_by_error_and_leaves_out_what_has_not_all_tasks():
    table = pd.DataFrame([*rows("far", 0.3), *rows("near", 0.1), *rows("part", 0.0, n_tasks=39)])
    failed = pd.DataFrame(rows("failed", 0.0))
    failed.loc[3, "status"] = "DataError: too few"
    shown = hook("tasks").board(pd.concat([table, failed])).splitlines()[2:6]
    assert [line.split("`")[1] for line in shown[:2]] == ["near", "far"]
    assert shown[0].endswith("| 0.100 |") and shown[1].endswith("| 0.300 |")
    assert {line.split("`")[1] for line in shown[2:]} == {"part", "failed"}
    assert all(line.endswith("| - |") for line in shown[2:])


def test_of_a_run_that_is_not_finished_whole_replicates_count(tmp_path):
    archive = tmp_path / "unfinished.tar.xz"
    points = [row for row in rows("near", 0.1) if row["replicate"] == 0] + rows("part", 0.0, n_tasks=3)
    with tarfile.open(archive, "w:xz") as members:
        for number, row in enumerate(points):
            values = {name: row.pop(name) for name in ("truth_nats", "estimate_nats", "status")}
            cell = json.dumps({"point": row, "tables": {"table": [values]}}).encode()
            member = tarfile.TarInfo(f"cells/{number}.json")
            member.size = len(cell)
            members.addfile(member, io.BytesIO(cell))
    tasks = hook("tasks")
    found = tasks.unfinished(archive)
    assert len(found) == 46
    shown = tasks.board(tasks.whole(found)).splitlines()[2:]
    assert shown[0] == "| `near` | 0.100 |" and "part" not in "".join(shown)
    assert tasks.unfinished(tmp_path / "none.tar.xz").empty
