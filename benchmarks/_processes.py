"""A command seen from outside: how long it takes, how much of the cores, and how much memory over time."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

EVERY_SECONDS = 0.1
MIB = 2**20


class Memory(NamedTuple):
    """Resident MiB at one moment: of the command's process, and of the largest of those that it started."""

    driver: float
    workers: float


class Watched(NamedTuple):
    """What a command took.

    Attributes:
        core_seconds: of its process and of all that it waited for.
        memory: at moments at which it had workers; empty where the system does not tell.
        peak_mib: of the largest of its processes, tables and figures included.
    """

    code: int
    wall_seconds: float
    core_seconds: float
    memory: list[Memory]
    peak_mib: float


def watch(command: Sequence[str], environment: Mapping[str, str], said: Path) -> Watched:
    """Run a command to its end; what it says goes into a file."""
    moments: list[Memory] = []
    with said.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            moments += _memory(process.pid)
            time.sleep(EVERY_SECONDS)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1024 if os.uname().sysname == "Linux" else 1
    return Watched(
        process.returncode, wall, usage.ru_utime + usage.ru_stime, moments, usage.ru_maxrss * unit / MIB
    )


def _memory(pid: int) -> list[Memory]:
    """One moment; none before a worker has started, after the last one, or where there is no /proc."""
    try:
        threads = Path(f"/proc/{pid}/task").iterdir()
        children = [child for thread in threads for child in (thread / "children").read_text().split()]
        of_workers = [_resident(int(child)) for child in children]
        return [Memory(_resident(pid), max(of_workers))] if of_workers else []
    except OSError:
        return []


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = [
        int(line.split()[1]) for line in lines if line.startswith("VmRSS")
    ]  # none of one that has just ended
    return sum(kib) * 1024 / MIB
