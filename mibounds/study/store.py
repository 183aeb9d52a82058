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
from mibounds.study.cell import Cell, digest
from mibounds.study.study import TABLE, Measurement, Row

SCHEMA = 1
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

    def write(self, cell: Cell, measured: Measurement, seconds: float, made: dict[str, Any]) -> None:
        """Store what `cell` gave, unless it is there. `made` tells with which device and versions."""
        tables = {
            name: [_plain_row(cell, name, row) for row in rows] for name, rows in measured.tables.items()
        }
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
            "id": cell.id,
            "point": cell.point,
            "settings": cell.settings,
            "tables": tables,
            "seconds": seconds,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "made": made,
        }
        if not self.path(cell.id).exists():  # so that two runners agree on `seconds`
            text = json.dumps(payload | {"sha256": digest(payload)}) + "\n"
            files.write_text(self.path(cell.id), text, flush=seconds >= FLUSH_SECONDS)

    def read(self, cell: Cell) -> dict[str, Any] | None:
        """The payload of a finished cell; None if there is none or, with a warning, it was unusable."""
        path = self.path(cell.id)
        try:
            text = path.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
        try:
            payload = json.loads(text)
            fault = _fault(payload, cell)
        except json.JSONDecodeError:
            fault = "it is truncated or no JSON"
        if fault is None:
            return payload
        self._set_aside(path, fault)
        return None

    def finished(self, cells: Iterable[Cell]) -> set[str]:
        """Ids of the cells whose file is there and sound."""
        return {cell.id for cell in cells if self.read(cell) is not None}

    def remove(self, cells: Iterable[Cell]) -> None:
        for cell in cells:
            files.remove(self.path(cell.id))

    def _set_aside(self, path: Path, fault: str) -> None:
        aside = self.cells / "set_aside" / f"{path.stem}.{uuid.uuid4().hex[:8]}.json"
        try:
            aside.parent.mkdir(exist_ok=True)
            path.rename(aside)
        except FileNotFoundError:
            return  # another runner was faster
        except OSError as error:
            raise StoreError(f"cannot move {path} to {aside}: {error.strerror or error}") from error
        self.warn(f"{path} cannot be used: {fault}; moved to {aside.parent.name}/, the cell is done again")


def _fault(payload: Any, cell: Cell) -> str | None:
    if not isinstance(payload, dict) or "sha256" not in payload:
        return "it is no cell file"
    content = {name: value for name, value in payload.items() if name != "sha256"}
    if digest(content) != payload["sha256"]:
        return "its checksum does not match its content"
    if content.get("schema") != SCHEMA:
        return f"it has schema {content.get('schema')!r}, not {SCHEMA}"
    if content.get("id") != cell.id:
        return f"it holds another cell, {content.get('id')!r}"
    return None


def _plain_row(cell: Cell, table: str, row: Row) -> dict[str, Any]:
    plain = {name: _plain(value) for name, value in row.items()}
    for name, value in plain.items():
        if not (value is None or isinstance(value, (str, int, float, bool))):
            raise StudyError(
                f"column {name!r} of {table!r} in {cell!r} must hold one number or text; got {value!r}"
            )
    return plain


def _plain(value: Any) -> Any:
    """Scalars of NumPy and torch as Python's own; the rest as it is."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
