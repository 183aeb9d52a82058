"""What a training step costs, in core seconds and memory, by batch, dimension, critic and width of the stack.

    python -m benchmarks.cost

InfoNCE on Gaussian pairs, one thread; one thing varies at a time around 128 pairs (so K = 128 candidates) in 10 + 10
columns, a separable critic, runs trained four at once. The processor's seconds, which other users of the machine hardly
lengthen, of the same number of steps three times over; their median. Memory is the peak of the process during those
steps, with the some 200 MiB that torch itself takes. A cell of so many steps costs that many times the step, so that
a study can be priced before its first cell. Writes `results/benchmarks/cost.csv`. Exit code: 0.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import _tables
from benchmarks._timing import spread
from mibounds import bounds, critics, distributions
from mibounds.study import peak
from mibounds.training import Trainer, fresh_batches

PINNED = False  # one thread, wherever
TABLE = _tables.path_of("cost")
BASE = {"critic": "separable", "hidden": 128, "dim": 10, "batch_size": 128, "width": 4}
VARIED: dict[str, tuple[Any, ...]] = {
    "batch_size": (32, 64, 128, 256, 512, 1024, 2048),
    "dim": (2, 10, 50, 250),
    "hidden": (32, 128, 512, 1024),
    "width": (1, 4, 16, 64),
    "critic": ("separable", "bilinear", "cosine", "concatenated"),
}
REPEATS = 3
LEAST_SECONDS = 0.1  # of a timed stretch


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """What varies, and all that is set; the concatenated critic by batch too, since it scores every pair by itself."""
    for name, values in VARIED.items():
        yield from ((name, BASE | {name: value}) for value in values)
    yield from (
        ("batch_size", BASE | {"critic": "concatenated", "batch_size": n}) for n in (32, 64, 128, 256)
    )


def trainer_of(case: dict[str, Any]) -> tuple[Trainer, Any]:
    seeds, dim = list(range(case["width"])), case["dim"]
    law = distributions.load("gaussian").from_mutual_information(dim, 2.0)
    options: dict[str, Any] = {} if case["critic"] == "bilinear" else {"hidden": (case["hidden"],) * 2}
    options |= {"temperature": 0.2} if case["critic"] == "cosine" else {}
    critic = critics.load(case["critic"])(dim, dim, seeds, **options)
    batches = fresh_batches([law] * len(seeds), seeds, case["batch_size"])
    return Trainer(critic, bounds.load("info_nce")(), seeds), batches


def measured(case: dict[str, Any]) -> dict[str, float]:
    trainer, batches = trainer_of(case)
    peak.forget()
    steps, taken = 2, 0.0
    while taken < LEAST_SECONDS:
        steps *= 2
        started = time.process_time()
        trainer.fit(batches, steps)
        taken = time.process_time() - started
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        trainer.fit(batches, steps)
        seconds.append((time.process_time() - started) / steps / case["width"])
    median, low, high = spread([1000 * one for one in seconds])
    return {
        "steps": steps,
        "ms_a_step_a_run": median,
        "ms_low": low,
        "ms_high": high,
        "peak_mib": peak.mib() or float("nan"),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.cost", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    for varied, case in cases():
        rows.append({"threads": 1, "varied": varied} | case | measured(case))
        ms, mib = rows[-1]["ms_a_step_a_run"], rows[-1]["peak_mib"]
        print(
            f"{case['critic']:12} {varied:10} = {case[varied]!s:12} {ms:9.3f} ms, {mib:6.0f} MiB", flush=True
        )
    _tables.write(options.out, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
