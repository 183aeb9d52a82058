"""A worker process, `python -m mibounds.study.workers.worker`: tasks in and outcomes out as JSON lines.

It ends when its standard input does, at once and in the midst of work, with all processes of its group: so no worker
outlives the runner that started it, even one that was killed, and none that a study started outlives its worker.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import json
import os
import platform
import queue
import signal
import sys
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

from mibounds import files
from mibounds.errors import StoreError, StudyError
from mibounds.study import find
from mibounds.study.engines.base import Ended, Task, measure
from mibounds.study.study import Study


def main() -> None:
    """Serve until the standard input ends."""
    _leave_signals_to_the_runner()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    if hasattr(
        os, "register_at_fork"
    ):  # a study's own process that held the pipe would keep the runner waiting
        os.register_at_fork(after_in_child=lambda: os.dup2(2, answers.fileno()))
    os.dup2(2, 1)  # what a study prints goes to the terminal, not into the answers
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()

    device = _device(requests.get())
    answers.write(json.dumps(device) + "\n")
    answers.flush()
    while True:
        ended = _work(Task(**json.loads(requests.get())), device.get("device", "cpu"))
        answers.write(json.dumps(ended.as_answer()) + "\n")
        answers.flush()


def _leave_signals_to_the_runner() -> None:
    """Ctrl-C; and Slurm's warnings before a job's end, which go to all processes of the job."""
    names = ("SIGINT", "SIGTERM", "SIGUSR2") if "SLURM_JOB_ID" in os.environ else ("SIGINT",)
    before = {name: signal.signal(getattr(signal, name), signal.SIG_IGN) for name in names}
    if len(before) > 1:  # a study's own processes, loaders of data for one, are ended by SIGTERM
        os.register_at_fork(
            after_in_child=lambda: [signal.signal(getattr(signal, n), before[n]) for n in names[1:]]
        )


def _listen(requests: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        requests.put(line)
    with files.writing:
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(0)


def _work(task: Task, device: str) -> Ended:
    try:
        study = _study(task.study_file, task.study_sha256)
    except (StudyError, StoreError) as error:
        return Ended(task, "failed", f"{error} (on {platform.node()})")
    return measure(task, study, device, {"device": device, **_versions()})


@lru_cache
def _study(file: str, sha256: str) -> Study:
    study = find.load_file(Path(file))
    if study.source_sha256 != sha256:
        raise StudyError(f"{file} was edited while the run went on; run again")
    return study


@lru_cache
def _versions() -> dict[str, str]:
    found = {}
    for package in ("mibounds", "torch"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _device(asked: str) -> dict[str, Any]:
    asked = json.loads(asked)
    if asked == "cpu":
        return {"device": "cpu", "device_name": "cpu"}
    torch = (
        importlib.import_module("torch") if _has_driver() else None
    )  # seconds saved where there is no driver
    if torch is not None and torch.cuda.is_available():
        return {"device": "cuda", "device_name": torch.cuda.get_device_name()}
    if asked == "auto":
        return {"device": "cpu", "device_name": "cpu"}
    return {"refused": "no CUDA device can be used here, and 'cuda' was asked for; take --device cpu or auto"}


def _has_driver() -> bool:
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
