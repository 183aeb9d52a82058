"""The machine: what it is, on how many of its cores a benchmark runs, and how fast it multiplies matrices.

That rate is the floor: a training step or a loss cannot take less than its products do.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks._timing import Spread, in_turns, spread

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SIDE = 1024
WORK_SIDE = 2048  # small products are timed together, as many as take what one of these does
INSTRUCTIONS = {"AMX": "amx_tile", "AVX512": "avx512f", "AVX2": "avx2"}


def cores() -> list[int]:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@contextmanager
def pinned(to: list[int]) -> Iterator[None]:
    """What this process starts meanwhile runs on these cores alone, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, to)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment(threads: int) -> dict[str, str]:
    """The environment's variables for a process that computes with so many threads."""
    return dict(os.environ) | dict.fromkeys(THREAD_VARIABLES, str(threads))


def gflops(dtype: Any = None, side: int = SIDE, repeats: int = 7) -> Spread:
    """10^9 operations a second of a product of two square matrices, with the threads that torch has now.

    Args:
        dtype: torch.float32 if it is None; torch.bfloat16 ...
        side: n of the n x n matrices, whose product takes 2 n^3 operations.
        repeats: timed after a first one that is not; in each as many products as make up one of side `WORK_SIDE`.
    """
    import torch

    made = torch.Generator().manual_seed(0)
    a, b = (torch.randn(side, side, generator=made).to(dtype or torch.float32) for _ in range(2))
    times = max(1, (WORK_SIDE // side) ** 3)

    def products() -> None:
        for _ in range(times):
            torch.mm(a, b, out=product)

    product = a @ b
    seconds = in_turns({"products": products}, repeats)["products"]
    return spread([times * 2 * side**3 / taken / 1e9 for taken in seconds])


def facts() -> dict[str, Any]:
    """What the machine is, and what computes on it."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": processor(),
        "cores": len(cores()),
        "gpu": gpu,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def load() -> float | None:
    """Processes that want a core, averaged over a minute: above the number of cores, times are too long."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def processor() -> str:
    """Its name, and the widest of the instructions that products of matrices ask for: "... (AVX2)"."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", "").split()
    widest = next((name for name, flag in INSTRUCTIONS.items() if flag in flags), None)
    name = facts.get("model name") or platform.processor() or "unknown"
    return f"{name} ({widest})" if widest else name
