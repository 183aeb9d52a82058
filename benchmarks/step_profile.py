"""Where a training step's time goes: products of matrices, the rest of what is computed, Adam, and what calls them.

    python -m benchmarks.step_profile

The packs of `critics`, by torch's profiler, in units of the floor: the time of a step's own products at torch's float32
rate on large squares. `products` over 1 says that products of these shapes run slower than large squares do; what the
others add, no faster product can win back. A profiled step takes longer than a plain one, which takes turns with it:
shares are the profiled one's, the time that they share is the plain one's. Writes
`results/benchmarks/step_profile.csv`, a row a pack.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks import _tables
from benchmarks._timing import in_turns, spread
from benchmarks.critics import (
    CONCATENATED,
    SEPARABLE,
    SIDE,
    SMALL_CONCATENATED,
    SMALL_SEPARABLE,
    Contender,
    multiplications,
    pack,
)

TABLE = _tables.path_of("step_profile")
PACKS = (
    pack(SEPARABLE, 16),
    pack(SEPARABLE, 64),
    pack(CONCATENATED, 4),
    pack(SMALL_SEPARABLE, 64),
    pack(SMALL_CONCATENATED, 64),
)
PRODUCTS = {"aten::bmm", "aten::baddbmm", "aten::mm", "aten::addmm", "mkldnn::_linear_pointwise"}
ADAM = {"aten::_fused_adam_"}
# What computes no number: views, and the making of tensors.
VIEWS = {"alias", "as_strided", "detach", "diagonal", "expand", "flatten", "mT", "reshape", "select", "slice"}
VIEWS |= {"split", "transpose", "unbind", "unflatten", "unsqueeze", "view", "_unsafe_view"}
PLACES = {"empty", "empty_like", "empty_strided", "new_empty"}
CALLS = {f"aten::{name}" for name in VIEWS | PLACES}
KINDS = ("products", "other_numbers", "adam", "calls")


def kind_of(operation: str) -> str:
    """One of `KINDS`; what is no operation of torch's is Python's and autograd's, hence a call."""
    if operation in PRODUCTS:
        return "products"
    if operation in ADAM:
        return "adam"
    is_number = operation.startswith(("aten::", "mkldnn::")) and operation not in CALLS
    return "other_numbers" if is_number else "calls"


def shares(steps: Any) -> dict[str, float]:
    """Of the time of `steps()`, by kind; what no event accounts for is time between operations, of the calls."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        started = time.perf_counter()
        steps()
        whole = time.perf_counter() - started
    seconds = dict.fromkeys(KINDS, 0.0)
    for event in profiled.key_averages():
        seconds[kind_of(event.key)] += event.self_cpu_time_total / 1e6
    whole = max(whole, sum(seconds.values()))
    seconds["calls"] += whole - sum(seconds.values())
    return {kind: taken / whole for kind, taken in seconds.items()}


def rows(packs: Sequence[Contender], repeats: int, run_steps: dict[str, int]) -> Iterator[dict[str, Any]]:
    for contender in packs:
        yield row_of(contender, repeats, max(1, run_steps[contender.case.critic] // contender.runs))


def row_of(contender: Contender, repeats: int, steps: int) -> dict[str, Any]:
    """One pack's: the time of a run and step, and its parts, in units of the floor of the same turn."""
    train, squares = contender.make(), multiplications()["torch float32"]
    found: list[dict[str, float]] = []
    acts = {
        "steps": lambda: train(steps),
        "squares": squares,
        "profiled": lambda: found.append(shares(lambda: train(steps))),
    }
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    taken = in_turns(acts, repeats, clock=clock)
    ms = [1e3 * seconds / steps / contender.runs for seconds in taken["steps"]]
    rates = [2 * SIDE**3 / seconds for seconds in taken["squares"]]
    floors = [1e3 * contender.case.operations / rate for rate in rates]
    of_turns = found[-repeats:]
    parts = {
        kind: [share[kind] * whole / floor for share, whole, floor in zip(of_turns, ms, floors, strict=True)]
        for kind in KINDS
    }
    columns = {
        "ms_a_run_step": ms,
        "times_floor": [whole / floor for whole, floor in zip(ms, floors, strict=True)],
        **parts,
    }
    facts = {"critic": contender.case.name, "contender": contender.name, "repeats": repeats}
    return facts | {
        f"{name}_{which}": value
        for name, values in columns.items()
        for which, value in spread(values)._asdict().items()
    }


def line_of(row: dict[str, Any]) -> str:
    parts = ", ".join(f"{kind.replace('_', ' ')} {row[f'{kind}_median']:.2f}" for kind in KINDS)
    return f"{row['critic']:19} {row['contender']:18} {row['times_floor_median']:6.2f} of the floor: {parts}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.step_profile", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, help=f"the table (default: {TABLE}; with --tiny, none)")
    parser.add_argument("--repeats", type=int, default=9, help="(default: %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="two turns of a step: to test the code")
    options = parser.parse_args(arguments)
    run_steps = (
        {"separable": 1, "concatenated": 1} if options.tiny else {"separable": 256, "concatenated": 64}
    )
    found = []
    for row in rows(PACKS, 2 if options.tiny else options.repeats, run_steps):
        found.append(row)
        print(line_of(row), flush=True)
    if out := options.out or (None if options.tiny else TABLE):
        _tables.write(out, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
