"""Tidy tables: assembled from finished cells in grid order, written as CSV, read back exactly."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mibounds import files
from mibounds.errors import StoreError
from mibounds.study.study import TABLE, Point, Tables

if TYPE_CHECKING:
    import pandas as pd


class Gathered:
    """Tables that grow cell by cell, and what the record tells of all cells.

    Columns are kept as lists, so that a million cells take as much memory as their numbers, not as their files.

    Attributes:
        seconds: that the cells took, added up.
        peak_mib: the most that a worker held, None if none told.
        made: with which devices and versions, each once.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.peak_mib: float | None = None
        self._made: dict[str, dict[str, Any]] = {}
        self._tables = {TABLE: _Columns()}

    def add(self, point: Point, payload: dict[str, Any]) -> None:
        """A cell's rows: its point in front of each, `seconds` behind those of the tidy table."""
        self.seconds += payload["seconds"]
        if payload["peak_mib"] is not None:
            self.peak_mib = max(self.peak_mib or 0.0, payload["peak_mib"])
        self._made.setdefault(json.dumps(payload["made"], sort_keys=True), payload["made"])
        for name, measured in payload["tables"].items():
            table = self._tables.setdefault(name, _Columns())
            for row in measured:
                table.add(point | row | ({"seconds": payload["seconds"]} if name == TABLE else {}))

    @property
    def made(self) -> list[dict[str, Any]]:
        return [self._made[text] for text in sorted(self._made)]

    @property
    def tables(self) -> Tables:
        return {name: _seconds_last(columns.frame()) for name, columns in self._tables.items()}


class _Columns:
    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {}
        self._n_rows = 0

    def add(self, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            column = self._columns.setdefault(name, [])
            column += [math.nan] * (self._n_rows - len(column))  # rows before that had no such column
            column.append(sys.intern(value) if isinstance(value, str) else value)
        self._n_rows += 1

    def frame(self) -> pd.DataFrame:
        import pandas as pd

        for column in self._columns.values():
            column += [math.nan] * (self._n_rows - len(column))
        return pd.DataFrame(self._columns)


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
