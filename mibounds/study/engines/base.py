"""What an engine is, and the work itself, which is the same on each of them."""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mibounds.errors import StoreError, StudyError
from mibounds.study import find
from mibounds.study.cell import Cell, Pack
from mibounds.study.store import Store
from mibounds.study.study import Measurement, Point, Study


@dataclass(frozen=True)
class Task:
    """One pack to measure, in plain values, so that it can travel to another process or machine.

    Attributes:
        study_file, study_sha256: which study, and that it is still the same file.
        folder: the results folder.
        label: names the pack on a progress line.
        points, settings: the pack's cells.
        missing: ids of the cells to store; the others are finished.
    """

    study_file: str
    study_sha256: str
    folder: str
    label: str
    points: list[Point]
    settings: dict[str, Any]
    missing: list[str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Started:
    """A worker took this task up."""

    task: Task


@dataclass(frozen=True)
class Ended:
    """A task is over: "done", "failed" (study's code, killed worker) or "store" (results cannot be kept).

    Attributes:
        reason: one line, empty when done.
        trace: the traceback, for the failures' file.
    """

    task: Task
    kind: Literal["done", "failed", "store"]
    reason: str = ""
    trace: str = ""


class Engine(ABC):
    """Measures tasks somewhere. Cells are written by the worker, into the folder that the task names."""

    @abstractmethod
    def run(self, tasks: Sequence[Task], device: str) -> Generator[Started | Ended | None]:
        """Events as they come, and None about once a second between them; ends after the last task.

        Closing the generator stops all work at once.
        """

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """For the record: engine, device, workers ..."""


def measure(task: Task, study: Study, device: str, made: dict[str, Any]) -> Ended:
    """Measure the pack whole and store the cells that are missing, each as it comes."""
    cells = tuple(Cell(study, point, task.settings) for point in task.points)
    store = Store(Path(task.folder))
    missing = set(task.missing) - store.present()  # a second runner may have finished some meanwhile
    if not missing:
        return Ended(task, "done")
    try:
        _measure(Pack(cells, device), study, missing, store, made)
    except StoreError as error:
        return Ended(task, "store", str(error))
    except Exception as error:  # the study's own code: whatever it raises is that pack's failure
        line = find.line_of(error, Path(task.study_file))
        where = "" if line is None else f" ({Path(task.study_file).name}, line {line})"
        return Ended(task, "failed", find.one_line(error) + where, traceback.format_exc())
    return Ended(task, "done")


def _measure(pack: Pack, study: Study, missing: set[str], store: Store, made: dict[str, Any]) -> None:
    clock = time.perf_counter()
    measurements = study.measure(pack)
    whole = None
    if isinstance(measurements, Sequence):
        whole = (time.perf_counter() - clock) / len(pack.cells)
        _require_count(len(measurements), pack)
    count = 0
    for count, measured in enumerate(measurements, start=1):
        _require_count(count, pack, at_most=True)
        if not isinstance(measured, Measurement):
            raise StudyError(f"measure must give one Measurement per cell; got {type(measured).__name__}")
        now = time.perf_counter()
        seconds, clock = now - clock if whole is None else whole, now
        cell = pack.cells[count - 1]
        if cell.id in missing:
            store.write(cell, measured, seconds, made)
    _require_count(count, pack)


def _require_count(count: int, pack: Pack, at_most: bool = False) -> None:
    if count > len(pack.cells) or (count < len(pack.cells) and not at_most):
        raise StudyError(f"measure must give one Measurement per cell, {len(pack.cells)} here; got {count}")
