"""Which rows a claim needs, found by asking it: a row is needed if the verdict changes when that row has failed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mibounds.study import Claim

if TYPE_CHECKING:
    import pandas as pd

    from mibounds.study.study import Tables

Box = dict[str, list[Any]]
MOST_VALUES = 64
STATUS = "status"
FAILED = "failed, to see who minds"


def rows_needed(claim: Claim, tables: Tables, axes: Iterable[str]) -> dict[str, Box]:
    """Table name -> axis -> the values that the claim's rows have there; an axis of which it needs all is left out.

    The smallest box of axis values that holds every row the claim needs. A table that the claim does not mind is
    left out, and so is a claim that looks at no status: of such a one nothing can be said.

    Args:
        axes: columns to describe rows by. Replicates do not count among them: a claim needs all.
    """
    boxes = {}
    for name, table in tables.items():
        if STATUS in table:
            try:
                asked = _Asked(claim, tables, name)
            except Exception:  # the study's own code: what it raised is said where the verdict is computed
                continue
            if asked.minds(table[STATUS].notna()):
                boxes[name] = _box(asked, table, [axis for axis in axes if axis in table])
    return boxes


def rows_in(table: pd.DataFrame, box: Box) -> pd.Series:
    """Which rows lie in the box."""
    inside = table[STATUS].notna()
    for column, values in box.items():
        inside &= table[column].isin(values)
    return inside


def _box(asked: _Asked, table: pd.DataFrame, axes: list[str]) -> Box:
    box: Box = {}
    for axis in axes:
        values = table[axis].unique().tolist()
        if 1 < len(values) <= MOST_VALUES:
            needed = _needed(asked, table[axis], values)
            if len(needed) < len(values):
                box[axis] = needed
    outside = ~rows_in(table, box)
    return {} if outside.any() and asked.minds(outside) else box


def _needed(asked: _Asked, of_axis: pd.Series, values: list[Any]) -> list[Any]:
    """Those of the values that the claim needs. By halves: a claim that minds is quick to say so, one that does not
    decides anew, and most values of a long axis are nobody's concern.
    """
    halves = values[: len(values) // 2], values[len(values) // 2 :]
    minded = [half for half in halves if asked.minds(of_axis.isin(half))]
    return [value for half in minded for value in (half if len(half) == 1 else _needed(asked, of_axis, half))]


class _Asked:
    """A claim, and whether it minds that some rows of one table have failed."""

    def __init__(self, claim: Claim, tables: Tables, name: str):
        self.claim, self.tables, self.name = claim, tables, name
        self.sound = self._decide(tables)

    def minds(self, failed: pd.Series) -> bool:
        table = self.tables[self.name]
        marked = table.assign(status=table[STATUS].mask(failed, FAILED))
        try:
            return self._decide({**self.tables, self.name: marked}) != self.sound
        except Exception:  # the study's own code, on a table that it never had: it minds
            return True

    def _decide(self, tables: Tables) -> dict[str, Any]:
        with warnings.catch_warnings():  # what there is to warn of is said where the verdict is computed
            warnings.simplefilter("ignore")
            return self.claim.verdict(tables).as_dict()
