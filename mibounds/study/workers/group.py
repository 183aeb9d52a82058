"""A group of tasks, where it was sent: measured one after the other by a worker process beside this one.

The worker ends when this process does, in the midst of work: so it is with an engine's own process, wherever that runs.
"""

from __future__ import annotations

import platform
import queue
import threading
import time
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from mibounds.errors import ParameterError, StudyError
from mibounds.study.engines.base import Task
from mibounds.study.workers.post import Post
from mibounds.study.workers.process import WorkerProcess

Event = dict[str, Any]
GATHERED_SECONDS = 0.2


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


def gathered(events: Iterable[Event]) -> Generator[list[Event]]:
    """The events in lists, one a fifth of a second: a message costs more than a short pack does."""
    heard: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()

    def listen() -> None:
        try:
            for event in events:
                heard.put(event)
            heard.put(None)
        except BaseException as error:  # raised again where it is heard
            heard.put(error)

    threading.Thread(target=listen, daemon=True).start()
    going_on = True
    while going_on:
        found = [heard.get()]
        time.sleep(GATHERED_SECONDS)
        while not heard.empty():
            found.append(heard.get())
        last = found[-1]
        if isinstance(last, BaseException):
            raise last
        going_on = last is not None
        yield [event for event in found if isinstance(event, dict)]


def serve_gathered(*arguments: Any) -> Generator[list[Event]]:
    """`serve`, with its events in lists."""
    yield from gathered(serve(*arguments))
