"""Run a study: grid, packs, what is missing, an engine; then tables, figures and the record."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mibounds import files
from mibounds.errors import ParameterError, StoreError, StudyError
from mibounds.study import record
from mibounds.study.cell import Cell, Pack
from mibounds.study.conclusion import Results, RunFailed, conclude
from mibounds.study.engines.base import Ended, Engine, Started, Task
from mibounds.study.engines.local import LocalEngine
from mibounds.study.grid import Grid, make_grid
from mibounds.study.mirror import Mirror
from mibounds.study.places import default_out, mirror_of
from mibounds.study.shard import Shard
from mibounds.study.store import Store
from mibounds.study.study import Study, Value

if TYPE_CHECKING:
    from rich.console import Console

    from mibounds.study.progress import Reporter

FAILURES = "failures.txt"
NAMED_FAILURES = 20
TRACES = 100
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Status:
    """How far a grid has come in a folder."""

    total: int
    missing: tuple[Cell, ...]

    @property
    def done(self) -> int:
        return self.total - len(self.missing)


def status(
    study: Study,
    preset: str,
    out: str | Path,
    *,
    overrides: Mapping[str, Sequence[Value]] | None = None,
    replicates: int | None = None,
    mirror: str | None = None,
) -> Status:
    """Which cells of the grid are finished neither in `out` nor in the mirror. Reads names only."""
    grid = make_grid(study, preset, overrides, replicates)
    return _status(grid, Path(out), mirror_of(grid, mirror))


def _status(grid: Grid, folder: Path, mirror: Mirror | None) -> Status:
    present = Store(folder).present() | (set() if mirror is None else mirror.present())
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
    mirror: str | None = None,
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
        fresh: `forget` the grid's finished cells first.
        engine: another engine than the local one.
        mirror: URL of a second folder `results/`, for any backend of fsspec: cells go there as they are finished, those
            that lie there alone are fetched, and the results follow.
        console: where progress goes; standard error by default.

    Raises:
        RunFailed: some cells failed; the rest is kept, and the same command tries those again.
        StoreError: the folder cannot be written, or the mirror not be reached.
        ParameterError, UnknownNameError: the input is no grid of this study, or the device is not there.
    """
    asked = (study, preset, out, overrides, replicates, device, engine or LocalEngine(workers), mirror)
    this = _run_of(*asked)
    if fresh:
        this.forget(this.grid.packs)
    return this.conclude(this.measure(this.grid.packs, console))


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
    mirror: str | None = None,
    console: Console | None = None,
) -> Results | Status:
    """Measure one shard's part of what `run` would; conclude as it does if no cell of the grid is missing then.

    Args:
        shard: which part; its packs are the same on every machine.
        study, preset, out, overrides, replicates, device, workers, fresh, engine, mirror, console: as for `run`.

    Returns:
        Which cells of the other shards are still missing in `out` and in the mirror, or the results.

    Raises:
        RunFailed: some cells of this shard failed. All else as for `run`.
    """
    asked = (study, preset, out, overrides, replicates, device, engine or LocalEngine(workers), mirror)
    this = _run_of(*asked)
    packs = shard.packs(this.grid)
    if fresh:
        this.forget(packs)
    session = this.measure(packs, console, f", shard {shard}")
    left = this.left(console)
    return left if left.missing else this.conclude(session)


def forget(
    study: Study,
    preset: str = "full",
    out: str | Path | None = None,
    *,
    shard: Shard | None = None,
    overrides: Mapping[str, Sequence[Value]] | None = None,
    replicates: int | None = None,
    mirror: str | None = None,
) -> None:
    """Take away the grid's finished cells, or those of one shard, so that a run measures them anew.

    Here they are moved to `cells/set_aside/`, those of the mirror too; there they are removed.

    Args:
        study, preset, out, shard, overrides, replicates, mirror: as for `run_shard`.

    Raises:
        StoreError: the folder holds other results or cannot be written, or the mirror not be reached.
    """
    this = _run_of(study, preset, out, overrides, replicates, "auto", LocalEngine(), mirror)
    this.forget(this.grid.packs if shard is None else shard.packs(this.grid))


def _run_of(
    study: Study,
    preset: str,
    out: str | Path | None,
    overrides: Mapping[str, Sequence[Value]] | None,
    replicates: int | None,
    device: str,
    engine: Engine,
    mirror: str | None,
) -> _Run:
    """Everything judged before any work."""
    if study.file is None:
        raise StudyError(f"study {study.slug!r} has no file; load it with mibounds.study.load")
    if device not in DEVICES:
        raise ParameterError(f"device must be one of {', '.join(DEVICES)}; got {device!r}")
    grid = make_grid(study, preset, overrides, replicates)
    folder = default_out(study, preset, grid.altered) if out is None else Path(out)
    command = record.command(grid, overrides or {}, replicates, device)
    return _Run(grid, folder, mirror_of(grid, mirror), engine, device, command)


@dataclass(frozen=True)
class _Run:
    """What a call of `run` is about: a grid, where its files lie, and what measures it."""

    grid: Grid
    folder: Path
    mirror: Mirror | None
    engine: Engine
    device: str
    command: str

    def forget(self, packs: Sequence[Pack]) -> None:
        """Set the cells of these packs aside; those of the mirror are fetched first."""
        _require_room(self.grid, self.folder)
        cells, store = [cell for pack in packs for cell in pack.cells], Store(self.folder)
        if self.mirror is not None:
            self.mirror.open()
            self.mirror.fetch_missing(store, cells)
        store.forget(cells)
        if self.mirror is not None:
            self.mirror.remove(cells)

    def left(self, console: Console | None) -> Status:
        """What of the whole grid is not finished. Files are read once all of them are there."""
        from mibounds.study.progress import Reporter

        status = _status(self.grid, self.folder, self.mirror)
        if status.missing:
            return status
        say = Reporter(self.grid.study.slug, status.total, console).note
        store = Store(self.folder, lambda line: say(f"warning: {line}"))
        if self.mirror is not None:  # what other shards measured
            self.mirror.fetch(store, (cell.id for cell in self.grid.cells))
        sound = store.finished(self.grid.cells)
        return replace(status, missing=tuple(cell for cell in self.grid.cells if cell.id not in sound))

    def measure(self, packs: Sequence[Pack], console: Console | None, part: str = "") -> dict[str, Any]:
        """Measure what is missing of these packs; returns what the record tells of it. Raises: RunFailed."""
        from mibounds.study.progress import Reporter  # brings rich, which a status does without

        grid, folder = self.grid, self.folder
        _require_room(grid, folder)
        started, clock = record.now(), time.perf_counter()
        cells = [cell for pack in packs for cell in pack.cells]
        with Reporter(f"{grid.study.slug} ({grid.preset}{part})", len(cells), console) as reporter:
            store = Store(folder, lambda line: reporter.note(f"warning: {line}"))
            if self.mirror is not None:
                self.mirror.open()
            store.open()
            if self.mirror is not None:
                self.mirror.fetch_missing(store, cells)
            finished = store.finished(cells)
            reporter.resume(len(finished))
            tasks = _tasks(grid, folder, finished, packs, self.mirror)
            failures = self._hand_out(len(finished), tasks, store, reporter)
            if self.mirror is not None:
                self.mirror.send_missing(store, cells)
            _report_failures(cells, folder, failures, store.present())
        return {
            "command": self.command,
            "started": started,
            "finished": record.now(),
            "wall_seconds": time.perf_counter() - clock,
            "resumed_cells": len(grid.cells) - len(cells) + len(finished),
        }

    def _hand_out(self, done: int, tasks: list[Task], store: Store, reporter: Reporter) -> list[Ended]:
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
        events = self.engine.run(tasks, self.device)
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
                            if self.mirror is not None:
                                self.mirror.fetch(store, task.missing)
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

    def conclude(self, session: dict[str, Any]) -> Results:
        """Tables, figures and the record, also in the mirror."""
        results = conclude(self.grid, self.folder, session | self.engine.facts())
        if self.mirror is not None:
            self.mirror.send_results(self.folder)
        return results


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


def _tasks(
    grid: Grid,
    folder: Path,
    finished: set[str],
    packs: Sequence[Pack] | None = None,
    mirror: Mirror | None = None,
) -> list[Task]:
    folder = folder.resolve()
    return [
        Task(
            study_file=str(grid.study.file),
            study_sha256=str(grid.study.source_sha256),
            folder=str(folder),
            label=pack.label,
            points=[cell.point for cell in pack.cells],
            settings=pack.settings,
            missing=missing,
            mirror=None if mirror is None else mirror.url,
        )
        for pack in (grid.packs if packs is None else packs)
        if (missing := [cell.id for cell in pack.cells if cell.id not in finished])
    ]


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
