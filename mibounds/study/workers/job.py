"""A group of tasks as a job of a batch system: what happens in it goes, line by line, into a file for others."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mibounds.study.workers.group import Event, serve

QUEUE_SECONDS = 60.0  # Slurm may give its warning so much too early


class Log:
    """Events in a file, one a line, appended by one process and read by others as they come."""

    def __init__(self, path: Path):
        self.path = path
        self._read = 0

    def append(self, event: Event) -> None:
        """Unbuffered, since a signal's handler writes here too."""
        line = (json.dumps(event) + "\n").encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def new(self) -> list[Event]:
        """What was written since the last call; a line that is not whole yet is left for the next."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                content = file.read()
        except OSError:  # the job has not started
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]


class Job:
    """Serves a group, and what is left of it after each time that it was stopped and put back into the queue.

    Args:
        requests, device, threads, limit_seconds: as for `group.serve`.
        log: the file for its events, which ends in one called "over".
        seconds: the time that a job has, up to the warning before its end.
    """

    def __init__(
        self,
        requests: Sequence[tuple[int, dict[str, Any]]],
        device: str,
        threads: int,
        limit_seconds: float | None,
        log: Path,
        seconds: float,
    ):
        self.requests, self.device, self.threads = requests, device, threads
        self.limit_seconds, self.log, self.seconds = limit_seconds, log, seconds

    def __call__(self) -> None:
        self._started = time.monotonic()
        if (
            os.environ.get("SUBMITIT_EXECUTOR") == "local"
        ):  # on Slurm a warning, after which jobs are queued anew
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        log, ended = (
            Log(self.log),
            {event["task"] for event in Log(self.log).new() if event["event"] == "ended"},
        )
        left = [(number, task) for number, task in self.requests if number not in ended]
        for event in serve(left, self.device, self.threads, self.limit_seconds):
            log.append(event)
        log.append({"event": "over"})

    def checkpoint(self) -> Any:
        """Called by submitit before the job is ended, for its time or for another's sake: it is queued anew.

        Finished cells are files, so there is nothing to save. A pack that had all of a job's time will not end in the
        next one either: it has failed.
        """
        from submitit.helpers import DelayedSubmission

        alone = self._alone()
        if alone is not None and time.monotonic() - self._started >= self.seconds - QUEUE_SECONDS:
            Log(self.log).append(
                {
                    "event": "ended",
                    "task": alone,
                    "kind": "failed",
                    "reason": f"it did not end within a job's time, {self.seconds / 60:.1f} minutes; give jobs more",
                    "trace": "",
                    "note": "",
                }
            )
        return DelayedSubmission(self)

    def _alone(self) -> int | None:
        """The task that is running, if it is the first since the job was started."""
        events = Log(self.log).new()
        last = max((i for i, event in enumerate(events) if event["event"] == "here"), default=len(events))
        since = [event for event in events[last:] if event["event"] != "here"]
        return since[0]["task"] if len(since) == 1 and since[0]["event"] == "started" else None
