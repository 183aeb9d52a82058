"""How often 95% intervals hold what they are about, as tables, from the study `interval_coverage`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import committed
import measured

from studies.interval_coverage import ESTIMATORS, INDEPENDENT, TASKS, binomial_error, least_allowed, shares

if TYPE_CHECKING:
    import pandas as pd

HOLDS = {"truth": "holds_truth", "expectation": "holds_expectation", "zero": "holds_truth"}


def coverage(what: str) -> str:
    """`state`, a line on how much of the run there is; or a table of intervals that hold the `truth`, the estimate's
    own `expectation`, or `zero` where the truth is zero."""
    if what == "state":
        return committed.state("interval_coverage")
    rows = committed.rows("interval_coverage")
    if rows.empty:
        return "Nothing of it is there yet."
    return table(rows, INDEPENDENT if what == "zero" else TASKS, HOLDS[what])


def table(rows: pd.DataFrame, laws: tuple[str, ...], column: str) -> str:
    """A row an estimator and size, a column a law; a share below what chance allows is marked."""
    of_laws = rows[rows["law"].isin(laws) & (rows["control"] == "none") & (rows["status"] == "ok")]
    counted = shares(of_laws, column)
    lines = [
        [f"`{name}`", f"{n:,}", *(shown(counted, (name, law, n)) for law in laws), error_of(name)]
        for name in ESTIMATORS
        for n in sorted(of_laws["n_samples"][of_laws["estimator"] == name].unique())
    ]
    return measured.markdown(["estimator", "pairs", *(f"`{law}`" for law in laws), "binomial error"], lines)


def error_of(estimator: str) -> str:
    return f"{binomial_error(ESTIMATORS[estimator].replicates):.1%}"


def shown(counted: pd.DataFrame, key: tuple[str, str, int]) -> str:
    """The share in percent; a dash where not all intervals of the cell are measured."""
    if key not in counted.index or counted.loc[key, "size"] < ESTIMATORS[key[0]].replicates:
        return "-"
    share, n = counted.loc[key, "share"], counted.loc[key, "size"]
    return f"{share:.0%}" if share >= least_allowed(n) else f'<span class="over">{share:.0%}</span>'
