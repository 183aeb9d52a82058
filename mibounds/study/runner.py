"""Run a study: grid, packs, what is missing, an engine; then tables, figures and the record."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mibounds import files
from mibounds.errors import MiboundsError, ParameterError, StoreError, StudyError
from mibounds.study import checking, find, record, tables
from mibounds.study.cell import Cell, Pack
from mibounds.study.engines.base import Ended, Engine, Started, Task
from mibounds.study.engines.local import LocalEngine
from mibounds.study.grid import Grid, make_grid
from mibounds.study.shard import Shard
from mibounds.study.store import Store
from mibounds.study.study import Study, Tables, Value
from mibounds.study.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from mibounds.study.progress import Reporter

FAILURES = "failures.txt"
NAMED_FAILURES = 20
TRACES = 100
DEVICES = ("auto", "cpu", "cuda")


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


@dataclass(frozen=True)
class Status:
    """How far a grid has come in a folder."""

    total: int
    missing: tuple[Cell, ...]

    @property
    def done(self) -> int:
        return self.total - len(self.missing)


def default_out(study: Study, preset: str, altered: bool, base: str | Path = "results") -> Path:
    """Where results go: `<slug>` for the unaltered full grid alone, a folder below it for everything else."""
    own = Path(base, study.slug)
    if altered:
        return own / "custom"
    return own if preset == "full" else own / preset


def status(
    study: Study,
    preset: str,
    out: str | Path,
    *,
    overrides: Mapping[str, Sequence[Value]] | None = None,
    replicates: int | None = None,
) -> Status:
    """Which cells of the grid are not finished in `out`. Reads names only."""
    return _status(make_grid(study, preset, overrides, replicates), Path(out))


def _status(grid: Grid, folder: Path) -> Status:
    present = Store(folder).present()
    return Status(len(grid.cells), tuple(cell for cell in grid.cells if cell.id not in present))


def run(
    study: Study,
    preset: str = "full",
    out: str | Path | None = None,
    *,
    overrides: Mapping[str, Sequence[Value]] | None = None,
    replicates: int | None = None,
    device: str = "auto",
    workers: int | None = None,
    fresh: bool = False,
    engine: Engine | None = None,
    console: Console | None = None,
) -> Results:
    """Measure the cells of the grid that `out` lacks, then write tables, figures and the record.

    Args:
        study: as `find.load` gives it.
        preset: one of the study's presets.
        out: results folder; by default `default_out` chooses it under `results/`.
        overrides: axis -> values instead of the preset's.
        replicates: number of replicates instead of the preset's.
        device: "cpu", "cuda", or "auto" for CUDA where there is some.
        workers: processes of the local engine.
        fresh: forget the grid's finished cells first.
        engine: another engine than the local one.
        console: where progress goes; standard error by default.

    Raises:
        RunFailed: some cells failed; the rest is kept, and the same command tries those again.
        StoreError: the folder cannot be written.
        ParameterError, UnknownNameError: the input is no grid of this study, or the device is not there.
    """
    grid = _grid(study, preset, overrides, replicates, device)
    folder = default_out(study, preset, grid.altered) if out is None else Path(out)
    engine = engine or LocalEngine(workers)
    command = record.command(grid, overrides or {}, replicates, device)
    session = _measure_missing(grid, grid.packs, "", folder, engine, device, fresh, console)
    return _conclude(grid, folder, session | {"command": command} | engine.facts())


def run_shard(
    study: Study,
    shard: Shard,
    preset: str = "full",
    out: str | Path | None = None,
    *,
    overrides: Mapping[str, Sequence[Value]] | None = None,
    replicates: int | None = None,
    device: str = "auto",
    workers: int | None = None,
    fresh: bool = False,
    engine: Engine | None = None,
    console: Console | None = None,
) -> Results | Status:
    """Measure one shard's part of what `run` would; conclude as it does if no cell of the grid is missing then.

    Args:
        shard: which part; its packs are the same on every machine.
        study, preset, out, overrides, replicates, device, workers, fresh, engine, console: as for `run`.

    Returns:
        Which cells of the other shards `out` still lacks, or the results.

    Raises:
        RunFailed: some cells of this shard failed. All else as for `run`.
    """
    grid = _grid(study, preset, overrides, replicates, device)
    folder = default_out(study, preset, grid.altered) if out is None else Path(out)
    engine = engine or LocalEngine(workers)
    command = record.command(grid, overrides or {}, replicates, device)
    packs, name = shard.packs(grid), f", shard {shard}"
    session = _measure_missing(grid, packs, name, folder, engine, device, fresh, console)
    left = _status(grid, folder)
    if left.missing:
        return left
    return _conclude(grid, folder, session | {"command": command} | engine.facts())


def _grid(
    study: Study,
    preset: str,
    overrides: Mapping[str, Sequence[Value]] | None,
    replicates: int | None,
    device: str,
) -> Grid:
    if study.file is None:
        raise StudyError(f"study {study.slug!r} has no file; load it with mibounds.study.load")
    if device not in DEVICES:
        raise ParameterError(f"device must be one of {', '.join(DEVICES)}; got {device!r}")
    return make_grid(study, preset, overrides, replicates)


def _measure_missing(
    grid: Grid,
    packs: Sequence[Pack],
    part: str,
    folder: Path,
    engine: Engine,
    device: str,
    fresh: bool,
    console: Console | None,
) -> dict[str, Any]:
    """Measure what `folder` lacks of these packs; returns what the record tells of it. Raises: RunFailed."""
    from mibounds.study.progress import Reporter  # and with it rich, which a status or a figure does without

    _require_room(grid, folder)
    started, clock = record.now(), time.perf_counter()
    cells = [cell for pack in packs for cell in pack.cells]
    with Reporter(f"{grid.study.slug} ({grid.preset}{part})", len(cells), console) as reporter:
        store = Store(folder, lambda line: reporter.note(f"warning: {line}"))
        store.open()
        if fresh:
            store.remove(cells)
        finished = store.finished(cells)
        reporter.resume(len(finished))
        tasks = _tasks(grid, folder, finished, packs)
        failures = _measure(len(finished), tasks, store, engine, device, reporter)
        _report_failures(cells, folder, failures, store.present())
    return {
        "started": started,
        "finished": record.now(),
        "wall_seconds": time.perf_counter() - clock,
        "resumed_cells": len(grid.cells) - len(cells) + len(finished),
    }


def redraw(study: Study, folder: str | Path) -> list[Path]:
    """Draw the figures again from the tables in `folder`."""
    return _draw(study, checking.read_results(folder)[1], Path(folder))


def _require_room(grid: Grid, folder: Path) -> None:
    """No other grid takes the place of full results, and no study that of another."""
    there = record.read(folder)
    if there is None:
        return
    if there["study"] != grid.study.slug:
        raise StoreError(f"{folder} holds results of study {there['study']}; choose another folder")
    full_there = there["preset"] == "full" and not there.get("altered")
    if full_there and (grid.preset != "full" or grid.altered):
        raise StoreError(f"{folder} holds the full results of {there['study']}; choose another folder")


def _tasks(grid: Grid, folder: Path, finished: set[str], packs: Sequence[Pack] | None = None) -> list[Task]:
    study_file = Path(str(grid.study.file))
    sha256, whole_path = files.sha256_of(study_file), str(folder.resolve())
    return [
        Task(
            study_file=str(study_file),
            study_sha256=sha256,
            folder=whole_path,
            label=pack.label,
            points=[cell.point for cell in pack.cells],
            settings=pack.settings,
            missing=missing,
        )
        for pack in (grid.packs if packs is None else packs)
        if (missing := [cell.id for cell in pack.cells if cell.id not in finished])
    ]


def _measure(
    done: int, tasks: list[Task], store: Store, engine: Engine, device: str, reporter: Reporter
) -> list[Ended]:
    """Hand the tasks to the engine; returns those that failed. `done` cells were finished before."""
    if not tasks:
        return []
    running: dict[int, Task] = {}
    failures: list[Ended] = []

    def count() -> int:
        """Finished cells: a file is looked for where a pack is at work or failed, never in the whole folder."""
        unsure = [*running.values(), *(ended.task for ended in failures)]
        return done + sum(store.count(task.missing) for task in unsure)

    total = reporter.total
    events = engine.run(tasks, device)
    try:
        for event in events:
            match event:
                case Started(task):
                    running[id(task)] = task
                    reporter.running[id(task)] = task.label
                case Ended(task, kind, reason):
                    running.pop(id(task), None)
                    reporter.running.pop(id(task), None)
                    if event.note:
                        reporter.note(f"tried again: {task.label}: {event.note}")
                    if kind == "store":
                        raise StoreError(reason)
                    if kind == "failed":
                        failures.append(event if len(failures) < TRACES else replace(event, trace=""))
                        if len(failures) <= NAMED_FAILURES:
                            reporter.note(f"failed: {task.label}: {reason}")
                        if len(failures) == NAMED_FAILURES:
                            reporter.note(f"further failures will be in {FAILURES}")
                    else:
                        done += len(task.missing)
            if reporter.is_due():
                reporter.show(count())
        reporter.show(count())
    except KeyboardInterrupt:
        reporter.note(
            f"stopped: {count()} of {total} cells are finished; the same command goes on from there"
        )
        raise
    finally:
        events.close()
    return failures


def _report_failures(
    cells: Sequence[Cell], folder: Path, failures: Sequence[Ended], present: set[str]
) -> None:
    """RunFailed, with the tracebacks in a file, if a cell is missing."""
    missing = [cell for cell in cells if cell.id not in present]
    if not missing:
        files.remove(folder / FAILURES)
        return
    reasons = {cell: ended.reason for ended in failures for cell in ended.task.missing}
    lines = [f"{cell!r}: {reasons.get(cell.id, 'its file went missing')}" for cell in missing]
    files.write_text(
        folder / FAILURES, "\n".join([*lines, "", *(ended.trace for ended in failures[:TRACES])])
    )
    raise RunFailed(
        f"{len(missing)} of {len(cells)} cells of {cells[0].study.slug} failed, the others are kept; "
        f"see {folder / FAILURES}, and run again to try those anew",
        lines,
    )


def _earlier_session(folder: Path, session: dict[str, Any]) -> dict[str, Any]:
    """Nothing was measured: the record goes on telling of the run that did."""
    there = record.read(folder) or {}
    names = (*session, "workers", "nodes", "device", "device_name")
    return {name: there[name] for name in names if name in there}


def _conclude(grid: Grid, folder: Path, session: dict[str, Any]) -> Results:
    """Tables, verdicts and figures from what was written, as a later check will read it; the record last."""
    gathered = _gather(grid, folder)
    if session["resumed_cells"] == len(grid.cells):
        session |= _earlier_session(folder, session)
    hashes = tables.write(folder, gathered.tables)
    written = tables.read(folder, hashes)
    decided = checking.verdicts(grid.study, written)
    _draw(grid.study, written, folder)
    made = record.make(grid, gathered, written, hashes, decided, session)
    record.write(folder, made)
    return Results(folder, made, written, decided)


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
        raise StudyError(f"study {study.slug!r}, figure: {find.one_line(error)}") from error
    if figure is None:
        return []
    paths = [folder / "figure.png", folder / "figure.svg"]
    for path in paths:
        with files.whole(path) as temporary:
            figure.savefig(temporary, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths
