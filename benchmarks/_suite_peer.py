"""benchmark-mi's samples of its tasks: runs by itself, in the environment that holds it.

    python _suite_peer.py FOLDER N SEED

Writes FOLDER/TASK.npz with x, y and truth_nats for each of its tasks, and prints how long, in JSON, and its version.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np


def main(folder: str, n: str, seed: str) -> None:
    from bmi.benchmark import BENCHMARK_TASKS

    for name, task in BENCHMARK_TASKS.items():
        x, y = (np.asarray(side) for side in task.sample(int(n), int(seed)))
        np.savez(Path(folder, f"{name}.npz"), x=x, y=y, truth_nats=task.mutual_information)
    version = importlib.metadata.version("benchmark-mi")
    print(json.dumps({"version": version, "tasks": list(BENCHMARK_TASKS)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
