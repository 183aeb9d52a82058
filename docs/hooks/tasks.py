"""The suite's tasks as a table."""

from __future__ import annotations

import measured

from mibounds import suite


def tasks(group: str) -> str:
    """A row a task: its columns, and its information with the error where that is sampled."""
    rows = []
    for name in suite.names(group):
        law = suite.task(name)
        error = f" {measured.small(law.mutual_information_error)}" if law.mutual_information_error else ""
        rows.append([f"`{name}`", f"{law.dim_x} + {law.dim_y}", f"{law.mutual_information:.3f}{error}"])
    return measured.markdown(["task", "columns", "mutual information (nats)"], rows)
