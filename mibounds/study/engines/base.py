"""What an engine is, and the work itself, which is the same on each of them."""

from __future__ import annotations

import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn

from mibounds.errors import MiboundsError, ParameterError, StoreError, StudyError, one_line
from mibounds.study import find, peak
from mibounds.study.cell import Cell, Pack
from mibounds.study.mirror import Mirror
from mibounds.study.store import Store
from mibounds.study.study import Measurement, Point, Study
from mibounds.study.workers import memory


@dataclass(frozen=True)
class Task:
    """One pack to measure, in plain values, so that it can travel to another process or machine.

    Attributes:
        study_file, study_sha256: which study, and that it is still the same file.
        folder: the results folder.
        label: names the pack on a progress line.
        points, settings: the pack's cells.
        missing: ids of the cells that are not finished yet.
        width: cells that are measured together, fewer than all of them after memory was not enough; None for all.
        mirror: URL where finished cells go, too.
    """

    study_file: str
    study_sha256: str
    folder: str
    label: str
    points: list[Point]
    settings: dict[str, Any]
    missing: list[str]
    width: int | None = None
    mirror: str | None = None

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
        note: one line on what was tried before, if anything: halves, or another worker.
    """

    task: Task
    kind: Literal["done", "failed", "store"]
    reason: str = ""
    trace: str = ""
    note: str = ""

    def as_answer(self) -> dict[str, str]:
        """All but the task, in plain values."""
        return {"kind": self.kind, "reason": self.reason, "trace": self.trace, "note": self.note}


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


def require_limit(minutes: float | None) -> float | None:
    """The limit of a pack in seconds, None for no limit. Raises: ParameterError."""
    if minutes is None:
        return None
    if not 0 < 60 * minutes <= threading.TIMEOUT_MAX:
        raise ParameterError(f"the limit of a pack must be a number of minutes, more than 0; got {minutes:g}")
    return 60 * minutes


def halved(task: Task) -> Task | None:
    """The same pack in parts of half the width; None where a cell is alone already."""
    width = task.width or len(task.points)
    return None if width == 1 else replace(task, width=(width + 1) // 2)


def in_parts(task: Task) -> str:
    """What a halved task does, in words."""
    return f"its {len(task.points)} cells are measured {task.width} at a time"


def measure(task: Task, study: Study, device: str, made: dict[str, Any]) -> Ended:
    """Measure the pack and store its cells as they come; finished ones stay as they are.

    It is measured whole. If memory is not enough for that, in halves: the same seeds, and results that differ in
    rounding alone, where a run's numbers depend on its stack at all.
    """
    note = ""
    while True:
        ended, ran_out = _attempt(task, study, device, made)
        narrower = halved(task) if ran_out else None
        if narrower is None:
            return _sent(task, replace(ended, note=note))
        task, note = narrower, f"{ended.reason}; {in_parts(narrower)}"
        memory.release()


def _sent(task: Task, ended: Ended) -> Ended:
    """How it ended, the finished cells being in the mirror, if there is one: a cell that is not there is not done."""
    if task.mirror is None:
        return ended
    try:
        Mirror(task.mirror).send(Store(Path(task.folder)), task.missing)
    except MiboundsError as error:
        return replace(ended, kind="failed", reason=ended.reason or str(error))
    return ended


def _attempt(task: Task, study: Study, device: str, made: dict[str, Any]) -> tuple[Ended, bool]:
    """How it ended, and whether for want of memory."""
    cells = tuple(Cell(study, point, task.settings) for point in task.points)
    store, width = Store(Path(task.folder)), task.width or len(cells)
    parts = [cells[start : start + width] for start in range(0, len(cells), width)]
    made = made if len(parts) == 1 else made | {"width": width}
    asked = set(task.missing)
    peak.forget()
    try:
        for part in parts:
            # A second runner was faster, or an attempt before this one. What cannot be used, which lies on this
            # machine's own disk, makes room.
            if [cell for cell in part if cell.id in asked and store.read(cell) is None]:
                _measure(Pack(part, device), study, store, made)
    except StoreError as error:
        return Ended(task, "store", str(error)), False
    except Exception as error:  # the study's own code: whatever it raises is that pack's failure
        line = find.line_of(error, Path(task.study_file))
        where = "" if line is None else f" ({Path(task.study_file).name}, line {line})"
        reason = one_line(error) + where
        return Ended(task, "failed", reason, traceback.format_exc()), memory.ran_out(error)
    return Ended(task, "done"), False


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
