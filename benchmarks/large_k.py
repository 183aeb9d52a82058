"""Softmax losses over very many candidates: seconds and memory beside the full matrix, a peer and the floor.

    python -m benchmarks.large_k

Each measurement is a process of its own, so that its peak of memory is its own too; contenders take turns. The floor is
the time of the loss's products at the rate that its process has just measured. With one thread times are the core's
own. Writes `results/benchmarks/large_k.csv`, a row a contender and size.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import _environment, _machine, _tables
from benchmarks._timing import ratio, spread

TABLE = _tables.path_of("large_k")
CHILD = Path(__file__).with_name("_large_losses.py")
DIM = 128


class Contender(NamedTuple):
    """A loss, the products that it cannot do without in units of `n^2 dim`, and the largest n that fits this memory."""

    name: str
    loss: str
    products: float
    largest: int


NO_LIMIT = 10**9
REPEATED = 65_536  # rows; what is larger takes minutes, and is measured once
CONTENDERS = (
    Contender("mibounds, one way", "one way", 6, NO_LIMIT),
    Contender("full matrix, one way", "one way", 6, 32768),
    Contender("cross-entropy on the matrix, one way", "one way", 6, 32768),
    Contender("mibounds, symmetric", "symmetric", 8, NO_LIMIT),
    Contender("mibounds, two views", "two views", 16, NO_LIMIT),
    Contender("mibounds, two views as two passes", "two views", 24, NO_LIMIT),
    Contender("cross-entropy on the matrix, two views", "two views", 24, 8192),
    Contender("lightly, two views", "two views", 24, 8192),
)


def rows(sizes: Sequence[int], one_way: Sequence[int], repeats: int) -> Iterator[dict[str, Any]]:
    """A row a contender and size, of as many threads as there are cores to run on; of some sizes one way alone."""
    peers = _environment.folder_of("losses")
    missing = _environment.make(peers)
    losses = list(dict.fromkeys(c.loss for c in CONTENDERS))
    for n, loss in [*itertools.product(sizes, losses), *itertools.product(one_way, losses[:1])]:
        chosen = [c for c in CONTENDERS if c.loss == loss and n <= c.largest]
        times = repeats if n <= REPEATED else 1
        yield from compared(chosen, n, len(_machine.cores()), times, peers, missing)


def compared(
    chosen: Sequence[Contender], n: int, threads: int, repeats: int, peers: Path, missing: dict[str, str]
) -> Iterator[dict[str, Any]]:
    found: dict[str, list[dict[str, float]]] = {c.name: [] for c in chosen}
    for _ in range(repeats):
        for c in chosen:
            is_peer = c.name.startswith("lightly")
            python = _environment.python_of(peers) if is_peer else Path(sys.executable)
            if not (is_peer and "lightly" in missing):
                found[c.name].append(answer(python, c.name, n, threads))
    first = chosen[0].name
    for c in chosen:
        if not found[c.name]:
            yield {"contender": c.name, "loss": c.loss, "n": n, "status": missing["lightly"]}
            continue
        yield {"contender": c.name, "loss": c.loss, "n": n, "dim": DIM} | summary(
            found[c.name], found[first], c.products * n**2 * DIM
        )


def summary(
    own: Sequence[dict[str, float]], first: Sequence[dict[str, float]], operations: float
) -> dict[str, Any]:
    def seconds(of: Sequence[dict[str, float]]) -> list[float]:
        return [one["seconds"] for one in of]

    floors = [operations / one["gflops"] / 1e9 for one in own]
    columns = {
        "seconds": spread(seconds(own)),
        "times_floor": ratio(seconds(own), floors),
        "times_first": ratio(seconds(own), seconds(first)),
        "mib_beside_inputs": spread([one["mib"] for one in own]),
        "gflops": spread([one["gflops"] for one in own]),
    }
    named = {f"{name}_{which}": v for name, of in columns.items() for which, v in of._asdict().items()}
    return {
        "repeats": len(own),
        **named,
        "value": own[0]["value"],
        "gradient": own[0]["gradient"],
        "status": "ok",
    }


def answer(python: Path, contender: str, n: int, threads: int) -> dict[str, float]:
    """What one process says. Raises: SystemExit if it fails."""
    command = [str(python), str(CHILD), contender, str(n), str(DIM), str(threads)]
    root = {"PYTHONPATH": str(CHILD.parents[1])}
    done = subprocess.run(
        command, env=_machine.environment(threads) | root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{contender} at n = {n}: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.large_k", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[16384])
    parser.add_argument("--one-way-sizes", type=int, nargs="*", default=[], help="further, of one loss alone")
    options = parser.parse_args(arguments)
    if not Path("/proc/self/clear_refs").exists():
        parser.error("peaks of memory are read from /proc, which this system has not")
    found = []
    for row in rows(options.sizes, options.one_way_sizes, options.repeats):
        found.append(row)
        print({k: f"{v:.3g}" if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    _tables.write(options.out, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
