"""Users' data: arrays checked and paired, tables read and their columns selected. Imports neither pandas nor torch."""

from __future__ import annotations

from mibounds.data.samples import Samples, paired_samples
from mibounds.data.tables import Table, read_table, select_columns, select_sides

__all__ = ["Samples", "Table", "paired_samples", "read_table", "select_columns", "select_sides"]
