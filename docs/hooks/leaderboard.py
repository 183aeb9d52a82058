"""How estimators did on the suite: by estimator and size, one estimator task by task, and all on tasks of our own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import committed
import measured

from mibounds import suite
from studies.leaderboard import EIGHT, EXTENDED, PUBLISHED, THERE, scored

if TYPE_CHECKING:
    import pandas as pd


def leaderboard(what: str, *names: str) -> str:
    """`state`, a line on how much of the run there is; or a table: `estimators`, `eight`, `tasks ESTIMATOR`, `each`,
    `own`, or `shuffled`, of pairs that share nothing."""
    if what == "state":
        return committed.state("leaderboard")
    table = committed.rows("leaderboard")
    if not table.empty:
        table = asked_of(table, what)
    if table.empty:
        return "Nothing of it is there yet."
    shown = {
        "estimators": by_estimator,
        "eight": by_estimator,
        "tasks": by_task,
        "each": by_task_and_estimator,
        "own": by_own_task,
        "shuffled": of_shuffled,
    }
    return shown[what](table, *names)


def asked_of(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """The rows that a table of the page is made of."""
    if what == "own":
        return alike(table[table["task"].isin(suite.names("extended"))])
    if what == "shuffled":
        return table[table["control"] == "shuffled_pairs"]
    if what == "each":
        return whole(alike(table))
    return whole(alike(table), EIGHT) if what == "eight" else whole(table)


def whole(table: pd.DataFrame, tasks: Sequence[str] = PUBLISHED) -> pd.DataFrame:
    """The rows, scored, of estimators that all these tasks were given to, in the replicates where they were."""
    of_tasks = table[table["task"].isin(tasks) & (table["control"] == "none")]
    n_tasks = of_tasks.groupby(["estimator", "n_samples", "replicate"])["task"].transform("nunique")
    return scored(of_tasks[n_tasks == len(tasks)])


def alike(table: pd.DataFrame) -> pd.DataFrame:
    """The samples that all estimators are given."""
    of_size = table["n_samples"].isin(EXTENDED.sizes) & (table["replicate"] < EXTENDED.replicates)
    return table[of_size & (table["control"] == "none")]


def by_estimator(table: pd.DataFrame) -> str:
    """A row an estimator and size; by size, nearest first, and last what gave no number on some task."""
    found = []
    for (name, size), of in table.groupby(["estimator", "n_samples"]):
        answered = (of["status"] == "ok").groupby(of["task"]).all()
        error = float(of["off_nats"].mean()) if answered.all() else math.inf
        cells = [f"`{name}`", f"{size:,}"]
        if math.isinf(error):
            cells += [f"no number on {int((~answered).sum())} of {len(answered)} tasks", "-", "-"]
        else:
            end = " (low end)" if (of["direction"] == "lower").all() else ""
            covered = f"{of['covered'].mean():.0%}{end}"
            cells += [f"{error:.3f}", measured.number(of["bias_nats"].mean()), covered]
        found.append(
            ((size, error), [*cells, f"{of['seconds'].median():.2g}", f"{of['replicate'].nunique()}"])
        )
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


def by_task_and_estimator(table: pd.DataFrame) -> str:
    """How far off each is: a row a task, a column an estimator."""
    errors = table.pivot_table(index="task", columns="estimator", values="off_nats")
    names = [name for name in THERE if name in errors]
    lines = [
        [f"`{task}`", *(measured.number(errors[name][task]) for name in names)]
        for task in PUBLISHED
        if task in errors.index
    ]
    return measured.markdown(["task", *(f"`{name}`" for name in names)], lines)


def of_shuffled(table: pd.DataFrame) -> str:
    """How often intervals hold zero where that is the truth, a row an estimator."""
    holds = (table["low_nats"] <= 0) & (table["high_nats"] >= 0)
    by = table.assign(holds=holds).groupby("estimator")
    lines = [
        [
            f"`{name}`",
            f"{of['holds'].mean():.0%} of {len(of)}",
            measured.number(of["estimate_nats"].mean()),
            measured.number(of["estimate_nats"].max()),
        ]
        for name, of in by
    ]
    return measured.markdown(
        ["estimator", "intervals that hold zero", "mean (nats)", "largest (nats)"], lines
    )


def by_own_task(table: pd.DataFrame) -> str:
    """A row a task, its truth, and the mean of what each estimator read."""
    names = [name for name in THERE if name in set(table["estimator"])]
    lines = []
    for task in [name for name in suite.names("extended") if name in set(table["task"])]:
        of = table[table["task"] == task]
        read = (mean_estimate(of[of["estimator"] == name]) for name in names)
        lines.append([f"`{task}`", f"{of['truth_nats'].mean():.3f}", *read])
    return measured.markdown(["task", "truth (nats)", *(f"`{name}`" for name in names)], lines)


def mean_estimate(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "-"
    return measured.number(rows["estimate_nats"].mean()) if (rows["status"] == "ok").all() else "refused"
