"""How estimators did on the suite: by estimator and size, and one estimator task by task."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import committed
import measured

from studies.leaderboard import PUBLISHED, scored

if TYPE_CHECKING:
    import pandas as pd


def leaderboard(what: str, *names: str) -> str:
    """`state`, a line on how much of the run there is; `estimators`, a table; `tasks ESTIMATOR`, another."""
    if what == "state":
        return committed.state("leaderboard")
    table = whole(committed.rows("leaderboard"))
    if table.empty:
        return "Nothing of it is there yet."
    return by_estimator(table) if what == "estimators" else by_task(table, *names)


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """The rows, scored, of estimators that all 40 tasks were given to, in the replicates where they were."""
    if table.empty:
        return table
    of_suite = table[table["task"].isin(PUBLISHED) & (table["control"] == "none")]
    n_tasks = of_suite.groupby(["estimator", "n_samples", "replicate"])["task"].transform("nunique")
    return scored(of_suite[n_tasks == len(PUBLISHED)])


def by_estimator(table: pd.DataFrame) -> str:
    """A row an estimator and size; nearest first, and last what gave no number on some task."""
    found = []
    for (name, size), of in table.groupby(["estimator", "n_samples"]):
        answered = (of["status"] == "ok").groupby(of["task"]).all()
        error = float(of["off_nats"].mean()) if answered.all() else math.inf
        cells = [f"`{name}`", f"{size:,}"]
        if math.isinf(error):
            cells += [f"no number on {int((~answered).sum())} tasks", "-", "-"]
        else:
            cells += [f"{error:.3f}", measured.number(of["bias_nats"].mean()), f"{of['covered'].mean():.0%}"]
        found.append((error, [*cells, f"{of['seconds'].median():.2g}", f"{of['replicate'].nunique()}"]))
    lines = [cells for _, cells in sorted(found, key=lambda each: each[0])]
    names = [
        "estimator",
        "pairs",
        "off by (nats)",
        "bias (nats)",
        "intervals with the truth",
        "seconds",
        "seeds",
    ]
    return measured.markdown(names, lines)


def by_task(table: pd.DataFrame, estimator: str) -> str:
    """A row a task; furthest off at the largest size first."""
    of = table[table["estimator"] == estimator]
    sizes = sorted(of["n_samples"].unique())
    errors = of.pivot_table(index="task", columns="n_samples", values="off_nats")
    largest = of[of["n_samples"] == sizes[-1]].groupby("task")[["truth_nats", "bias_nats", "covered"]].mean()
    lines = [
        [
            f"`{task}`",
            f"{largest['truth_nats'][task]:.3f}",
            *(f"{errors[size][task]:.3f}" for size in sizes),
            measured.number(largest["bias_nats"][task]),
            f"{largest['covered'][task]:.0%}",
        ]
        for task in errors[sizes[-1]].sort_values(ascending=False).index
    ]
    head = ["task", "truth (nats)", *(f"off by, {size:,} pairs" for size in sizes)]
    return measured.markdown([*head, f"bias, {sizes[-1]:,}", "intervals with the truth"], lines)
