"""Core seconds until a command has answered, beside those that Python and click take to start.

    python -m benchmarks.startup

Commands take turns; user and system time of the process. Writes `results/benchmarks/startup.csv`, a row a command and a
turn. Exit code: 0.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks import _tables
from benchmarks._timing import in_turns, spread

PINNED = False  # core seconds are as many on one
TABLE = _tables.path_of("startup")
COMMANDS = {
    "python": ("-c", "pass"),
    "import click": ("-c", "import click"),
    "mibounds --help": ("-m", "mibounds", "--help"),
    "mibounds list": ("-m", "mibounds", "list"),
    "mibounds list bounds": ("-m", "mibounds", "list", "bounds"),
    "mibounds status temperature": ("-m", "mibounds", "status", "temperature"),
}


def core_seconds() -> float:
    """Of all processes that this one has started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.startup", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=10, help="turns (default: %(default)s)")
    options = parser.parse_args(arguments)
    acts = {
        name: partial(subprocess.run, [sys.executable, *command], stdout=subprocess.DEVNULL, check=True)
        for name, command in COMMANDS.items()
    }
    taken = in_turns(acts, options.repeats, clock=core_seconds)
    rows = [
        {"command": name, "repeat": repeat, "core_seconds": seconds}
        for name, all_seconds in taken.items()
        for repeat, seconds in enumerate(all_seconds)
    ]
    _tables.write(options.out, rows)
    for name, all_seconds in taken.items():
        found = spread(all_seconds)
        print(f"{name:28} {found.median:.3f} s ({found.low:.3f} .. {found.high:.3f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
