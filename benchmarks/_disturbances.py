"""Faults, one function each: they start a run, disturb it at a random moment, and return its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks._trial import Trial

LIMIT_MINUTES = 0.02


def worker_killed(trial: Trial) -> int:
    run = trial.start()
    trial.until_random_moment()
    if workers := trial.nodes.busy() if trial.nodes else children(run.pid):
        os.kill(trial.moment.choice(workers), signal.SIGKILL)
    return trial.wait(run)


def driver_killed(trial: Trial) -> int:
    """Alone, or with its workers, which are in its process group."""
    run = trial.start()
    trial.until_random_moment()
    workers = children(run.pid)
    os.killpg(run.pid, signal.SIGKILL) if trial.moment.random() < 0.5 else run.kill()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.02)
    return trial.wait(run)


def node_killed(trial: Trial) -> int:
    """Of a Ray cluster: the node that measures, if one does, with all its processes. Another one comes later."""
    run = trial.start()
    trial.until_random_moment()
    trial.nodes.kill_one(trial.moment)
    code = trial.wait(run)
    trial.nodes.replace_lost()
    return code


def disk_full(trial: Trial) -> int:
    """The results lie on a tmpfs that is too small for all of them; then it grows."""
    size = trial.moment.randrange(40, 360)
    mount("-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(trial.mounts_on(trial.out.parent)))
    code = trial.wait(trial.start())
    trial.cells_at_fault = len(trial.finished())
    mount("-o", "remount,size=64m", str(trial.out.parent))
    return code


def read_only(trial: Trial) -> int:
    """The folder is a bind mount of itself that turns read-only, which binds root too; then it is writable again."""
    place = str(trial.out.parent)
    mount("--bind", place, str(trial.mounts_on(trial.out.parent)))
    run = trial.start()
    trial.until_random_moment()
    while not try_mount("-o", "remount,bind,ro", place):  # busy while a file is open for writing
        time.sleep(0.001)
    code = trial.wait(run)
    mount("-o", "remount,bind,rw", place)
    return code


def cell_raises(trial: Trial) -> int:
    return _struck(trial, "raises")


def cell_hangs(trial: Trial) -> int:
    trial.options["limit"] = LIMIT_MINUTES
    return _struck(trial, "hangs")


def cell_not_finite(trial: Trial) -> int:
    return _struck(trial, "nan")


def memory_exhausted(trial: Trial) -> int:
    return _struck(trial, "memory")


def clock_set_back(trial: Trial) -> int:
    return _struck(trial, "clock")


def two_drivers(trial: Trial) -> int:
    first = trial.start()
    trial.until_random_moment()
    second = trial.start()
    return max(abs(trial.wait(run)) for run in (first, second))


def _struck(trial: Trial, kind: str) -> int:
    trial.strike(kind)
    return trial.wait(trial.start())


FAULTS: dict[str, Callable[[Trial], int]] = {
    function.__name__: function
    for function in (
        worker_killed,
        driver_killed,
        node_killed,
        disk_full,
        read_only,
        cell_raises,
        cell_hangs,
        cell_not_finite,
        memory_exhausted,
        clock_set_back,
        two_drivers,
    )
}
NEED_NODES = {"node_killed"}
NEED_MOUNTS = {"disk_full", "read_only"}


def children(process: int) -> list[int]:
    """Ids of the processes that this one started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def try_mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True).returncode == 0


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], capture_output=True, check=True)


def can_mount(place: Path) -> bool:
    if not try_mount("-t", "tmpfs", "tmpfs", str(place)):
        return False
    subprocess.run(["umount", str(place)], check=True)
    return True
