"""Tables of the benchmarks, from what they committed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import measured

RESULTS = Path(__file__).parents[2] / "results"


def benchmark(name: str, *words: str) -> str:
    """Columns of `results/NAME.csv`, a row a row.

    A word `column=value` leaves the rows with that value, a word `by:column,column` makes medians of the rest.
    """
    import pandas as pd

    rows = pd.read_csv(RESULTS / f"{name}.csv")
    for column, _, value in (word.partition("=") for word in words if "=" in word):
        rows = rows[rows[column].astype(str) == value]
    columns = [word for word in words if "=" not in word and not word.startswith("by:")]
    for keys in (word[3:].split(",") for word in words if word.startswith("by:")):
        rows = rows.groupby(keys, sort=False)[columns].median().reset_index()
        columns = [*keys, *columns]
    if rows.empty:
        raise ValueError(f"results/{name}.csv has no row for {' '.join(words)}")
    lines = [[in_words(row[column]) for column in columns] for _, row in rows.iterrows()]
    return measured.markdown([column.replace("_", " ") for column in columns], lines)


def processors(name: str) -> str:
    """What a benchmark's rows were measured on."""
    import pandas as pd

    return ", ".join(sorted(set(pd.read_csv(RESULTS / f"{name}.csv")["processor"])))


def in_words(value: Any) -> str:
    """Three digits of a fraction; whole numbers whole."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return str(value)
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "none fails"
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:.3g}"
