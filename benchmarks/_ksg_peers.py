"""One estimate, timed: runs by itself, in the environment of the contender that its first argument names.

    python _ksg_peers.py CONTENDER FILE CORES

FILE holds x and y. Prints JSON: seconds by the clock and of all processors, nats, the most memory the process held in
MiB, and the version. What a first call alone pays for, such as imports, is paid before, on few rows.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

K = 3
WARM_UP_ROWS = 2000
Estimate = Callable[[Any, Any], float]


def mibounds() -> Estimate:
    from mibounds.estimators import estimate

    return lambda x, y: estimate(x, y, method="ksg", neighbours=K).nats


def scikit_learn() -> Estimate:
    from sklearn.feature_selection import mutual_info_regression

    return lambda x, y: float(mutual_info_regression(x, y[:, 0], n_neighbors=K, random_state=0)[0])


def npeet_plus() -> Estimate:
    from npeet_plus import mi

    return lambda x, y: float(mi(x, y, k=K, base=math.e))


CONTENDERS: dict[str, Callable[[], Estimate]] = {
    "mibounds": mibounds,
    "scikit-learn": scikit_learn,
    "npeet-plus": npeet_plus,
}


def answer(name: str, path: str, cores: int) -> dict[str, Any]:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    with np.load(path) as held:
        x, y = held["x"], held["y"]
    estimate = CONTENDERS[name]()
    estimate(x[:WARM_UP_ROWS], y[:WARM_UP_ROWS])
    clock, processors = time.perf_counter(), time.process_time()
    nats = estimate(x, y)
    return {
        "seconds": time.perf_counter() - clock,
        "processor_seconds": time.process_time() - processors,
        "nats": nats,
        "peak_mib": peak_mib(),
        "version": importlib.metadata.version(name),
    }


def peak_mib() -> float | None:
    """The most that this process held, where the system tells; getrusage would count the parent's too."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    print(json.dumps(answer(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
