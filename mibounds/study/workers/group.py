"""A group of tasks, where it was sent: measured one after the other by a worker process beside this one.

The worker ends when this process does, in the midst of work: so it is with an engine's own process, wherever that runs.
"""

from __future__ import annotations

import platform
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from mibounds.errors import ParameterError, StudyError
from mibounds.study.engines.base import Task
from mibounds.study.workers.post import Post
from mibounds.study.workers.process import WorkerProcess

Event = dict[str, Any]


def serve(
    requests: Iterable[tuple[int, Mapping[str, Any]]],
    device: str,
    threads: int,
    limit_seconds: float | None,
) -> Generator[Event]:
    """Events in plain values: where this is, then `started` and `ended` for each task by its number.

    Args:
        requests: a task's number in its group, and the task in plain values.
        device: "auto", "cpu" or "cuda".
        threads: for the worker's arithmetic.
        limit_seconds: the longest that a pack may take.
    """

    def hire() -> WorkerProcess:
        worker = WorkerProcess(threads)
        worker.greet(device)
        return worker

    try:
        first = hire()
    except (ParameterError, StudyError) as error:
        yield {"event": "refused", "reason": f"{error} (on {platform.node()})"}
        return
    yield {
        "event": "here",
        "node": platform.node(),
        "device": first.device,
        "device_name": first.device_name,
    }
    post = Post(hire, limit_seconds, first)
    try:
        for number, task in requests:
            yield {"event": "started", "task": number}
            ended = post.measure(Task(**task))
            yield {"event": "ended", "task": number, **ended.as_answer()}
            if ended.kind == "store":
                return
    finally:
        post.close()
