"""Slurm's own commands: which jobs there are, how one ended, and the end of some. No accounting is needed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

PATIENCE_SECONDS = 60.0


def alive(jobs: Sequence[str]) -> set[str] | None:
    """Those that are queued, running or ending; None where Slurm does not answer, which says nothing about them."""
    arrays = sorted({job.partition("_")[0] for job in jobs})
    answer = _run("squeue", "--noheader", "--array", "--format=%i", f"--jobs={','.join(arrays)}")
    if answer is None or (answer.returncode and "Invalid job id" not in answer.stderr):
        return None
    return set(answer.stdout.split())


def state(job: str) -> str:
    """Such as NODE_FAIL, OUT_OF_MEMORY or CANCELLED; "unknown" where Slurm has forgotten it."""
    answer = _run("scontrol", "show", "job", job)
    found = re.search(r"JobState=(\w+)", answer.stdout) if answer is not None else None
    return found[1] if found else "unknown"


def cancel(jobs: Sequence[str]) -> None:
    if jobs:
        _run("scancel", *jobs)


def last_line(text: str) -> str:
    """Of what a command said."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"


def _run(*command: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
