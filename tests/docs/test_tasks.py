"""The suite's page: a row a task."""

from __future__ import annotations

from mibounds import suite
from tests.docs.pages import hook


def test_every_task_has_its_row_with_columns_and_truth():
    for group in ("published", "extended"):
        table = hook("tasks").tasks(group)
        assert [line.split("`")[1] for line in table.splitlines()[2:]] == suite.names(group)
    assert "| `1v1-additive-0.75` | 1 + 1 | 0.333 |" in hook("tasks").tasks("published")
    assert "±" in next(line for line in table.splitlines() if "mixture-crossed" in line)
