"""The end of a run: its cells in tables, then verdicts, figures and the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mibounds import files
from mibounds.errors import MiboundsError, StudyError, one_line
from mibounds.study import checking, record, tables
from mibounds.study.grid import Grid
from mibounds.study.store import Store
from mibounds.study.study import Study, Tables
from mibounds.study.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd


class RunFailed(MiboundsError):
    """Some cells could not be measured; all others are finished and kept.

    Attributes:
        failures: one line a cell: which, and why.
    """

    def __init__(self, message: str, failures: Sequence[str]):
        super().__init__(message)
        self.failures = tuple(failures)


@dataclass(frozen=True)
class Results:
    """What a run left behind: its folder, record, tables and verdicts."""

    folder: Path
    record: dict[str, Any]
    tables: Tables
    verdicts: dict[str, Verdict]

    @property
    def table(self) -> pd.DataFrame:
        return self.tables["table"]


def conclude(grid: Grid, folder: Path, session: dict[str, Any]) -> Results:
    """Tables, verdicts and figures from what was written, as a later check will read it; the record last."""
    gathered = _gather(grid, folder)
    if session["resumed_cells"] == len(grid.cells):
        session |= _earlier_session(grid, folder, session)
    hashes = tables.write(folder, gathered.tables)
    written = tables.read(folder, hashes)
    decided = checking.verdicts(grid.study, written)
    _draw(grid.study, written, folder)
    made = record.make(grid, gathered, written, hashes, decided, session)
    record.write(folder, made)
    return Results(folder, made, written, decided)


def redraw(study: Study, folder: str | Path) -> list[Path]:
    """Draw the figures again from the tables in `folder`."""
    return _draw(study, checking.read_results(folder)[1], Path(folder))


def _earlier_session(grid: Grid, folder: Path, session: dict[str, Any]) -> dict[str, Any]:
    """Nothing was measured: the record goes on telling of the run that did, if that was of this grid."""
    there = record.read(folder) or {}
    if there.get("grid") != grid.sha256:
        return {}
    names = (*session, "workers", "nodes", "device", "device_name")
    return {name: there[name] for name in names if name in there}


def _gather(grid: Grid, folder: Path) -> tables.Gathered:
    """All cells, one after the other. Raises: RunFailed if one was spoilt or lost since it was measured."""
    warnings: list[str] = []
    store, gathered = Store(folder, warnings.append), tables.Gathered()
    lost = []
    for cell in grid.cells:
        payload = store.read(cell)
        if payload is None:
            lost.append(cell)
        else:
            gathered.add(cell.point, payload)
    if lost:
        raise RunFailed(
            f"{len(lost)} of {len(grid.cells)} cells of {grid.study.slug} were measured but cannot be read; "
            "run again to measure those anew",
            warnings or [f"{cell!r}: its file went missing" for cell in lost],
        )
    return gathered


def _draw(study: Study, of: Tables, folder: Path) -> list[Path]:
    try:
        figure = None if study.draw is None else study.draw(of)
    except Exception as error:  # the study's own code; tables and cells are kept
        raise StudyError(f"study {study.slug!r}, figure: {one_line(error)}") from error
    if figure is None:
        return []
    paths = [folder / "figure.png", folder / "figure.svg"]
    for path in paths:
        with files.whole(path) as temporary:
            figure.savefig(temporary, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths
