"""Tidy tables: assembled from finished cells in grid order, written as CSV, read back exactly."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mibounds import files
from mibounds.errors import StoreError
from mibounds.study.study import TABLE, Tables

if TYPE_CHECKING:
    import pandas as pd


def assemble(payloads: Iterable[dict[str, Any]]) -> Tables:
    """One table a name: the axes in front of each row, `seconds` behind those of the tidy one."""
    import pandas as pd

    rows: dict[str, list[dict[str, Any]]] = {TABLE: []}
    for payload in payloads:
        for name, measured in payload["tables"].items():
            last = {"seconds": payload["seconds"]} if name == TABLE else {}
            rows.setdefault(name, []).extend({**payload["point"], **row, **last} for row in measured)
    return {name: _seconds_last(pd.DataFrame(of_name)) for name, of_name in rows.items()}


def _seconds_last(table: pd.DataFrame) -> pd.DataFrame:
    return table[sorted(table.columns, key="seconds".__eq__)]


def write(folder: Path, tables: Tables) -> dict[str, str]:
    """Write each table to `<name>.csv`, floats to the last digit; returns file name -> SHA-256."""
    for name, table in tables.items():
        files.write_text(folder / f"{name}.csv", table.to_csv(index=False, na_rep="nan", lineterminator="\n"))
    return {f"{name}.csv": files.sha256_of(folder / f"{name}.csv") for name in tables}


def read(folder: Path, names: Iterable[str]) -> Tables:
    """The tables of these file names. Only `nan` means missing: "none" and "" are texts like others."""
    import pandas as pd

    by_itself = tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1)
    exact: dict[str, Any] = {} if by_itself else {"float_precision": "round_trip"}
    tables: Tables = {}
    for name in names:
        path = folder / name
        try:
            tables[path.stem] = pd.read_csv(path, keep_default_na=False, na_values=["nan"], **exact)
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
        except (ValueError, UnicodeDecodeError) as error:
            raise StoreError(f"{path} is no table: {error}") from error
    return tables
