"""Processes that tests start, looked at from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mibounds.study import Study


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def is_running(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


# Measures a cell, and sleeps.
SLEEPER = """
def measure(pack):
    (Path(__file__).parent / f"worker_{os.getpid()}").touch()
    yield Measurement(row(pack.cells[0]))
    time.sleep(600)
FIELDS["measure"] = measure
"""


def workers_of(sleeping: Study) -> list[int]:
    """Of a `SLEEPER`, which touches `worker_<pid>` beside its file."""
    return [int(path.name.removeprefix("worker_")) for path in sleeping.file.parent.glob("worker_*")]
