"""Finished cells on disk: one JSON file a cell, whole or absent, its checksum inside."""

from __future__ import annotations

import json
import os
import uuid
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mibounds import files
from mibounds.errors import StoreError, StudyError
from mibounds.study import peak
from mibounds.study.cell import Cell, digest
from mibounds.study.study import TABLE, Measurement, Row

SCHEMA = 2  # the first had no hash of the code that measured
NAMED = 5
ASIDE = "set_aside"
STALE = "the code that measured it is not the study's any more"
FLUSH_SECONDS = (
    1.0  # what took less is sooner measured again, after a loss of power, than waited for on a disk
)


@dataclass(frozen=True)
class Store:
    """The folder `cells/` of a study's results. A cell is finished when its file is there.

    Attributes:
        folder: the results folder; cells lie in `cells/` below it.
        warn: takes one line about each file that cannot be used.
    """

    folder: Path
    warn: Callable[[str], None] = warnings.warn

    @property
    def cells(self) -> Path:
        return self.folder / "cells"

    def path(self, cell_id: str) -> Path:
        return self.cells / f"{cell_id}.json"

    def open(self) -> None:
        """Make the folder, see that it can be written, and clear what killed writers left."""
        files.write_text(self.cells / ".writable", "")
        files.remove(self.cells / ".writable")
        files.remove_stale(self.cells)
        files.remove_stale(self.folder)

    def present(self) -> set[str]:
        """Ids of all files there, unread: cheap, for a progress bar."""
        try:
            with os.scandir(self.cells) as entries:
                return {entry.name.removesuffix(".json") for entry in entries if entry.name.endswith(".json")}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise StoreError(f"cannot list {self.cells}: {error.strerror or error}") from error

    def holds(self, cell_ids: Iterable[str]) -> bool:
        """Whether the files of all these are there, unread."""
        return all(self.path(cell_id).exists() for cell_id in cell_ids)

    def count(self, cell_ids: Iterable[str]) -> int:
        """How many of these have a file, unread: cheap where they are few."""
        return sum(self.path(cell_id).exists() for cell_id in cell_ids)

    def write(self, cell: Cell, measured: Measurement, seconds: float, made: dict[str, Any]) -> None:
        """Store what `cell` gave, unless it is there. `made` tells with which device and versions."""
        content = content_of(cell, measured, seconds, made)
        if not self.path(cell.id).exists():  # so that two runners agree on `seconds`
            files.write_text(self.path(cell.id), content, flush=seconds >= FLUSH_SECONDS)

    def read(self, cell: Cell) -> dict[str, Any] | None:
        """The payload of a finished cell; None if there is none or, with a warning, it was unusable."""
        payload, fault = self._look_at(cell)
        if fault is not None:
            self.set_aside(self.path(cell.id), fault)
        return payload

    def finished(self, cells: Iterable[Cell]) -> set[str]:
        """Ids of the cells whose file is there and sound. Of files with the same fault the first few are named."""
        present, found = (
            self.present(),
            set[str](),
        )  # one look at the folder is cheaper than one for each cell
        unusable: dict[str, int] = {}
        for cell in (cell for cell in cells if cell.id in present):
            payload, fault = self._look_at(cell)
            if payload is not None:
                found.add(cell.id)
            elif fault is not None and self._move_aside(self.path(cell.id)):
                unusable[fault] = unusable.get(fault, 0) + 1
                if unusable[fault] <= NAMED:
                    self._say(self.path(cell.id), fault)
        for fault, count in unusable.items():
            if count > NAMED:
                self.warn(
                    f"{count - NAMED} more files in {self.cells} cannot be used: {fault}; moved to {ASIDE}/"
                )
        return found

    def set_aside(self, path: Path, fault: str) -> None:
        """Move a file that cannot be used out of the way, and say so."""
        if self._move_aside(path):
            self._say(path, fault)

    def forget(self, cells: Iterable[Cell]) -> None:
        """Move their files out of the way, so that they are measured anew; nothing is lost."""
        present = self.present()
        for cell in cells:
            if cell.id in present:
                self._move_aside(self.path(cell.id))

    def _look_at(self, cell: Cell) -> tuple[dict[str, Any] | None, str | None]:
        """The sound payload, or what is wrong with the file; neither if there is none."""
        content = files.read_bytes(self.path(cell.id))
        if content is None:
            return None, None
        payload, fault = parse(content)
        if payload is not None:
            fault = fault_for(payload, cell)
        return (payload, None) if fault is None else (None, fault)

    def _move_aside(self, path: Path) -> bool:
        """Whether it was this runner that moved the file away, and not a faster one."""
        aside = self.cells / ASIDE / f"{path.stem}.{uuid.uuid4().hex[:8]}.json"
        try:
            aside.parent.mkdir(exist_ok=True)
            path.rename(aside)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"cannot move {path} to {aside}: {error.strerror or error}") from error
        return True

    def _say(self, path: Path, fault: str) -> None:
        self.warn(f"{path} cannot be used: {fault}; moved to {ASIDE}/, the cell is done again")


def content_of(cell: Cell, measured: Measurement, seconds: float, made: dict[str, Any]) -> str:
    """The text of a cell's file. Raises: StudyError if its rows are not tidy."""
    tables = {name: [_plain_row(cell, name, row) for row in rows] for name, rows in measured.tables.items()}
    if not tables[TABLE]:
        raise StudyError(f"{cell!r} gave no row; a failure is a row too, with a status and a reason")
    for row in tables[TABLE]:
        if not isinstance(row.get("status"), str) or "seconds" in row:
            raise StudyError(
                f"each row of {cell!r} must have a `status` text and no `seconds`; got {', '.join(row)}"
            )
    payload = {
        "schema": SCHEMA,
        "study": cell.study.slug,
        "version": cell.study.version,
        "code": cell.study.code,
        "id": cell.id,
        "point": cell.point,
        "settings": cell.settings,
        "tables": tables,
        "seconds": seconds,
        "peak_mib": peak.mib(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "made": made,
    }
    return json.dumps(payload | {"sha256": digest(payload)}) + "\n"


def parse(content: bytes) -> tuple[dict[str, Any] | None, str | None]:
    """What a cell file holds, or why it is none: broken, changed since, or of another schema."""
    try:
        payload = json.loads(content.decode(errors="replace"))
    except json.JSONDecodeError:
        return None, "it is truncated or no JSON"
    if not isinstance(payload, dict) or "sha256" not in payload:
        return None, "it is no cell file"
    if digest({name: value for name, value in payload.items() if name != "sha256"}) != payload["sha256"]:
        return None, "its checksum does not match its content"
    if payload.get("schema") != SCHEMA:
        return None, f"it has schema {payload.get('schema')!r}, not {SCHEMA}"
    return payload, None


def fault_for(payload: dict[str, Any], cell: Cell) -> str | None:
    """Why a sound payload is not what `cell` would give today, or None."""
    if payload.get("id") != cell.id:
        return f"it holds another cell, {payload.get('id')!r}"
    if payload.get("code") != cell.study.code:
        return STALE
    return None


def _plain_row(cell: Cell, table: str, row: Row) -> dict[str, Any]:
    plain = {name: _plain(value) for name, value in row.items()}
    for name, value in plain.items():
        if not isinstance(name, str):
            raise StudyError(f"columns of {table!r} in {cell!r} must be called by texts; got {name!r}")
        if not (value is None or isinstance(value, (str, int, float, bool))):
            raise StudyError(
                f"column {name!r} of {table!r} in {cell!r} must hold one number or text; got {value!r}"
            )
    return plain


def _plain(value: Any) -> Any:
    """Scalars of NumPy and torch as Python's own; the rest as it is."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
