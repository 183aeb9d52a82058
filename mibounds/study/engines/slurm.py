"""The Slurm engine: groups of packs as job arrays by submitit, queued anew when their time is up."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mibounds.errors import ParameterError, StoreError
from mibounds.study.engines.base import Ended, Engine, Started, Task, require_limit
from mibounds.study.engines.local import n_cores
from mibounds.study.workers import batch
from mibounds.study.workers.durations import guessed_seconds
from mibounds.study.workers.grouping import LONGEST_SECONDS, evenly, grouped
from mibounds.study.workers.job import Job, Log
from mibounds.study.workers.ledger import Group, Ledger

CLUSTERS = ("slurm", "local")
POLL_SECONDS = 1.0
LOST_AFTER_SECONDS = 15.0  # without a job and without its last word, which may take its time on a shared disk
WARNING_SECONDS = 90
LARGEST_ARRAY = 1000
TIMEOUTS = (
    10_000  # a job may be queued anew as often as it gets on; a pack that does not is failed by the job
)


class SlurmEngine(Engine):
    """Arrays of jobs, each with a group of packs. A job whose time is up, or that gives way to another, is queued anew.

    All nodes must see the study's file and the results folder under the same paths, and have this Python. Jobs live
    apart from the runner: Ctrl-C cancels them, a runner that is killed leaves them to end their groups.

    Args:
        partition: where jobs go; by default where Slurm puts them.
        minutes: the time limit of a job, not of the work: what is left when it is over goes on in the next.
        jobs: most of them at the same time; by default 64, or one a core for `cluster="local"`.
        cpus_per_pack: cores of a job, as many as threads; a job measures one pack at a time.
        gpus_per_pack: whole GPUs of a job; by default one where the device is "cuda", none elsewhere.
        sbatch: further options of sbatch, such as {"account": "me", "mem": "8G"}.
        cluster: "slurm", or "local" for submitit's jobs on this machine, to try a run out.
        limit: the longest that a pack may take, in minutes; one that hangs is a failure. By default there is none.

    Raises:
        ParameterError: a value outside its domain, or submitit or Slurm is not there.
    """

    def __init__(
        self,
        partition: str | None = None,
        minutes: int = 60,
        jobs: int | None = None,
        cpus_per_pack: int = 1,
        gpus_per_pack: float | None = None,
        sbatch: Mapping[str, Any] | None = None,
        cluster: str = "slurm",
        limit: float | None = None,
    ):
        for name, value in (("minutes", minutes), ("jobs", jobs), ("cpus per pack", cpus_per_pack)):
            if value is not None and value < 1:
                raise ParameterError(f"{name} must be at least 1; got {value}")
        if gpus_per_pack is not None and not (gpus_per_pack >= 0 and gpus_per_pack % 1 == 0):
            raise ParameterError(f"gpus per pack must be whole with slurm; got {gpus_per_pack:g}")
        if cluster not in CLUSTERS:
            raise ParameterError(f"cluster must be one of {', '.join(CLUSTERS)}; got {cluster!r}")
        if limit is not None and limit >= minutes:
            raise ParameterError(f"a pack's limit of {limit:g} minutes must be less than a job's, {minutes}")
        self._limit = require_limit(limit)
        _submitit()
        if cluster == "slurm" and shutil.which("sbatch") is None:
            raise ParameterError(
                "the engine slurm needs Slurm's sbatch on the path; --cluster local tries a run out"
            )
        self.partition, self.minutes, self.cluster = partition, minutes, cluster
        self.jobs = jobs or (64 if cluster == "slurm" else n_cores())
        self.cpus_per_pack, self.gpus_per_pack = cpus_per_pack, gpus_per_pack
        self.sbatch = dict(sbatch or {})
        self._facts: dict[str, Any] = {}

    def facts(self) -> dict[str, Any]:
        return {"engine": "slurm" if self.cluster == "slurm" else "slurm (local)", **self._facts}

    def run(self, tasks: Sequence[Task], device: str) -> Generator[Started | Ended | None]:
        ledger = Ledger()
        seconds = guessed_seconds(tasks)
        longest = min(LONGEST_SECONDS, 30.0 * self.minutes)
        cut = grouped(seconds, self.jobs, longest) if seconds else evenly(len(tasks), self.jobs)
        out = _Sent(self, ledger, Path(tasks[0].folder, "cells", "slurm", uuid.uuid4().hex[:8]), device)
        try:
            out.send([Group([tasks[i] for i in group]) for group in cut])
            yield from out.events()
        finally:
            out.end()
            self._facts = {"workers": min(self.jobs, len(cut)), **ledger.facts()}

    def gpus(self, device: str) -> int:
        """Of a job, on this device."""
        if device == "cpu":
            return 0
        return int(device == "cuda" if self.gpus_per_pack is None else self.gpus_per_pack)

    def executor(self, folder: Path, device: str) -> Any:
        """submitit's, with all that jobs ask for."""
        prefix, options = self.cluster, {"name": "mibounds", "timeout_min": self.minutes}
        executor = _submitit().AutoExecutor(
            folder=folder, cluster=prefix, **{f"{prefix}_max_num_timeout": TIMEOUTS}
        )
        asked = options | {"cpus_per_task": self.cpus_per_pack, "gpus_per_node": self.gpus(device) or None}
        of_slurm = {
            "partition": self.partition,
            "array_parallelism": self.jobs,
            "signal_delay_s": self.warning_seconds,
            "additional_parameters": {"requeue": True} | self.sbatch,
        }
        asked |= {f"slurm_{name}": value for name, value in of_slurm.items() if value}
        executor.update_parameters(**{name: value for name, value in asked.items() if value is not None})
        return executor

    @property
    def warning_seconds(self) -> int:
        """Between Slurm's warning and the end of a job."""
        return min(WARNING_SECONDS, 15 * self.minutes)


class _Sent:
    """The groups that are jobs or will be; what happens in them is read from their logs."""

    def __init__(self, engine: SlurmEngine, ledger: Ledger, folder: Path, device: str):
        self._engine, self._ledger, self._folder = engine, ledger, folder
        self._device = device if engine.gpus(device) else "cpu"
        self._waiting: deque[Group] = deque()
        self._jobs: dict[Group, tuple[Any, Log]] = {}
        self._missing_since: dict[Group, float] = {}
        self._n_sent = 0
        self._clean = True
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise StoreError(f"cannot make {folder}: {error.strerror or error}") from error
        self._executor = engine.executor(folder, device)

    def send(self, groups: Sequence[Group]) -> None:
        self._waiting.extend(groups)
        local = self._engine.cluster == "local"  # where each job starts at once
        while self._waiting and not (local and len(self._jobs) >= self._engine.jobs):
            n = 1 if local else min(LARGEST_ARRAY, len(self._waiting))
            self._submit([self._waiting.popleft() for _ in range(n)])

    def _submit(self, groups: Sequence[Group]) -> None:
        logs = [Log(self._folder / f"{self._n_sent + i}.jsonl") for i in range(len(groups))]
        self._n_sent += len(groups)
        jobs = [
            Job(
                self._ledger.requests(group),
                self._device,
                self._engine.cpus_per_pack,
                self._engine._limit,
                log.path,
                60.0 * self._engine.minutes - self._engine.warning_seconds,
            )
            for group, log in zip(groups, logs, strict=True)
        ]
        try:
            with _same_imports(), self._executor.batch():
                sent = [self._executor.submit(job) for job in jobs]
        except (_submitit().core.utils.FailedJobError, OSError, subprocess.SubprocessError) as error:
            raise ParameterError(f"Slurm takes no such job: {batch.last_line(str(error))}") from error
        self._jobs.update(zip(groups, zip(sent, logs, strict=True), strict=True))

    def events(self) -> Generator[Started | Ended | None]:
        """Until all groups are over, or results cannot be kept."""
        looked = time.monotonic()
        while self._jobs:
            for group, (_, log) in list(self._jobs.items()):
                for event in log.new():
                    if event["event"] == "over":
                        del self._jobs[group]
                    elif (heard := self._ledger.hear(group, event)) is not None:
                        yield heard
                        if isinstance(heard, Ended) and heard.kind == "store":
                            return
            if self._jobs and time.monotonic() - looked >= LOST_AFTER_SECONDS / 3:
                yield from self._lost()
                looked = time.monotonic()
            self.send([])
            yield None
            time.sleep(POLL_SECONDS if self._engine.cluster == "slurm" else POLL_SECONDS / 5)

    def _lost(self) -> list[Ended]:
        """What ends with jobs that have gone without their last word; the rest of them is sent anew."""
        jobs = {group: job for group, (job, _) in self._jobs.items()}
        alive = (
            batch.alive([job.job_id for job in jobs.values()]) if self._engine.cluster == "slurm" else None
        )
        ended: list[Ended] = []
        for group, job in jobs.items():
            gone = (
                job.job_id not in alive
                if alive is not None
                else self._engine.cluster == "local" and job.done()
            )
            if not gone:
                self._missing_since.pop(group, None)
                continue
            since = self._missing_since.setdefault(group, time.monotonic())
            if time.monotonic() - since < LOST_AFTER_SECONDS / 3:
                continue
            self._clean = False
            del self._jobs[group], self._missing_since[group]
            state = batch.state(job.job_id) if self._engine.cluster == "slurm" else job.state
            reason = (
                f"its job {job.job_id} was lost ({state}; {batch.last_line(job.stderr() or 'no message')})"
            )
            over, again = self._ledger.lose(group, reason, for_memory=state == "OUT_OF_MEMORY")
            ended += over
            self.send(again)
        return ended

    def end(self) -> None:
        """Cancel what is still going on. Logs of jobs that were lost are kept, all else is removed."""
        jobs = [job for job, _ in self._jobs.values()]
        if self._engine.cluster == "slurm":
            batch.cancel([job.job_id for job in jobs])
        else:
            for job in jobs:
                with suppress(ProcessLookupError):
                    os.kill(int(job.job_id), signal.SIGTERM)  # submitit's own way prints tracebacks
        if self._clean:
            shutil.rmtree(self._folder, ignore_errors=True)
            with suppress(OSError):  # another run's jobs have their folders beside it
                self._folder.parent.rmdir()


@contextmanager
def _same_imports() -> Iterator[None]:
    """Jobs get this process's environment; with it, they import from where this process does."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise ParameterError("the engine slurm needs submitit: pip install 'mibounds[slurm]'") from error
    return submitit
