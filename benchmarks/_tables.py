"""Where a benchmark's table lies, and how it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mibounds import files

RESULTS = Path(__file__).parents[1] / "results" / "benchmarks"


def path_of(name: str, kept: str = RESULTS.name) -> Path:
    """Of the table that the benchmark `name` keeps, in `results/benchmarks` or the folder `kept` beside it."""
    return (RESULTS if kept == "benchmarks" else RESULTS.parent / kept) / f"{name}.csv"


def write(out: Path, rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> None:
    """A CSV file, whole or not at all."""
    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    files.write_text(out, table.to_csv(index=False, lineterminator="\n"))
