"""The most memory that this process held since it was last asked to forget: for a plan of the next run."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

MIB = 2**20


def forget() -> None:
    """Count anew from now on, where the system can: elsewhere a peak is that of the process's whole life."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def mib() -> float | None:
    """Of resident memory, in MiB; None where the system does not tell. A GPU's memory is not in it."""
    with suppress(OSError), Path("/proc/self/status").open("rb", buffering=0) as status:
        _, found, rest = status.read(4096).partition(b"VmHWM:")
        if found:
            return int(rest.split(maxsplit=1)[0]) / 1024
    try:
        import resource
    except ImportError:
        return None
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / MIB if sys.platform == "darwin" else used / 1024
