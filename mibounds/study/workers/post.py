"""A post: one worker process at a time and, when that is lost, another one."""

from __future__ import annotations

from collections.abc import Callable

from mibounds.errors import ParameterError, StudyError
from mibounds.study.engines.base import Ended, Task, halved, in_parts
from mibounds.study.workers.process import WorkerProcess


class Post:
    """Measures task after task. Who hangs is ended at the limit; a pack that killed its worker is halved.

    Args:
        hire: gives a new worker, greeted already.
        limit_seconds: the longest that a pack may take, each try by itself; None for no limit.
        worker: the first one, if there is one already.
    """

    def __init__(
        self,
        hire: Callable[[], WorkerProcess],
        limit_seconds: float | None = None,
        worker: WorkerProcess | None = None,
    ):
        self._hire, self._limit, self._worker = hire, limit_seconds, worker

    def measure(self, task: Task) -> Ended:
        """The end of it, whatever became of the worker. Once it is "failed", the post serves the next task."""
        tried, note = task, ""
        while True:
            try:
                worker = self._worker = self._worker or self._hire()
                answer = worker.ask(tried.as_dict(), self._limit)
            except (StudyError, ParameterError) as error:
                return Ended(task, "failed", str(error))
            if answer is not None:
                return Ended(task, **answer | {"note": answer["note"] or note})
            reason, self._worker = worker.end(), None
            narrower = halved(tried) if worker.was_killed else None
            if narrower is None:
                return Ended(task, "failed", reason)
            tried, note = narrower, f"{reason}; {in_parts(narrower)}"

    def close(self) -> None:
        """End the worker, whatever it is at."""
        if self._worker is not None:
            self._worker.end()
