"""The suite's tasks, and how estimators did on them, as tables."""

from __future__ import annotations

import json
import math
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import claims
import measured

from mibounds import suite

if TYPE_CHECKING:
    import pandas as pd

RESULTS = Path(__file__).parents[2] / "results"


def tasks(group: str) -> str:
    """A row a task: its columns, and its information with the error where that is sampled."""
    rows = []
    for name in suite.names(group):
        law = suite.task(name)
        error = f" {measured.small(law.mutual_information_error)}" if law.mutual_information_error else ""
        rows.append([f"`{name}`", f"{law.dim_x} + {law.dim_y}", f"{law.mutual_information:.3f}{error}"])
    return measured.markdown(["task", "columns", "mutual information (nats)"], rows)


def leaderboard() -> str:
    """A row an estimator, a column a size: mean absolute error over the 40 tasks; nearest first."""
    import pandas as pd

    if claims.run_of("leaderboard") is not None:
        return board(pd.read_csv(RESULTS / "leaderboard" / "table.csv"))
    cells = unfinished(RESULTS / "leaderboard" / "unfinished.tar.xz")
    shown = board(whole(cells)) if len(cells) else "Nothing of it is there yet."
    return f"The full run is not finished; {len(cells):,} of its cells are.\n\n{shown}"


def unfinished(archive: Path) -> pd.DataFrame:
    """A row a cell of an archive of cell files; none if there is no archive."""
    import pandas as pd

    if not archive.is_file():
        return pd.DataFrame()
    with tarfile.open(archive) as members:
        found = [members.extractfile(one) for one in members.getmembers() if one.name.endswith(".json")]
        cells = [json.load(file) for file in found if file is not None]
    return pd.DataFrame([cell["point"] | row for cell in cells for row in cell["tables"]["table"]])


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of estimators that all 40 tasks were given to, at the sizes where they were."""
    rows = table[table["task"].isin(suite.names("published")) & (table["control"] == "none")]
    per_size = rows.groupby(["estimator", "n_samples", "replicate"])["task"].transform("nunique")
    return rows[per_size == len(suite.names("published"))]


def board(table: pd.DataFrame) -> str:
    published = suite.names("published")
    rows = table[table["task"].isin(published) & (table["control"] == "none")]
    sizes = sorted(rows["n_samples"].unique())
    errors = {
        name: [off(of[of["n_samples"] == size], len(published)) for size in sizes]
        for name, of in rows.groupby("estimator")
    }
    ranked = sorted(
        errors, key=lambda name: [math.inf if error is None else error for error in reversed(errors[name])]
    )
    lines = [
        [f"`{name}`", *("-" if error is None else f"{error:.3f}" for error in errors[name])]
        for name in ranked
    ]
    head = ["estimator", *(f"off by, {size:,} pairs (nats)" for size in sizes)]
    return measured.markdown(head, lines) + "\n\nA dash: not run on all 40 tasks, or without a number on one."


def off(rows: pd.DataFrame, n_tasks: int) -> float | None:
    """Mean absolute error over all tasks, if each has a number in every replicate."""
    if rows["task"].nunique() < n_tasks or (rows["status"] != "ok").any():
        return None
    errors = (rows["estimate_nats"] - rows["truth_nats"]).abs()
    return float(errors.groupby(rows["replicate"]).mean().mean())
