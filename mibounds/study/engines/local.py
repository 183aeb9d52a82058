"""The local engine: one worker process a core, each with its share of the threads."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from mibounds.errors import ParameterError, StudyError
from mibounds.study.engines.base import Ended, Engine, Started, Task

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalEngine(Engine):
    """Worker processes on this machine, each measuring one pack at a time.

    Args:
        workers: how many; by default one a core on the CPU, a single one on a GPU, whose memory they share.
    """

    def __init__(self, workers: int | None = None):
        if workers is not None and workers < 1:
            raise ParameterError(f"workers must be at least 1; got {workers}")
        self.workers = workers
        self._facts: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._alive: list[_Worker] = []
        self._stopped = False

    def facts(self) -> dict[str, Any]:
        return {"engine": "local", "cores": n_cores(), **self._facts}

    def run(self, tasks: Sequence[Task], device: str) -> Generator[Started | Ended | None]:
        waiting, events = queue.SimpleQueue[Task](), queue.SimpleQueue[Started | Ended]()
        for task in tasks:
            waiting.put(task)
        threads: list[threading.Thread] = []
        self._alive, self._stopped = [], False
        try:
            n_workers = min(self.workers or n_cores(), len(tasks))
            first = self._start(device, n_workers)
            if first.device == "cuda" and self.workers is None and n_workers > 1:
                first.end()
                n_workers = 1
                first = self._start(device, n_workers)
            self._facts = {"workers": n_workers, "device": first.device, "device_name": first.device_name}
            for worker in [first] + [None] * (n_workers - 1):
                serve = threading.Thread(
                    target=self._serve, args=(worker, device, n_workers, waiting, events), daemon=True
                )
                serve.start()
                threads.append(serve)
            left = len(tasks)
            while left:
                try:
                    event = events.get(timeout=1)
                except queue.Empty:
                    yield None
                    continue
                left -= isinstance(event, Ended)
                yield event
        finally:
            with self._lock:
                self._stopped = True
                for worker in self._alive:
                    worker.process.kill()
            for serve in threads:
                serve.join()
            for worker in self._alive:
                worker.end()

    def _serve(
        self,
        worker: _Worker | None,
        device: str,
        n_workers: int,
        waiting: queue.SimpleQueue[Task],
        events: queue.SimpleQueue[Started | Ended],
    ) -> None:
        while not self._stopped:
            try:
                task = waiting.get_nowait()
            except queue.Empty:
                break
            events.put(Started(task))
            try:
                worker = worker or self._start(device, n_workers)
                answer = worker.ask(task.as_dict())
            except (StudyError, ParameterError) as error:
                events.put(Ended(task, "failed", str(error)))
                continue
            if answer is None:
                events.put(Ended(task, "failed", worker.end()))
                worker = None
            else:
                events.put(Ended(task, **answer))

    def _start(self, device: str, n_workers: int) -> _Worker:
        threads = max(1, n_cores() // n_workers)
        with self._lock:
            if self._stopped:
                raise StudyError("the run was stopped")
            try:
                worker = _Worker(threads)
            except OSError as error:
                raise StudyError(f"a worker process could not start: {error.strerror or error}") from error
            self._alive.append(worker)
        worker.greet(device)
        return worker


class _Worker:
    """One process and the two pipes to it."""

    def __init__(self, threads: int):
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        environment = os.environ | {"PYTHONPATH": path}
        for name in THREAD_VARIABLES:
            environment.setdefault(name, str(threads))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mibounds.study.engines.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        assert self.process.stdin and self.process.stdout
        self._requests, self._answers = self.process.stdin, self.process.stdout
        self.device = self.device_name = ""

    def greet(self, device: str) -> None:
        """Agree on the device; ParameterError if there is no such device here."""
        answer = self.ask(device)
        if answer is None:
            raise StudyError(f"a worker process could not start: {self.end()}")
        if "refused" in answer:
            self.end()
            raise ParameterError(answer["refused"])
        self.device, self.device_name = answer["device"], answer["device_name"]

    def ask(self, request: Any) -> dict[str, Any] | None:
        """The answer to one request; None if the process is gone."""
        try:
            self._requests.write(json.dumps(request) + "\n")
            self._requests.flush()
            line = self._answers.readline()
        except OSError:  # a broken pipe, however the platform calls it
            return None
        return json.loads(line) if line.endswith("\n") else None

    def end(self) -> str:
        """Close the pipes, wait for the end, and say in words how it came."""
        for pipe in (self._requests, self._answers):
            try:
                pipe.close()
            except OSError:
                continue
        code = self.process.wait()
        if code < 0:
            return f"its worker was killed by {signal.Signals(-code).name} (out of memory, perhaps)"
        return f"its worker ended with exit code {code}"
