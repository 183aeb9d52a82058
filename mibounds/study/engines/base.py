"""What an engine is, and the work itself, which is the same on each of them."""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from mibounds.errors import StoreError, StudyError
from mibounds.study import find, memory
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
        missing: ids of the cells that are not finished yet.
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
        """Events as they come, and None about once a second between them.

        Ends after the last task or the first "store". Closing the generator stops all work at once.
        """

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """For the record: engine, device, workers ..."""


def measure(task: Task, study: Study, device: str, made: dict[str, Any]) -> Ended:
    """Measure the pack whole and store its cells as they come; finished ones stay as they are."""
    cells = tuple(Cell(study, point, task.settings) for point in task.points)
    store = Store(Path(task.folder))
    if store.holds(task.missing):  # a second runner was faster
        return Ended(task, "done")
    memory.forget_peak()
    try:
        _measure(Pack(cells, device), study, store, made)
    except StoreError as error:
        return Ended(task, "store", str(error))
    except Exception as error:  # the study's own code: whatever it raises is that pack's failure
        line = find.line_of(error, Path(task.study_file))
        where = "" if line is None else f" ({Path(task.study_file).name}, line {line})"
        return Ended(task, "failed", find.one_line(error) + where, traceback.format_exc())
    return Ended(task, "done")


def _measure(pack: Pack, study: Study, store: Store, made: dict[str, Any]) -> None:
    n_cells, count = len(pack.cells), 0
    for measured, seconds in _timed(pack, study):
        count += 1
        if not isinstance(measured, Measurement):
            raise StudyError(f"measure must give one Measurement per cell; got {type(measured).__name__}")
        if count < n_cells:
            store.write(pack.cells[count - 1], measured, seconds, made)
    if count != n_cells:
        _refuse_count(pack, count)
    store.write(pack.cells[-1], measured, seconds, made)  # only now: a pack that ends badly is not finished


def _timed(pack: Pack, study: Study) -> Iterator[tuple[Any, float]]:
    """What the study measures, with seconds: equal shares of a list's, the time between a generator's."""
    clock = time.perf_counter()
    measurements = study.measure(pack)
    if isinstance(measurements, Sequence):
        if len(measurements) != len(pack.cells):
            _refuse_count(pack, len(measurements))
        share = (time.perf_counter() - clock) / len(pack.cells)
        yield from ((measured, share) for measured in measurements)
        return
    for measured in measurements:
        yield measured, time.perf_counter() - clock
        clock = time.perf_counter()


def _refuse_count(pack: Pack, count: int) -> NoReturn:
    raise StudyError(f"measure must give one Measurement per cell, {len(pack.cells)} here; got {count}")
