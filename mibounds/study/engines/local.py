"""The local engine: one worker process a core, each with its share of the threads."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Generator, Sequence
from typing import Any

from mibounds.errors import ParameterError, StudyError
from mibounds.study.engines.base import Ended, Engine, Started, Task, require_limit
from mibounds.study.workers.post import Post
from mibounds.study.workers.process import WorkerProcess


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalEngine(Engine):
    """Worker processes on this machine, each measuring one pack at a time.

    Args:
        workers: how many; by default one a core on the CPU, a single one on a GPU, whose memory they share.
        limit: the longest that a pack may take, in minutes; one that hangs is a failure. By default there is none.

    Raises:
        ParameterError: a value outside its domain.
    """

    def __init__(self, workers: int | None = None, limit: float | None = None):
        if workers is not None and workers < 1:
            raise ParameterError(f"workers must be at least 1; got {workers}")
        self.workers, self._limit = workers, require_limit(limit)
        self._facts: dict[str, Any] = {}

    def facts(self) -> dict[str, Any]:
        return {"engine": "local", "cores": n_cores(), **self._facts}

    def run(self, tasks: Sequence[Task], device: str) -> Generator[Started | Ended | None]:
        crew = _Crew(tasks, device, self._limit)
        try:
            n_workers = min(self.workers or n_cores(), len(tasks))
            first = crew.hire(n_workers)
            if first.device == "cuda" and self.workers is None and n_workers > 1:
                first.end()
                n_workers = 1
                first = crew.hire(n_workers)
            self._facts = {"workers": n_workers, "device": first.device, "device_name": first.device_name}
            crew.set_to_work(first, n_workers)
            yield from crew.events()
        finally:
            crew.stop()


class _Crew:
    """The workers of one run: a thread for each hands it tasks and passes its answers on."""

    def __init__(self, tasks: Sequence[Task], device: str, limit_seconds: float | None):
        self.device, self._limit = device, limit_seconds
        self._left = len(tasks)
        self._waiting = queue.SimpleQueue[Task]()
        self._events = queue.SimpleQueue[Started | Ended]()
        self._threads: list[threading.Thread] = []
        self._workers: list[WorkerProcess] = []
        self._lock = threading.Lock()
        self._stopped = False
        for task in tasks:
            self._waiting.put(task)

    def hire(self, n_workers: int) -> WorkerProcess:
        """A new worker, one of so many at a time."""
        with self._lock:
            if self._stopped:
                raise StudyError("the run was stopped")
            worker = WorkerProcess(max(1, n_cores() // n_workers))
            self._workers.append(worker)
        worker.greet(self.device)
        return worker

    def set_to_work(self, first: WorkerProcess, n_workers: int) -> None:
        for worker in [first] + [None] * (n_workers - 1):
            thread = threading.Thread(target=self._serve, args=(worker, n_workers), daemon=True)
            thread.start()
            self._threads.append(thread)

    def events(self) -> Generator[Started | Ended | None]:
        while self._left:
            try:
                event = self._events.get(timeout=1)
            except queue.Empty:
                yield None
                continue
            yield event
            if isinstance(event, Ended):
                self._left = 0 if event.kind == "store" else self._left - 1

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for worker in self._workers:
                worker.dismiss()
        for worker in self._workers:
            worker.end()
        for thread in self._threads:
            thread.join()

    def _serve(self, worker: WorkerProcess | None, n_workers: int) -> None:
        post = Post(lambda: self.hire(n_workers), self._limit, worker)
        while not self._stopped:
            try:
                task = self._waiting.get_nowait()
            except queue.Empty:
                break
            self._events.put(Started(task))
            ended = post.measure(task)
            self._events.put(ended)
            self._stopped |= ended.kind == "store"
